//! A pipeline that can be built: the only input of the build stage.

use std::collections::BTreeMap;
use std::sync::Arc;

use gamepipe_config::settings::Settings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::component::child_name;
use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::status::Reason;

/// A spec of which everything is known that build needs. Made by [`super::validate`].
#[derive(Clone, Debug)]
pub struct ValidatedPipeline {
    /// The resource's name.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// What its children refer to as their owner; none offline.
    pub owner: Option<OwnerReference>,
    /// The spec, with defaults.
    pub spec: GamePipelineSpec,
    /// `spec.settings` over the defaults of the roles.
    pub settings: Settings,
    /// How often streamers land, in milliseconds.
    pub commit_interval_ms: u64,
    /// The definition that streamers get.
    pub landing: Arc<Definition>,
    /// The definition that API and SQL get: the one before, while streamers are changing to a new one.
    pub serving: Arc<Definition>,
    /// All definitions that pods may still mount, by version.
    pub definitions: BTreeMap<String, Arc<Definition>>,
    /// How many brokers: as many as the spec says, or as there are when their removal is held back.
    pub brokers: i32,
    /// The SHA-256 of the values of users' Secrets, by Secret and key, so that pods are replaced when they change.
    pub secrets: BTreeMap<String, BTreeMap<String, String>>,
    /// The Kafka cluster's id, when it is known.
    pub kafka_cluster_id: Option<String>,
    /// What the operator itself was told.
    pub platform: Platform,
    /// What the spec says and is held back; everything else is carried out.
    pub held: Vec<Finding>,
}

impl ValidatedPipeline {
    /// The name of a child.
    pub fn child(&self, suffix: &str) -> String {
        child_name(&self.name, suffix)
    }
}

/// A definition as the roles mount it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// The hash that events carry.
    pub version: String,
    /// The topic that it names.
    pub topic: String,
    /// The document in JSON.
    pub text: String,
}

/// What the operator itself was told: it holds for all pipelines that do not say otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The image of gamepipe.
    pub image: String,
    /// The image of Kafka, with the layout of `apache/kafka`.
    pub kafka_image: String,
    /// The image of Redis.
    pub redis_image: String,
}

impl Default for Platform {
    fn default() -> Self {
        Self {
            image: concat!("ghcr.io/gamepipe/gamepipe:", env!("CARGO_PKG_VERSION")).to_owned(),
            // The version that the project's own tests run against.
            kafka_image: "docker.io/apache/kafka:4.3.1".to_owned(),
            redis_image: "docker.io/library/redis:7.4".to_owned(),
        }
    }
}

/// Something in the spec, the Game or a Secret that can't be carried out: where, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The reason that stands in conditions, events and metrics.
    pub reason: Reason,
    /// The path in the GamePipeline, such as `spec.kafka.managed.brokers`; empty for the whole.
    pub path: String,
    /// What is wrong and what to write or do instead.
    pub message: String,
}

impl Finding {
    /// A finding at `path`.
    pub fn new(reason: Reason, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            reason,
            path: path.into(),
            message: message.into(),
        }
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.message)
    }
}
