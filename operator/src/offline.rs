//! What `gamepipe operator` does without a cluster: print the resources' definitions, check manifests as an API server would, and show what would be
//! made of them.

mod bounds;
mod manifests;
mod reference;
mod render;
mod strict;

use kube::CustomResourceExt;
use serde_json::Value;

use crate::crd::{Game, GamePipeline, crds};
use crate::yaml;

pub use manifests::{Manifest, Manifests};
pub use reference::reference;
pub use render::render;

/// The resources whose definition [`crd`] prints, by their plural names.
pub const RESOURCES: [&str; 2] = ["games", "gamepipelines"];

/// The CustomResourceDefinition of one resource, or of all, as YAML documents.
pub fn crd(resource: Option<&str>) -> String {
    let wanted = |name: &str| resource.is_none_or(|resource| resource == name);
    let definitions = crds();
    let documents = definitions
        .iter()
        .filter(|crd| wanted(&crd.spec.names.plural))
        .map(|crd| {
            let value = serde_json::to_value(crd).unwrap_or_default();
            yaml::write(&value)
        });
    documents.collect::<Vec<_>>().join("---\n")
}

/// The JSON Schema (2020-12) of a GamePipeline, for editors.
pub fn schema() -> Value {
    let mut schema = strict::strict_schema(&GamePipeline::crd());
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["$id"] = "https://gamepipe.dev/schemas/v1alpha1/gamepipeline.json".into();
    schema["title"] = "GamePipeline".into();
    schema
}

/// The shape that a manifest of the kind must have.
fn shape_of(kind: &str) -> Option<(Value, Value)> {
    let crd = match kind {
        "Game" => Game::crd(),
        "GamePipeline" => GamePipeline::crd(),
        _ => return None,
    };
    Some((strict::strict_schema(&crd), crate::crd::schema_of(&crd)))
}

#[cfg(test)]
mod tests;
