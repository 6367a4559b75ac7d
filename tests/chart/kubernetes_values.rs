//! Which values the chart takes, and what it says of others.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

use crate::documents::yaml;
use crate::helm::{chart, refusal, render};

/// Objects whose fields are Kubernetes' own, which the API server checks, or anybody's.
const OPEN: [&str; 8] = [
    "/global",
    "/affinity/nodeAffinity",
    "/affinity/podAffinity",
    "/affinity/podAntiAffinity",
    "/topologySpreadConstraints/0/labelSelector",
    "/extraEnv/0/valueFrom",
    "/networkPolicy/from/0/podSelector",
    "/networkPolicy/from/0/namespaceSelector",
];

/// One object in the schema.
struct Level {
    /// Where it is in the values, as a JSON pointer.
    path: String,
    schema: Value,
    /// What is around it, from the outside to the inside.
    around: Vec<Around>,
}

/// The object around another one.
#[derive(Clone)]
struct Around {
    /// What it must have besides, so that a refusal is about the name that is tried.
    beside: Map<String, Value>,
    field: String,
    is_list: bool,
}

impl Level {
    /// Values that have this object in its place.
    fn values(&self, object: Map<String, Value>) -> Value {
        let wrap = |inner: Value, around: &Around| {
            let inner = if around.is_list {
                json!([inner])
            } else {
                inner
            };
            let mut object = around.beside.clone();
            object.insert(around.field.clone(), inner);
            Value::Object(object)
        };
        self.around.iter().rev().fold(Value::Object(object), wrap)
    }
}

/// All objects in the schema. References are followed.
fn levels(root: &Value) -> Vec<Level> {
    let mut found = Vec::new();
    let mut open = vec![Level {
        path: String::new(),
        schema: root.clone(),
        around: Vec::new(),
    }];
    while let Some(level) = open.pop() {
        for (name, field) in level.schema["properties"].as_object().into_iter().flatten() {
            let field = resolved(root, field);
            let is_list = field["type"] == "array";
            let schema = if is_list {
                resolved(root, &field["items"])
            } else {
                field
            };
            if schema["type"] != "object" {
                continue;
            }
            let mut around = level.around.clone();
            let mut beside = required(root, &level.schema);
            beside.remove(name);
            around.push(Around {
                beside,
                field: name.clone(),
                is_list,
            });
            let suffix = if is_list { "/0" } else { "" };
            open.push(Level {
                path: format!("{}/{name}{suffix}", level.path),
                schema,
                around,
            });
        }
        found.push(level);
    }
    found
}

fn resolved(root: &Value, schema: &Value) -> Value {
    match schema["$ref"].as_str().and_then(|at| at.strip_prefix('#')) {
        Some(pointer) => root.pointer(pointer).cloned().unwrap_or_default(),
        None => schema.clone(),
    }
}

/// The least that an object of this schema must have.
fn required(root: &Value, schema: &Value) -> Map<String, Value> {
    let names = schema["required"].as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .map(|name| {
            let field = resolved(root, &schema["properties"][name]);
            let value = match (&field["enum"][0], field["type"].as_str()) {
                (Value::Null, Some("integer")) => json!(1),
                (Value::Null, _) => json!("a"),
                (first, _) => first.clone(),
            };
            (name.to_owned(), value)
        })
        .collect()
}

fn schema() -> Result<Value> {
    let text = std::fs::read_to_string(chart().join("values.schema.json"))?;
    Ok(serde_json::from_str(&text)?)
}

#[test]
fn a_typo_is_refused_at_every_level_with_its_path() -> Result<()> {
    let schema = schema()?;
    let mut tried = BTreeSet::new();
    for level in levels(&schema) {
        let rest = &level.schema["additionalProperties"];
        if rest.is_null() {
            assert!(
                OPEN.contains(&level.path.as_str()),
                "{} takes any name",
                level.path
            );
            continue;
        }
        let mut object = required(&schema, &level.schema);
        // A map of labels takes any name and no number.
        object.insert("typo".to_owned(), json!(7));
        let values = level.values(object).to_string();
        let said = refusal(&values)?;
        assert!(said.contains("typo"), "{values}: {said}");
        let named = format!("'{}", level.path);
        assert!(said.contains(&named), "{values}: no {named} in {said}");
        tried.insert(level.path);
    }
    assert!(tried.len() > 30, "{tried:?}");
    Ok(())
}

#[test]
fn what_is_wrong_is_said_in_words() -> Result<()> {
    for (values, expected) in [
        (
            "{watchAllNamespaces: true, watchNamespaces: [games]}",
            "contradict one another",
        ),
        (
            "defaultImages: {kafka: {tag: ''}}",
            "defaultImages.kafka: give a tag or a digest",
        ),
        (
            "defaultImages: {gamepipe: {tag: '1'}}",
            "defaultImages.gamepipe has a tag or a digest and no repository",
        ),
        (
            "monitoring: {prometheusRule: {enabled: true, disabled: [Nope]}}",
            "there is no alert Nope; there are GamepipeOperatorDown",
        ),
        ("image: {digest: 'sha256:12'}", "'/image/digest'"),
        ("image: {pullPolicy: Sometimes}", "'/image/pullPolicy'"),
        ("replicas: two", "'/replicas'"),
        ("watchNamespaces: games", "'/watchNamespaces'"),
        (
            "resources: {limits: {memory: lots}}",
            "'/resources/limits/memory'",
        ),
        (
            "monitoring: {serviceMonitor: {enabled: maybe}}",
            "'/monitoring/serviceMonitor/enabled'",
        ),
    ] {
        let said = refusal(values)?;
        assert!(said.contains(expected), "{values}: {said}");
    }
    Ok(())
}

#[test]
fn a_chart_that_has_this_one_in_it_can_pass_its_globals() -> Result<()> {
    render("global: {imageRegistry: example.com, nested: {any: thing}}")?;
    Ok(())
}

#[test]
fn values_and_their_schema_name_the_same() -> Result<()> {
    let schema = schema()?;
    let values = yaml(&std::fs::read_to_string(chart().join("values.yaml"))?)?;
    for level in levels(&schema) {
        let fields = level.schema["properties"].as_object();
        let listed = level.path.contains("/0") || level.path.starts_with("/affinity");
        let (Some(fields), false) = (fields, listed) else {
            continue;
        };
        let written = values
            .pointer(&level.path)
            .and_then(Value::as_object)
            .with_context(|| format!("values.yaml has no {}", level.path))?;
        for name in written.keys() {
            assert!(fields.contains_key(name), "{}/{name}", level.path);
        }
        // Amounts that are not asked for are not written.
        let is_optional = level.path.starts_with("/resources/");
        for name in fields.keys().filter(|_| !is_optional) {
            assert!(
                written.contains_key(name),
                "values.yaml does not teach {}/{name}",
                level.path
            );
        }
    }
    Ok(())
}

#[test]
fn every_value_has_a_comment() -> Result<()> {
    let text = std::fs::read_to_string(chart().join("values.yaml"))?;
    let mut before = "";
    for line in text.lines() {
        let is_section = !line.starts_with([' ', '#']) && line.contains(':');
        // A few speak for themselves, together with the line before.
        let bare = [
            "nodeSelector",
            "tolerations",
            "affinity",
            "podLabels",
            "podAnnotations",
        ];
        let is_bare = bare.iter().any(|name| line.starts_with(name));
        let has_inner = line.ends_with(':');
        if is_section && !is_bare && !has_inner {
            assert!(before.starts_with('#'), "{line}");
        }
        before = line;
    }
    Ok(())
}
