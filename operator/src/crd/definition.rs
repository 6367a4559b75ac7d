//! The CustomResourceDefinitions as they are installed.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::Value;

use super::{Game, GamePipeline};

/// Both resources' definitions, in the order of applying.
pub fn crds() -> Vec<CustomResourceDefinition> {
    [Game::crd(), GamePipeline::crd()].map(reflowed).into()
}

/// The schema of a resource: the value of `openAPIV3Schema`.
pub fn schema_of(crd: &CustomResourceDefinition) -> Value {
    let version = crd.spec.versions.first();
    let schema = version.and_then(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
    serde_json::to_value(schema).unwrap_or_default()
}

/// Joins the lines of each paragraph: doc comments are broken for the source, `kubectl explain` breaks them for the terminal.
fn reflowed(crd: CustomResourceDefinition) -> CustomResourceDefinition {
    let Ok(mut value) = serde_json::to_value(&crd) else {
        return crd;
    };
    reflow(&mut value);
    serde_json::from_value(value).unwrap_or(crd)
}

fn reflow(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(text) if name == "description" => {
                        let paragraphs: Vec<String> = text
                            .split("\n\n")
                            .map(|lines| lines.replace('\n', " "))
                            .collect();
                        *text = paragraphs.join("\n\n");
                    }
                    other => reflow(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(reflow),
        _ => {}
    }
}
