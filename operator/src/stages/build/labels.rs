//! Labels, annotations and metadata of children.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta};

use crate::stages::component::Component;
use crate::stages::generated::Ownership;
use crate::stages::validated::ValidatedPipeline;

/// Who made an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const OPERATOR: &str = "gamepipe-operator";
/// The pipeline's name.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The component's name.
pub const COMPONENT: &str = "app.kubernetes.io/component";
/// What the whole is.
const NAME: &str = "app.kubernetes.io/name";

/// On pods: the hash of exactly what they have mounted or in their environment.
pub const CONFIG_HASH: &str = "gamepipe.dev/config-hash";
/// On pods of roles, and on ConfigMaps of definitions: the definition's version.
pub const GAME_VERSION: &str = "gamepipe.dev/game-version";
/// On ConfigMaps of definitions: says that they are one.
pub const DEFINITION: &str = "definition";

/// What selects a component's pods. These never change: a selector can't be changed on an object that is there.
pub(super) fn selector(
    pipeline: &ValidatedPipeline,
    component: Component,
) -> BTreeMap<String, String> {
    let mut labels = instance(pipeline);
    labels.insert(COMPONENT.to_owned(), component.as_str().to_owned());
    labels
}

/// What selects all pods of a pipeline.
pub(super) fn instance(pipeline: &ValidatedPipeline) -> BTreeMap<String, String> {
    BTreeMap::from([
        (NAME.to_owned(), "gamepipe".to_owned()),
        (INSTANCE.to_owned(), pipeline.name.clone()),
    ])
}

/// The labels of an object, whose component may be none.
pub(super) fn labels(pipeline: &ValidatedPipeline, component: &str) -> BTreeMap<String, String> {
    let mut labels = instance(pipeline);
    labels.insert(COMPONENT.to_owned(), component.to_owned());
    labels.insert(MANAGED_BY.to_owned(), OPERATOR.to_owned());
    labels
}

/// A selector of labels.
pub(super) fn matching(labels: BTreeMap<String, String>) -> LabelSelector {
    LabelSelector {
        match_labels: Some(labels),
        ..LabelSelector::default()
    }
}

/// The metadata of an object of a component.
pub(super) fn meta(pipeline: &ValidatedPipeline, component: Component, suffix: &str) -> ObjectMeta {
    shared(pipeline, component.as_str(), suffix, Ownership::Owned)
}

/// The metadata of an object that belongs to no single component.
pub(super) fn shared(
    pipeline: &ValidatedPipeline,
    component: &str,
    suffix: &str,
    ownership: Ownership,
) -> ObjectMeta {
    let owner = pipeline
        .owner
        .clone()
        .filter(|_| ownership == Ownership::Owned);
    ObjectMeta {
        name: Some(pipeline.child(suffix)),
        namespace: Some(pipeline.namespace.clone()),
        labels: Some(labels(pipeline, component)),
        owner_references: owner.map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}
