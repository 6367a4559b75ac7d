//! Every CEL rule, evaluated as the API server does: after defaults, with the stored object for rules about changes.

use std::collections::BTreeSet;

use kube::core::cel::{Validator, WarningKind, apply_defaults, compile_schema, estimate_rule_cost};
use serde_json::{Value, json};

use super::cases::{CHANGING, CREATING};
use crate::crd::{crds, schema_of};
use crate::testing::{SAMPLES, game, sample, schema, with};

fn edited(sample_name: &str, edits: &[(&str, &str)]) -> Value {
    let mut manifest = sample(sample_name);
    for (path, value) in edits {
        manifest = with(&manifest, path, serde_json::from_str(value).expect("JSON"));
    }
    apply_defaults(&schema(), &manifest)
}

/// The broken rules: where, and their messages.
fn broken(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    match Validator::new().validate(schema, value, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| (error.field_path, error.message))
            .collect(),
    }
}

/// Every rule of a schema: the place of the schema that has it, the rule, and its message.
fn rules(schema: &Value, path: &str, found: &mut Vec<(String, String, String)>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        found.push((path.to_owned(), text("rule"), text("message")));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        rules(field, &format!("{path}.{name}"), found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            rules(&schema[inner], &format!("{path}[]"), found);
        }
    }
}

#[test]
fn every_rule_refuses_what_it_is_about_and_takes_its_neighbour() {
    let schema = schema();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    for (cases, changing) in [(&CREATING[..], false), (&CHANGING[..], true)] {
        for (message, name, bad, good) in cases {
            let stored = edited(name, &[]);
            let old = changing.then_some(&stored);
            let found = broken(&schema, &edited(name, bad), old);
            assert!(
                found.iter().any(|(_, text)| text.starts_with(message)),
                "{message} after {bad:?}: {found:?}"
            );
            assert!(
                !found
                    .iter()
                    .any(|(_, text)| text.contains("evaluation") || text.contains("rror:")),
                "{found:?}"
            );
            refused.extend(found.into_iter().map(|(path, text)| {
                let owner = path.trim_start_matches('.').to_owned();
                format!("{owner} {text}")
            }));
            assert_eq!(
                broken(&schema, &edited(name, good), old),
                [],
                "{message} after {good:?}"
            );
        }
    }
    let mut all = Vec::new();
    rules(&schema, "", &mut all);
    assert!(all.len() > 30, "{}", all.len());
    for (path, rule, message) in all {
        assert!(!message.is_empty(), "{path}: {rule} has no message");
        // A rule may point at a field of the object that it stands on.
        let place = path.trim_start_matches('.');
        let seen = refused
            .iter()
            .any(|seen| seen.starts_with(place) && seen.ends_with(&message));
        assert!(seen, "no case breaks the rule at {place}: {message}");
    }
}

#[test]
fn samples_and_reference_games_break_no_rule() {
    for (name, _) in SAMPLES {
        assert_eq!(broken(&schema(), &edited(name, &[]), None), [], "{name}");
        assert_eq!(
            broken(&schema(), &edited(name, &[]), Some(&edited(name, &[]))),
            [],
            "{name} unchanged"
        );
    }
    let games = schema_of(&crds()[0]);
    for name in ["arena", "quest", "guild", "market", "trade"] {
        let value = serde_json::to_value(game(name)).expect("JSON");
        assert_eq!(broken(&games, &value, None), [], "{name}");
    }
}

#[test]
fn a_game_that_names_a_file_is_told_to_inline_it_and_a_long_name_is_refused() {
    let games = schema_of(&crds()[0]);
    let mut value = serde_json::to_value(game("arena")).expect("JSON");
    value["spec"]["queries"]["players_killed"]["file"] = json!("queries/x.sql");
    value["metadata"]["name"] = json!("a".repeat(41));
    let found = broken(&games, &value, None);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .any(|(_, message)| message.contains("gamepipe game render"))
    );
    assert!(
        found
            .iter()
            .any(|(_, message)| message.contains("at most 40 characters"))
    );
}

#[test]
fn no_rule_is_too_dear_for_an_api_server() {
    for crd in crds() {
        let mut stack = vec![schema_of(&crd)];
        let mut checked = 0;
        while let Some(schema) = stack.pop() {
            let compiled = compile_schema(&schema);
            for rule in schema["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let text = rule["rule"].as_str().expect("a rule");
                let warnings = estimate_rule_cost(text, &compiled);
                assert!(
                    !warnings
                        .iter()
                        .any(|warning| warning.kind == WarningKind::CostExceeded),
                    "{text}: {warnings:?}"
                );
                checked += 1;
            }
            assert!(
                !compiled.has_errors(),
                "{:?}",
                compiled.compilation_errors()
            );
            stack.extend(
                schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(_, field)| field.clone()),
            );
            stack.extend(
                ["items", "additionalProperties"]
                    .into_iter()
                    .map(|inner| schema[inner].clone())
                    .filter(Value::is_object),
            );
        }
        assert!(checked >= 2, "{}", crd.spec.names.kind);
    }
}
