//! JSON Schema: of the document (for editors and for the first check of a definition), and of single values (for OpenAPI).

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::document::{GameDocument, ValueKind, ValueSpec};

/// Where the document's schema says it lives.
pub const SCHEMA_ID: &str = "https://gamepipe.dev/schemas/v1alpha1/game.json";

/// The JSON Schema (2020-12) of a definition. With this first line in a definition, editors that speak to a YAML
/// language server complete and check it: `# yaml-language-server: $schema=game.schema.json`.
pub fn json_schema() -> Value {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<GameDocument>();
    schema.insert("$id".to_owned(), Value::from(SCHEMA_ID));
    schema.insert("title".to_owned(), Value::from("gamepipe game definition"));
    schema.to_value()
}

impl ValueSpec {
    /// The JSON Schema (2020-12) of a value of this type, as OpenAPI 3.1 takes it.
    pub fn to_json_schema(&self) -> Value {
        let mut schema = Map::new();
        if let Some(description) = &self.description {
            schema.insert("description".to_owned(), Value::from(description.as_str()));
        }
        let name = match self.kind {
            ValueKind::Integer => "integer",
            ValueKind::Number => "number",
            ValueKind::String | ValueKind::Timestamp => "string",
            ValueKind::Boolean => "boolean",
            ValueKind::List => "array",
            ValueKind::Map | ValueKind::Object | ValueKind::Bag => "object",
        };
        let kind = if self.nullable {
            json!([name, "null"])
        } else {
            Value::from(name)
        };
        schema.insert("type".to_owned(), kind);
        self.add_structure(&mut schema);
        self.add_bounds(&mut schema);
        Value::Object(schema)
    }

    fn add_structure(&self, schema: &mut Map<String, Value>) {
        match self.kind {
            ValueKind::Integer => {
                schema.insert("format".to_owned(), Value::from("int64"));
            }
            ValueKind::Number => {
                schema.insert("format".to_owned(), Value::from("double"));
            }
            ValueKind::Timestamp => {
                schema.insert("format".to_owned(), Value::from("date-time"));
            }
            ValueKind::List => {
                if let Some(items) = &self.items {
                    schema.insert("items".to_owned(), items.to_json_schema());
                }
            }
            ValueKind::Map => {
                if let Some(values) = &self.values {
                    schema.insert("additionalProperties".to_owned(), values.to_json_schema());
                }
            }
            ValueKind::Bag => {
                schema.insert(
                    "additionalProperties".to_owned(),
                    json!({"type": "integer", "minimum": 0}),
                );
            }
            ValueKind::Object => {
                let properties: Map<String, Value> = self
                    .properties
                    .iter()
                    .map(|(name, spec)| (name.clone(), spec.to_json_schema()))
                    .collect();
                schema.insert("properties".to_owned(), Value::Object(properties));
                let required = required_names(&self.properties);
                if !required.is_empty() {
                    schema.insert("required".to_owned(), Value::from(required));
                }
            }
            ValueKind::String | ValueKind::Boolean => {}
        }
    }

    fn add_bounds(&self, schema: &mut Map<String, Value>) {
        let number = |value: f64| {
            // Whole numbers are written without a fraction: `0`, not `0.0`.
            #[expect(
                clippy::cast_possible_truncation,
                reason = "whole and within ±2^53 here, so the cast is exact"
            )]
            let whole = value as i64;
            if value.fract() == 0.0 && value.abs() <= super::check::EXACT_INTEGER {
                Value::from(whole)
            } else {
                Value::from(value)
            }
        };
        let bounds = [
            ("minimum", self.minimum.map(number)),
            ("maximum", self.maximum.map(number)),
            ("minLength", self.min_length.map(Value::from)),
            ("maxLength", self.max_length.map(Value::from)),
            ("maxItems", self.max_items.map(Value::from)),
            (
                "enum",
                self.allowed.clone().map(|allowed| self.with_null(allowed)),
            ),
            ("default", self.default.clone()),
        ];
        for (name, value) in bounds {
            if let Some(value) = value {
                schema.insert(name.to_owned(), value);
            }
        }
    }

    /// JSON Schema's `enum` bounds null too.
    fn with_null(&self, mut allowed: Vec<Value>) -> Value {
        if self.nullable && !allowed.contains(&Value::Null) {
            allowed.push(Value::Null);
        }
        Value::Array(allowed)
    }
}

/// The names that must be given: neither nullable nor with a default.
pub fn required_names(specs: &std::collections::BTreeMap<String, ValueSpec>) -> Vec<String> {
    specs
        .iter()
        .filter(|(_, spec)| spec.is_required())
        .map(|(name, _)| name.clone())
        .collect()
}

#[cfg(test)]
mod tests;
