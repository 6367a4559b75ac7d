//! What the validate and build stages may know of the cluster: all of it is data, so that they are functions.

use std::collections::BTreeMap;

use super::component::Component;
use crate::crd::Game;

/// What was found beside the resource. The default is a namespace with nothing in it.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The Game that the pipeline names.
    pub game: Option<Game>,
    /// The definitions that ConfigMaps of the pipeline hold, by version: the texts under [`super::build::definition::GAME_FILE`].
    pub definitions: BTreeMap<String, String>,
    /// Which definition each role's Deployment has, by the annotation [`super::build::labels::GAME_VERSION`] of its pods.
    pub deployed: BTreeMap<Component, DeployedGame>,
    /// The Secrets that the spec names and that are there.
    pub secrets: BTreeMap<String, SecretFacts>,
    /// How many brokers the StatefulSet has.
    pub brokers: Option<i32>,
    /// The Kafka cluster's id in the status.
    pub kafka_cluster_id: Option<String>,
}

/// What a role's Deployment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeployedGame {
    /// The definition's version.
    pub version: String,
    /// True when every pod has it and is ready, and none of an older one is left.
    pub complete: bool,
}

/// A Secret without its values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretFacts {
    /// Its keys, and the SHA-256 of each one's value.
    pub keys: BTreeMap<String, String>,
}
