//! A managed Kafka: a StatefulSet of controllers and one of brokers (KRaft), in the layout of the official image `apache/kafka`.
//!
//! Node ids follow from ordinals: broker 0 is `<name>-kafka-0`, controller 1000 is `<name>-kafka-controller-0`. Clients sign in with SCRAM; brokers and
//! controllers sign in to one another with a password of their own. Nothing secret is in a ConfigMap: the start script adds it from the environment.

mod nodes;
mod properties;
pub(super) mod secret;

use k8s_openapi::api::core::v1::ConfigMap;

use super::labels::meta;
use super::{disruption, service};
use crate::crd::kafka::ManagedKafka;
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// Where clients connect.
pub(super) const CLIENT_PORT: i32 = 9092;
/// Where brokers connect to one another.
pub(super) const INTERNAL_PORT: i32 = 9091;
/// Where brokers and controllers connect to controllers.
pub(super) const CONTROLLER_PORT: i32 = 9093;
/// The suffix of the Service that names the brokers' pods.
const NODES: &str = "kafka-nodes";
/// The user with which the roles sign in.
pub(super) const USER: &str = "gamepipe";

/// Kafka's objects.
pub(super) fn build(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> Vec<Child> {
    let (controller, broker) = (Component::KafkaController, Component::Kafka);
    let controllers = nodes::controllers(pipeline, kafka);
    let brokers = nodes::brokers(pipeline, kafka);
    let controller_port = [("controller", CONTROLLER_PORT)];
    let broker_ports = [("kafka", CLIENT_PORT), ("internal", INTERNAL_PORT)];
    vec![
        config_map(pipeline, controller, &controllers).into(),
        config_map(pipeline, broker, &brokers).into(),
        service::of_nodes(pipeline, controller, controller.as_str(), &controller_port).into(),
        service::of_nodes(pipeline, broker, NODES, &broker_ports).into(),
        service::of_component(pipeline, broker, &[("kafka", CLIENT_PORT)]).into(),
        disruption::build(pipeline, controller).into(),
        disruption::build(pipeline, broker).into(),
        nodes::stateful_set(pipeline, controllers).into(),
        nodes::stateful_set(pipeline, brokers).into(),
    ]
}

fn config_map(
    pipeline: &ValidatedPipeline,
    component: Component,
    nodes: &nodes::Nodes<'_>,
) -> ConfigMap {
    ConfigMap {
        metadata: meta(pipeline, component, component.as_str()),
        data: Some(nodes.files.clone()),
        ..ConfigMap::default()
    }
}

/// Where the roles connect.
pub(super) fn bootstrap(pipeline: &ValidatedPipeline) -> String {
    format!(
        "{}:{CLIENT_PORT}",
        pipeline.child(Component::Kafka.as_str())
    )
}
