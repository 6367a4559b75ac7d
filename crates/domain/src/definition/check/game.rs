//! Checks of the head of a definition: versions, name, topic, catalogs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Report, names};
use crate::definition::document::{API_VERSION, GameDocument, KIND};
use crate::definition::problem::join;
use crate::definition::value::describe;

/// The longest name of a game: it is part of names of Kubernetes objects, which have 63 characters.
const MAX_GAME_NAME: usize = 40;
/// Schema names that SQL uses for itself.
const RESERVED_SCHEMAS: [&str; 3] = ["default", "information_schema", "system"];
/// The longest topic that Kafka takes.
const MAX_TOPIC: usize = 249;

pub(super) fn check(document: &GameDocument, report: &mut Report) {
    if document.api_version != API_VERSION {
        let message = format!("expected `{API_VERSION}`, got {:?}", document.api_version);
        report.add("apiVersion", message);
    }
    if document.kind != KIND {
        report.add(
            "kind",
            format!("expected `{KIND}`, got {:?}", document.kind),
        );
    }
    name(report, &document.metadata.name);
    if let Some(topic) = &document.spec.topic {
        self::topic(report, topic);
    }
    for (catalog, items) in &document.spec.catalogs {
        let path = join("spec.catalogs", catalog);
        names::selectable(report, &path, "catalog", catalog);
        self::catalog(report, &path, items);
    }
}

fn name(report: &mut Report, name: &str) {
    let path = "metadata.name";
    let fits = name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name.ends_with('-')
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let schema = name.replace('-', "_");
    if !fits || name.len() > MAX_GAME_NAME {
        report.add(
            path,
            format!(
                "{name:?}: a game's name is a lower-case letter, then lower-case letters, digits and `-` (not at the \
                 end), at most {MAX_GAME_NAME} characters"
            ),
        );
    } else if schema.ends_with("_raw") || RESERVED_SCHEMAS.contains(&schema.as_str()) {
        report.add(
            path,
            format!("`{name}`: the SQL schema `{schema}` is reserved; choose another name"),
        );
    }
}

fn topic(report: &mut Report, topic: &str) {
    let fits = !topic.is_empty()
        && topic.len() <= MAX_TOPIC
        && !matches!(topic, "." | "..")
        && topic
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
    if !fits {
        report.add(
            "spec.topic",
            format!("{topic:?}: a topic is letters, digits, `.`, `_` and `-`, at most {MAX_TOPIC} characters"),
        );
    }
}

/// All items have the same fields, each of one kind: rules are typed by them.
fn catalog(report: &mut Report, path: &str, items: &BTreeMap<String, BTreeMap<String, Value>>) {
    let Some((first_name, first)) = items.iter().next() else {
        return report.add(
            path,
            "a catalog needs at least one item: rules learn its fields from its items",
        );
    };
    for (item_name, item) in items {
        let item_path = join(path, item_name);
        for (field, value) in item {
            let field_path = join(&item_path, field);
            names::selectable(report, &field_path, "field", field);
            match first.get(field) {
                None => report.add(&field_path, format!("item `{first_name}` has no field `{field}`: all items of a catalog have the same fields")),
                Some(other) if kind_of(other) != kind_of(value) => report.add(
                    &field_path,
                    format!("got {}, but item `{first_name}` has {} here", describe(value), describe(other)),
                ),
                Some(_) => {}
            }
        }
        for field in first.keys().filter(|field| !item.contains_key(*field)) {
            report.add(
                &item_path,
                format!("missing field `{field}`, which item `{first_name}` has"),
            );
        }
    }
}

/// Integers and floats mix: the field is a number then.
fn kind_of(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
