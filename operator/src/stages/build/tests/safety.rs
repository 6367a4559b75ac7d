//! "No user change of a spec can lose data without a flag": every field of the schema is changed in every way that can be thought of, on every sample.
//! What the API server's rules let through must leave volumes, brokers, and the places of state, log and lake as they were.

use std::collections::BTreeMap;

use kube::core::cel::{Validator, apply_defaults, compile_schema};
use regex::Regex;
use serde_json::{Value, json};

use super::super::build;
use crate::stages::children::{Built, Child, Children};
use crate::stages::generated::Ownership;
use crate::stages::observed::Observed;
use crate::stages::validate::validate;
use crate::stages::validated::Platform;
use crate::testing::{SAMPLES, observed, sample, schema, stored};

/// Texts to try where a pattern allows them.
const TEXTS: [&str; 12] = [
    "1Mi",
    "9Ti",
    "x",
    "other",
    "a/b",
    "https://h:1",
    "h:1",
    "1s",
    "2",
    "a.b",
    "fast",
    "always",
];

/// Fields whose change is itself the word that data may go.
const FLAGS: [&str; 3] = ["whenDeleted", "whenScaled", "durability"];

/// Every manifest that differs from `manifest` in one place.
fn edits(schema: &Value, manifest: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    walk(
        &schema["properties"]["spec"],
        &manifest["spec"],
        "/spec",
        &mut |path, value| {
            let mut edited = manifest.clone();
            let (parent, name) = path.rsplit_once('/').expect("a path");
            let Some(fields) = edited.pointer_mut(parent).and_then(Value::as_object_mut) else {
                return;
            };
            match value {
                Some(value) => drop(fields.insert(name.to_owned(), value)),
                None => drop(fields.remove(name)),
            }
            found.push((path.to_owned(), edited));
        },
    );
    found
}

fn walk(schema: &Value, value: &Value, path: &str, edit: &mut impl FnMut(&str, Option<Value>)) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        if !value[name].is_null() {
            edit(&path, None);
        }
        for other in values(field, &value[name]) {
            edit(&path, Some(other));
        }
        if value[name].is_object() {
            walk(field, &value[name], &path, edit);
        }
    }
}

/// Other values that the field may have.
fn values(field: &Value, now: &Value) -> Vec<Value> {
    if let Some(choices) = field["enum"].as_array() {
        return choices
            .iter()
            .filter(|choice| !choice.is_null() && *choice != now)
            .cloned()
            .collect();
    }
    match field["type"].as_str() {
        Some("boolean") => vec![json!(true), json!(false)],
        Some("integer") => {
            let number = now.as_i64().unwrap_or(1);
            let bounds = [field["minimum"].as_f64(), field["maximum"].as_f64()];
            let inside = |value: &i64| {
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let value = *value as f64;
                bounds[0].is_none_or(|least| value >= least)
                    && bounds[1].is_none_or(|most| value <= most)
            };
            [number - 1, number + 1, 1, 2, 3, 99]
                .into_iter()
                .filter(inside)
                .map(Value::from)
                .collect()
        }
        Some("string") => {
            let pattern = field["pattern"]
                .as_str()
                .map(|pattern| Regex::new(pattern).expect("a pattern"));
            let fits = |text: &&&str| {
                pattern
                    .as_ref()
                    .is_none_or(|pattern| pattern.is_match(text))
            };
            TEXTS.iter().filter(fits).map(|text| json!(text)).collect()
        }
        Some("object") if field["additionalProperties"].is_object() => vec![json!({"x": "y"})],
        Some("object") => vec![json!({})],
        _ => Vec::new(),
    }
}

/// Where the data is, in words that must stay as they are; sizes and numbers in figures that must not fall.
#[derive(Debug, Default, PartialEq)]
struct Places {
    fixed: BTreeMap<String, Value>,
    growing: BTreeMap<String, u64>,
}

fn places(children: &Children<Built>) -> Places {
    let mut places = Places::default();
    for child in children.objects() {
        let (kind, name, value) = (child.kind(), child.name(), child.intent().expect("JSON"));
        let key = |what: &str| format!("{kind} {name} {what}");
        match child {
            Child::StatefulSet(_) => {
                places.growing.insert(
                    key("replicas"),
                    value["spec"]["replicas"].as_u64().expect("a number"),
                );
                let claim = &value["spec"]["volumeClaimTemplates"][0];
                places.claim(&key("claim"), claim);
                places
                    .fixed
                    .insert(key("selector"), value["spec"]["selector"].clone());
                places.fixed.insert(
                    key("retention"),
                    value["spec"]["persistentVolumeClaimRetentionPolicy"].clone(),
                );
            }
            Child::PersistentVolumeClaim(_) => {
                places.claim(&key("claim"), &value);
                places
                    .fixed
                    .insert(key("owners"), value["metadata"]["ownerReferences"].clone());
            }
            Child::ConfigMap(_) => places.settings(&key("settings"), &value["data"]),
            _ => {}
        }
    }
    for secret in children.secrets() {
        places.fixed.insert(
            format!("Secret {}", secret.name),
            json!(secret.ownership == Ownership::Kept),
        );
    }
    places
}

impl Places {
    fn claim(&mut self, key: &str, claim: &Value) {
        let spec = &claim["spec"];
        let size = spec["resources"]["requests"]["storage"]
            .as_str()
            .and_then(crate::crd::amount::parse);
        self.growing
            .insert(format!("{key} size"), size.expect("a size"));
        self.fixed
            .insert(format!("{key} class"), spec["storageClassName"].clone());
        self.fixed
            .insert(format!("{key} access"), spec["accessModes"].clone());
    }

    fn settings(&mut self, key: &str, data: &Value) {
        let Some(text) = data["gamepipe.yaml"].as_str() else {
            if let Some(properties) = data["server.properties"].as_str() {
                let voters = properties
                    .lines()
                    .find(|line| line.starts_with("controller.quorum.voters"));
                self.fixed.insert(format!("{key} voters"), json!(voters));
            }
            return;
        };
        let settings: Value = serde_saphyr::from_str(text).expect("YAML");
        for pointer in [
            "/state/redis/name",
            "/log/kafka/topic",
            "/log/partitions",
            "/lake/path",
            "/log/kafka/replicationFactor",
        ] {
            let value = settings.pointer(pointer).cloned().unwrap_or_default();
            // How many copies a topic in somebody else's Kafka is made with is theirs to say.
            self.fixed.insert(format!("{key} {pointer}"), value);
        }
    }
}

#[test]
fn no_change_of_a_spec_that_the_api_server_takes_moves_or_drops_data() {
    let schema = schema();
    let (compiled, validator) = (compile_schema(&schema), Validator::new());
    let (mut refused, mut taken) = (0, 0);
    for (name, _) in SAMPLES {
        let manifest = apply_defaults(&schema, &sample(name));
        let before = stored(&manifest);
        let plan = validate(&before, &observed(&before), &Platform::default()).expect("a plan");
        let old = places(&build(&plan));
        for (path, edited) in edits(&schema, &manifest) {
            let is_flag = FLAGS.iter().any(|flag| path.ends_with(flag))
                || path.ends_with("external/replicationFactor");
            let edited = apply_defaults(&schema, &edited);
            if is_flag
                || validator
                    .validate_compiled(&compiled, &edited, Some(&manifest))
                    .is_err()
            {
                refused += 1;
                continue;
            }
            let Ok(after) = serde_json::from_value(edited) else {
                refused += 1;
                continue;
            };
            let mut after: crate::crd::GamePipeline = after;
            after.metadata = before.metadata.clone();
            let now = Observed {
                brokers: Some(plan.brokers),
                ..observed(&after)
            };
            let Ok(new) = validate(&after, &now, &Platform::default()) else {
                refused += 1;
                continue;
            };
            taken += 1;
            let new = places(&build(&new));
            assert_eq!(old.fixed, new.fixed, "{name} {path}");
            for (what, figure) in &old.growing {
                assert!(
                    new.growing.get(what).is_some_and(|now| now >= figure),
                    "{name} {path}: {what}"
                );
            }
        }
    }
    assert!(
        refused > 100 && taken > 300,
        "{refused} refused, {taken} taken"
    );
}
