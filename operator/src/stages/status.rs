//! What the resource's status says. Pure: the same findings give the same bytes, and the time is only that of a condition that changed.

mod components;
mod conditions;

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::core::ResourceExt;

use super::children::{Applied, Child, Children};
use super::component::Component;
use super::failure::Failure;
use super::validated::Finding;
use crate::crd::GamePipeline;
use crate::crd::status::{Endpoints, GamePipelineStatus, GameRollout};

pub use conditions::condition;

/// How far a pass came, and what it found. A pass that ends early leaves the rest as it is by default.
#[derive(Debug, Default)]
pub struct Report {
    /// The annotation says that nothing may be changed.
    pub paused: bool,
    /// Whether the spec and the Game can be carried out; none when that was not found out.
    pub verdict: Option<Verdict>,
    /// The children as the API server has them; none when they were not read.
    pub children: Option<Children<Applied>>,
    /// What could not be done.
    pub failures: Vec<Failure>,
    /// What keeps pods of a component from becoming ready.
    pub trouble: BTreeMap<Component, String>,
    /// The id of the Kafka cluster, if it was read.
    pub kafka_cluster_id: Option<String>,
    /// How many events have not landed, if that was looked at.
    pub lag: Option<String>,
}

/// Whether a spec can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of it, but for what is held back.
    Valid(Vec<Finding>),
    /// Not at all.
    Invalid(Vec<Finding>),
}

impl Report {
    /// What the spec says and what is not carried out.
    pub fn findings(&self) -> &[Finding] {
        match &self.verdict {
            Some(Verdict::Valid(findings) | Verdict::Invalid(findings)) => findings,
            None => &[],
        }
    }
}

/// The status after a pass. `now` is when.
pub fn compute(
    pipeline: &GamePipeline,
    before: &GamePipelineStatus,
    report: &Report,
    now: &Time,
) -> GamePipelineStatus {
    let mut status = before.clone();
    status.observed_generation = pipeline.metadata.generation;
    if let Some(children) = &report.children {
        status.components = components::all(children);
        status.endpoints = endpoints(pipeline, children, &before.endpoints);
        status.game = game(children);
        let api = children.deployment(Component::Api);
        status.api_replicas = api.and_then(|api| api.status.as_ref()?.replicas);
        status.selector = api.and_then(|api| {
            let labels = api.spec.selector.match_labels.as_ref()?;
            let pairs: Vec<String> = labels
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            Some(pairs.join(","))
        });
    }
    status.kafka_cluster_id = report.kafka_cluster_id.clone().or(status.kafka_cluster_id);
    status.lag = report.lag.clone().or(status.lag);
    status.conditions = conditions::all(pipeline, before, report, now);
    status
}

/// Where things are: read off the Services. What was not applied in this pass is where it was.
fn endpoints(
    pipeline: &GamePipeline,
    children: &Children<Applied>,
    before: &Endpoints,
) -> Endpoints {
    let address = |component: Component| {
        let found = children.objects().iter().find_map(|child| match child {
            Child::Service(service) if child.component() == Some(component) => {
                let spec = service.spec.as_ref()?;
                // The Service that only names the pods has no address of its own.
                let is_found = spec.cluster_ip.as_deref() != Some("None");
                is_found.then_some((service.name_any(), spec.ports.as_ref()?.first()?.port))
            }
            _ => None,
        });
        let namespace = pipeline.namespace().unwrap_or_default();
        found.map(|(name, port)| format!("{name}.{namespace}.svc:{port}"))
    };
    let http = |component| address(component).map(|address| format!("http://{address}"));
    let external = pipeline.spec.kafka.external.as_ref();
    let kafka = external.map(|kafka| kafka.bootstrap_servers.clone());
    Endpoints {
        api: http(Component::Api).or_else(|| before.api.clone()),
        sql: http(Component::Sql).or_else(|| before.sql.clone()),
        kafka: kafka
            .or_else(|| address(Component::Kafka))
            .or_else(|| before.kafka.clone()),
    }
}

/// Which definition each role has.
fn game(children: &Children<Applied>) -> GameRollout {
    let version = |component| components::game_version(children.deployment(component)?);
    GameRollout {
        streamer: version(Component::Streamer),
        serving: version(Component::Api).or_else(|| version(Component::Sql)),
    }
}

#[cfg(test)]
mod tests;
