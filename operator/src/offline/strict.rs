//! From a resource's definition to a JSON Schema that is as strict as people want their editors to be: a name that is not known is an error, where the
//! API server drops it in silence.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::{Map, Value, json};

use crate::crd::schema_of;

/// The strict schema of a whole manifest.
pub(super) fn strict_schema(crd: &CustomResourceDefinition) -> Value {
    let served = schema_of(crd);
    let kind = &crd.spec.names.kind;
    let version = crd
        .spec
        .versions
        .first()
        .map_or("", |version| version.name.as_str());
    let mut schema = json!({
        "type": "object",
        "description": served["description"],
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": false,
        "properties": {
            "apiVersion": {"type": "string", "enum": [format!("{}/{version}", crd.spec.group)]},
            "kind": {"type": "string", "enum": [kind]},
            "metadata": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}},
            "status": {"type": "object"},
        },
    });
    schema["properties"]["spec"] = strict(&served["properties"]["spec"]);
    schema
}

fn strict(schema: &Value) -> Value {
    let Some(fields) = schema.as_object() else {
        return schema.clone();
    };
    let open = schema["x-kubernetes-preserve-unknown-fields"] == true;
    let mut out: Map<String, Value> = Map::new();
    for (name, value) in fields {
        let strict_value = match name.as_str() {
            "nullable" => continue,
            name if name.starts_with("x-kubernetes-") => continue,
            "properties" => {
                let fields = value.as_object().into_iter().flatten();
                Value::Object(
                    fields
                        .map(|(name, schema)| (name.clone(), strict(schema)))
                        .collect(),
                )
            }
            "items" | "additionalProperties" => strict(value),
            _ => value.clone(),
        };
        out.insert(name.clone(), strict_value);
    }
    if out.contains_key("properties") && !open {
        out.insert("additionalProperties".to_owned(), json!(false));
    }
    if schema["x-kubernetes-int-or-string"] == true {
        out.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if schema["nullable"] == true
        && let Some(kind) = out.get("type").cloned()
    {
        let mut kinds = kind.as_array().cloned().unwrap_or_else(|| vec![kind]);
        kinds.push(json!("null"));
        out.insert("type".to_owned(), Value::Array(kinds));
    }
    Value::Object(out)
}
