//! The cluster's id and its passwords, made once.

use crate::crd::kafka::ManagedKafka;
use crate::crd::storage::RetentionPolicy;
use crate::stages::build::labels::labels;
use crate::stages::component::Component;
use crate::stages::generated::{GeneratedSecret, Generator, Ownership};
use crate::stages::validated::ValidatedPipeline;

/// The key of the cluster's id: written on every volume, and a node refuses one with another id.
pub(crate) const CLUSTER_ID: &str = "cluster-id";
/// The key of the password of the user `gamepipe`.
pub(crate) const PASSWORD: &str = "password";
/// The key of the password with which nodes sign in to one another.
pub(super) const INTERNAL_PASSWORD: &str = "internal-password";

/// The Secret. It stays as long as a volume may: the id is on the volumes, and so are the users.
pub(crate) fn build(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> GeneratedSecret {
    let volumes = [&kafka.storage, &kafka.controllers.storage];
    let kept = volumes
        .iter()
        .any(|storage| storage.retention.when_deleted == RetentionPolicy::Retain);
    GeneratedSecret {
        name: pipeline.child(Component::Kafka.as_str()),
        labels: labels(pipeline, Component::Kafka.as_str()),
        ownership: if kept {
            Ownership::Kept
        } else {
            Ownership::Owned
        },
        keys: vec![
            (
                CLUSTER_ID,
                Generator::KafkaClusterId {
                    known: pipeline.kafka_cluster_id.clone(),
                },
            ),
            (PASSWORD, Generator::Password),
            (INTERNAL_PASSWORD, Generator::Password),
        ],
    }
}
