//! NetworkPolicies: who may connect to a component. What pods may connect to is left open: buckets and Kafkas are anywhere.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort,
    NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::kafka::{CLIENT_PORT, CONTROLLER_PORT, INTERNAL_PORT};
use super::labels::{matching, meta, selector};
use super::redis;
use super::settings::{API_PORT, SQL_PORT, STREAMER_PORT};
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// Who may connect to which port.
struct Door<'a> {
    port: i32,
    /// Components of this pipeline.
    ours: &'a [Component],
    /// Others, as the spec names them.
    others: &'a [NetworkPolicyPeer],
    /// True when no others named means everybody.
    open: bool,
}

/// A policy for each component.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    use Component::{Api, Kafka, KafkaController, Redis, Sql, Streamer};
    let spec = &pipeline.spec.network_policy;
    if !spec.enabled {
        return Vec::new();
    }
    let open = |port, others| Door {
        port,
        ours: &[],
        others,
        open: true,
    };
    let ours = |port, ours| Door {
        port,
        ours,
        others: &[],
        open: false,
    };
    let mut policies = vec![
        policy(pipeline, Api, &[open(API_PORT, &spec.api_from)]),
        policy(pipeline, Sql, &[open(SQL_PORT, &spec.sql_from)]),
        policy(
            pipeline,
            Streamer,
            &[open(STREAMER_PORT, &spec.metrics_from)],
        ),
    ];
    if pipeline.spec.kafka.managed.is_some() {
        let clients = Door {
            others: &spec.kafka_from,
            ..ours(CLIENT_PORT, &[Api, Streamer])
        };
        policies.push(policy(
            pipeline,
            Kafka,
            &[clients, ours(INTERNAL_PORT, &[Kafka])],
        ));
        policies.push(policy(
            pipeline,
            KafkaController,
            &[ours(CONTROLLER_PORT, &[Kafka, KafkaController])],
        ));
    }
    if pipeline.spec.redis.managed.is_some() {
        policies.push(policy(pipeline, Redis, &[ours(redis::PORT, &[Api])]));
    }
    policies
}

fn policy(pipeline: &ValidatedPipeline, component: Component, doors: &[Door<'_>]) -> Child {
    NetworkPolicy {
        metadata: meta(pipeline, component, component.as_str()),
        spec: Some(NetworkPolicySpec {
            ingress: Some(doors.iter().map(|door| rule(pipeline, door)).collect()),
            pod_selector: Some(matching(selector(pipeline, component))),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ..NetworkPolicySpec::default()
        }),
    }
    .into()
}

fn rule(pipeline: &ValidatedPipeline, door: &Door<'_>) -> NetworkPolicyIngressRule {
    let mut peers: Vec<NetworkPolicyPeer> = door
        .ours
        .iter()
        .map(|component| peer(selector(pipeline, *component)))
        .collect();
    peers.extend(door.others.iter().cloned());
    NetworkPolicyIngressRule {
        // A rule without peers lets everybody in.
        from: (!(door.open && peers.is_empty())).then_some(peers),
        ports: Some(vec![NetworkPolicyPort {
            port: Some(IntOrString::Int(door.port)),
            protocol: Some("TCP".to_owned()),
            ..NetworkPolicyPort::default()
        }]),
    }
}

fn peer(labels: BTreeMap<String, String>) -> NetworkPolicyPeer {
    NetworkPolicyPeer {
        pod_selector: Some(matching(labels)),
        ..NetworkPolicyPeer::default()
    }
}
