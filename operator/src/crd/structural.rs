//! From JSON Schema to the "structural" schemas of Kubernetes: no references, no alternatives, no formats that it doesn't know.
//!
//! What a structural schema can't say (a value of two types, a type that contains itself) takes any value there; those who read it check it.

use serde_json::{Map, Value, json};

/// A structural schema that takes all that `root` (JSON Schema 2020-12 with `$defs`) takes, and as little more as can be. Defaults are left out:
/// they are those of the reader.
pub fn structural(root: &Value) -> Value {
    let mut walk = Walk {
        root,
        above: Vec::new(),
    };
    walk.schema(root)
}

struct Walk<'a> {
    root: &'a Value,
    /// The definitions in which the walk is, so that one that contains itself ends it.
    above: Vec<&'a str>,
}

impl<'a> Walk<'a> {
    fn schema(&mut self, schema: &'a Value) -> Value {
        let Some(fields) = schema.as_object() else {
            return any();
        };
        let mut out = if let Some(target) = fields.get("$ref").and_then(Value::as_str) {
            self.reference(target)
        } else if let Some(choices) = fields.get("anyOf").or_else(|| fields.get("oneOf")) {
            self.alternatives(choices.as_array().map_or(&[][..], Vec::as_slice))
        } else {
            self.plain(fields)
        };
        // A property's own words come before those of its type.
        if let (Some(out), Some(text)) = (out.as_object_mut(), fields.get("description")) {
            out.insert("description".to_owned(), text.clone());
        }
        out
    }

    fn reference(&mut self, target: &'a str) -> Value {
        let name = target.strip_prefix("#/$defs/").unwrap_or_default();
        let definition = self.root.get("$defs").and_then(|all| all.get(name));
        let Some(definition) = definition.filter(|_| !self.above.contains(&name)) else {
            return any();
        };
        self.above.push(name);
        let out = self.schema(definition);
        self.above.pop();
        out
    }

    /// One type and null is that type; constants are an enum; a number or text is what Kubernetes has a word for.
    fn alternatives(&mut self, choices: &'a [Value]) -> Value {
        let is_null = |choice: &&Value| choice["type"] == "null";
        let nullable = choices.iter().any(|choice| is_null(&choice));
        let kept: Vec<&'a Value> = choices.iter().filter(|choice| !is_null(choice)).collect();
        let constants: Vec<Value> = kept
            .iter()
            .filter_map(|choice| choice.get("const").cloned())
            .collect();
        let mut out = if constants.len() == kept.len() && !kept.is_empty() {
            json!({"type": "string", "enum": constants})
        } else if let [only] = kept[..] {
            self.schema(only)
        } else if kept
            .iter()
            .all(|choice| choice["type"] == "integer" || choice["type"] == "string")
        {
            json!({"x-kubernetes-int-or-string": true})
        } else {
            any()
        };
        if nullable {
            out["nullable"] = json!(true);
        }
        out
    }

    fn plain(&mut self, fields: &'a Map<String, Value>) -> Value {
        let mut out = Map::new();
        let mut kind = fields.get("type").cloned();
        if let Some(Value::Array(kinds)) = &kind {
            let others: Vec<&Value> = kinds.iter().filter(|kind| *kind != "null").collect();
            if others.len() < kinds.len() {
                out.insert("nullable".to_owned(), json!(true));
            }
            kind = match others[..] {
                [only] => Some(only.clone()),
                _ => None,
            };
        }
        let Some(kind) = kind else {
            out.insert(
                "x-kubernetes-preserve-unknown-fields".to_owned(),
                json!(true),
            );
            return Value::Object(out);
        };
        for kept in [
            "enum",
            "minimum",
            "maximum",
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "maxProperties",
            "pattern",
            "required",
        ] {
            if let Some(value) = fields.get(kept) {
                out.insert(kept.to_owned(), value.clone());
            }
        }
        if let Some(format) = fields.get("format").filter(|format| is_known(format)) {
            out.insert("format".to_owned(), format.clone());
        }
        if let Some(items) = fields.get("items") {
            out.insert("items".to_owned(), self.schema(items));
        } else if kind == "array" {
            out.insert("items".to_owned(), any());
        }
        if kind == "object" {
            self.object(fields, &mut out);
        }
        out.insert("type".to_owned(), kind);
        Value::Object(out)
    }

    fn object(&mut self, fields: &'a Map<String, Value>, out: &mut Map<String, Value>) {
        let mut properties = Map::new();
        for (name, schema) in fields
            .get("properties")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            properties.insert(name.clone(), self.schema(schema));
        }
        match fields.get("additionalProperties") {
            Some(Value::Bool(false)) | None if !properties.is_empty() => {}
            // Kubernetes takes either properties or additionalProperties.
            Some(values @ Value::Object(_)) if properties.is_empty() => {
                let values = self.schema(values);
                out.insert("additionalProperties".to_owned(), values);
            }
            _ => {
                out.insert(
                    "x-kubernetes-preserve-unknown-fields".to_owned(),
                    json!(true),
                );
            }
        }
        if !properties.is_empty() {
            out.insert("properties".to_owned(), Value::Object(properties));
        }
    }
}

fn any() -> Value {
    json!({"x-kubernetes-preserve-unknown-fields": true})
}

/// The formats that an API server knows; it warns of others.
fn is_known(format: &Value) -> bool {
    matches!(
        format.as_str(),
        Some("int32" | "int64" | "float" | "double" | "date-time")
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::structural;

    #[test]
    fn references_alternatives_and_foreign_formats_go() {
        let schema = json!({
            "$defs": {
                "Kind": {"oneOf": [{"const": "a", "type": "string"}, {"const": "b", "type": "string"}]},
                "Tree": {"type": "object", "properties": {"child": {"anyOf": [{"$ref": "#/$defs/Tree"}, {"type": "null"}]}}, "additionalProperties": false},
            },
            "type": "object",
            "properties": {
                "kind": {"$ref": "#/$defs/Kind", "description": "Which."},
                "size": {"type": ["integer", "null"], "format": "uint32", "minimum": 0, "default": 3},
                "units": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
                "tree": {"$ref": "#/$defs/Tree"},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "what": true,
            },
        });
        let any = json!({"x-kubernetes-preserve-unknown-fields": true});
        assert_eq!(
            structural(&schema),
            json!({"type": "object", "properties": {
                "kind": {"type": "string", "enum": ["a", "b"], "description": "Which."},
                "size": {"type": "integer", "nullable": true, "minimum": 0},
                "units": {"x-kubernetes-int-or-string": true},
                "tree": {"type": "object", "properties": {"child": {"x-kubernetes-preserve-unknown-fields": true, "nullable": true}}},
                "map": {"type": "object", "additionalProperties": {"type": "string"}},
                "what": any,
            }})
        );
    }
}
