//! A ConfigMap for each definition in use. Its name has the definition's version and it never changes, so that a pod that starts again in the middle
//! of a rollout gets the definition that it had.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::labels::{DEFINITION, GAME_VERSION, shared};
use crate::stages::children::Child;
use crate::stages::generated::Ownership;
use crate::stages::validated::{Definition, ValidatedPipeline};

/// The file's name in the ConfigMap.
pub const GAME_FILE: &str = "game.json";

/// The ConfigMaps.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    let definitions = pipeline.definitions.values();
    definitions
        .map(|definition| config_map(pipeline, definition).into())
        .collect()
}

fn config_map(pipeline: &ValidatedPipeline, definition: &Definition) -> ConfigMap {
    let mut metadata = shared(pipeline, DEFINITION, &suffix(definition), Ownership::Owned);
    metadata
        .labels
        .get_or_insert_with(BTreeMap::new)
        .insert(GAME_VERSION.to_owned(), definition.version.clone());
    ConfigMap {
        metadata,
        data: Some(files(definition)),
        immutable: Some(true),
        ..ConfigMap::default()
    }
}

/// The ConfigMap's files.
pub(super) fn files(definition: &Definition) -> BTreeMap<String, String> {
    BTreeMap::from([(GAME_FILE.to_owned(), definition.text.clone())])
}

/// The suffix of the ConfigMap's name.
pub(super) fn suffix(definition: &Definition) -> String {
    format!("game-{}", definition.version)
}
