//! Every child of a pipeline as YAML: what the operator would apply in an empty namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::stages::build::build;
use crate::stages::generated::GeneratedSecret;
use crate::stages::validated::ValidatedPipeline;
use crate::yaml;

/// On rendered Secrets: the keys whose values the operator makes. They are not rendered, so that nobody applies a password that stands in a file.
const GENERATED_KEYS: &str = "gamepipe.dev/generated-keys";

/// The children in the order of applying, as YAML documents.
pub fn render(pipeline: &ValidatedPipeline) -> String {
    let children = build(pipeline);
    let secrets = children
        .secrets()
        .iter()
        .map(|secret| serde_json::to_value(without_values(pipeline, secret)).unwrap_or_default());
    let objects = children
        .objects()
        .iter()
        .map(|child| child.intent().unwrap_or_default());
    let documents: Vec<String> = secrets
        .chain(objects)
        .map(|value: Value| yaml::write(&value))
        .collect();
    documents.join("---\n")
}

fn without_values(pipeline: &ValidatedPipeline, secret: &GeneratedSecret) -> Secret {
    let keys: Vec<&str> = secret.keys.iter().map(|(key, _)| *key).collect();
    Secret {
        metadata: ObjectMeta {
            name: Some(secret.name.clone()),
            namespace: Some(pipeline.namespace.clone()),
            labels: Some(secret.labels.clone()),
            annotations: Some(BTreeMap::from([(
                GENERATED_KEYS.to_owned(),
                keys.join(","),
            )])),
            ..ObjectMeta::default()
        },
        ..Secret::default()
    }
}
