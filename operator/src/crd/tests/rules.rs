//! Every CEL rule, evaluated as the API server does: after defaults, with the stored object for rules about changes.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::cel::{Validator, WarningKind, apply_defaults, compile_schema, estimate_rule_cost};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::crd::{crds, schema_of};
use crate::testing::{SAMPLES, game, sample, schema, with};

/// What each rule refuses and takes; a test on a real API server reads it too.
const CASES: &str = include_str!("cases.yaml");

/// Values at paths of a sample.
type Edits = BTreeMap<String, Value>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    creating: Vec<Case>,
    changing: Vec<Case>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// How the rule's message begins.
    message: String,
    sample: String,
    breaks: Edits,
    holds: Edits,
}

fn edited(sample_name: &str, edits: &Edits) -> Value {
    let mut manifest = sample(sample_name);
    for (path, value) in edits {
        manifest = with(&manifest, path, value.clone());
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

/// The rules that a case's change breaks: their places and messages.
fn refused(case: &Case, schema: &Value, stored: Option<&Value>) -> Vec<String> {
    let (message, bad) = (&case.message, &case.breaks);
    let found = broken(schema, &edited(&case.sample, bad), stored);
    assert!(
        found
            .iter()
            .any(|(_, text)| text.starts_with(message.as_str())),
        "{message} after {bad:?}: {found:?}"
    );
    assert!(
        !found
            .iter()
            .any(|(_, text)| text.contains("evaluation") || text.contains("rror:")),
        "{found:?}"
    );
    let placed = found.into_iter().map(|(path, text)| {
        let owner = path.trim_start_matches('.');
        format!("{owner} {text}")
    });
    placed.collect()
}

#[test]
fn every_rule_refuses_what_it_is_about_and_takes_its_neighbour() {
    let schema = schema();
    let cases: Cases = serde_saphyr::from_str(CASES).expect("the cases");
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (cases, changing) in [(&cases.creating, false), (&cases.changing, true)] {
        for case in cases {
            let stored = edited(&case.sample, &Edits::new());
            let old = changing.then_some(&stored);
            seen.extend(refused(case, &schema, old));
            assert_eq!(
                broken(&schema, &edited(&case.sample, &case.holds), old),
                [],
                "{} after {:?}",
                case.message,
                case.holds
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
        let is_broken = seen
            .iter()
            .any(|seen| seen.starts_with(place) && seen.ends_with(&message));
        assert!(is_broken, "no case breaks the rule at {place}: {message}");
    }
}

#[test]
fn samples_and_reference_games_break_no_rule() {
    for (name, _) in SAMPLES {
        let manifest = edited(name, &Edits::new());
        assert_eq!(broken(&schema(), &manifest, None), [], "{name}");
        let unchanged = broken(&schema(), &manifest, Some(&manifest));
        assert_eq!(unchanged, [], "{name} unchanged");
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
