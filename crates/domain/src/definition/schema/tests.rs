//! The JSON Schema for editors, and what it says of values.

use serde_json::{Value, json};

use super::{SCHEMA_ID, json_schema};
use crate::definition::document::ValueSpec;

fn schema_of(declared: Value) -> Value {
    let spec: ValueSpec = serde_json::from_value(declared).expect("a declaration");
    spec.to_json_schema()
}

#[test]
fn every_field_of_the_document_is_described() {
    let schema = json_schema();
    assert_eq!(schema["$id"], SCHEMA_ID);
    let definitions = schema["$defs"].as_object().expect("definitions");
    let missing: Vec<String> = definitions
        .iter()
        .chain([(&"GameDocument".to_owned(), &schema)])
        .flat_map(|(name, definition)| {
            let fields = definition["properties"]
                .as_object()
                .cloned()
                .unwrap_or_default();
            let silent = fields
                .into_iter()
                .filter(|(_, field)| field.get("description").is_none());
            silent
                .map(move |(field, _)| format!("{name}.{field}"))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert!(definitions.len() > 15, "{}", definitions.len());
}

#[test]
fn values_become_json_schema() {
    let player = json!({"type": "object", "description": "who", "properties": {
        "name": {"maxLength": 5},
        "gold": {"type": "integer", "minimum": 0, "default": 7},
        "class": {"enum": ["knight"], "nullable": true},
        "bag": {"type": "bag", "nullable": true},
        "tags": {"type": "list", "maxItems": 3, "items": {"type": "timestamp"}},
        "stats": {"type": "map", "values": {"type": "number", "maximum": 0.5}},
    }});
    let expected = json!({
        "type": "object",
        "description": "who",
        "required": ["name", "stats", "tags"],
        "properties": {
            "name": {"type": "string", "maxLength": 5},
            "gold": {"type": "integer", "format": "int64", "minimum": 0, "default": 7},
            "class": {"type": ["string", "null"], "enum": ["knight", null]},
            "bag": {"type": ["object", "null"], "additionalProperties": {"type": "integer", "minimum": 0}},
            "tags": {"type": "array", "maxItems": 3, "items": {"type": "string", "format": "date-time"}},
            "stats": {"type": "object", "additionalProperties": {"type": "number", "format": "double", "maximum": 0.5}},
        },
    });
    assert_eq!(schema_of(player), expected);
}
