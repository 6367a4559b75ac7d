//! What a managed Kafka may be told beyond what the schema bounds.

use kube::core::ResourceExt;

use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::status::Reason;
use crate::crd::{ALLOW_BROKER_REMOVAL, GamePipeline};
use crate::stages::observed::Observed;
use crate::stages::validated::Finding;

/// Settings that the operator sets itself, by their names or, with a dot or nothing behind them, beginnings.
const OWNED: [&str; 18] = [
    "advertised.listeners",
    "authorizer.class.name",
    "broker.id",
    "broker.rack",
    "config.providers",
    "controller.",
    "default.replication.factor",
    "inter.broker.",
    "listener",
    "log.dir",
    "metadata.log.dir",
    "min.insync.replicas",
    "node.id",
    "process.roles",
    "sasl.",
    "security.",
    "super.users",
    "unclean.leader.election.enable",
];

/// The longest name of a setting; Kafka's own longest is about half of it.
const MAX_SETTING: usize = 128;

/// Checks `config`: each is one line, and none of them is the operator's.
pub(super) fn check(spec: &GamePipelineSpec, findings: &mut Vec<Finding>) {
    let config = spec.kafka.managed.iter().flat_map(|kafka| &kafka.config);
    for (name, value) in config {
        let is_name = name.len() <= MAX_SETTING
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|letter| {
                letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.'
            });
        let message = if !is_name || value.contains(['\n', '\r']) {
            "a setting is one line, with a name such as log.segment.bytes"
        } else if OWNED.iter().any(|owned| name.starts_with(owned)) {
            "the operator sets this itself; leave it out"
        } else {
            continue;
        };
        findings.push(Finding::new(
            Reason::SpecInvalid,
            format!("spec.kafka.managed.config.{name}"),
            message,
        ));
    }
}

/// How many brokers there are to be: as many as the spec says, or as there are when fewer were not allowed. Partitions live on brokers, and nothing moves
/// them off one that goes.
pub(super) fn brokers(
    pipeline: &GamePipeline,
    observed: &Observed,
    held: &mut Vec<Finding>,
) -> i32 {
    let Some(managed) = &pipeline.spec.kafka.managed else {
        return 0;
    };
    let (wanted, there) = (managed.brokers, observed.brokers.unwrap_or_default());
    let allowed = pipeline
        .annotations()
        .get(ALLOW_BROKER_REMOVAL)
        .is_some_and(|number| *number == wanted.to_string());
    if wanted >= there || allowed {
        return wanted;
    }
    held.push(Finding::new(
        Reason::BrokerRemovalBlocked,
        "spec.kafka.managed.brokers",
        format!(
            "there are {there} brokers, and events on those above {wanted} would be lost: move their partitions away \
             (kafka-reassign-partitions.sh), then set the annotation {ALLOW_BROKER_REMOVAL}: \"{wanted}\"; until then all {there} stay"
        ),
    ));
    there
}
