//! The StatefulSets of controllers and brokers.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, ExecAction, Lifecycle, LifecycleHandler, Probe, SleepAction,
    TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::properties::{self, FIRST_CONTROLLER};
use super::secret::{CLUSTER_ID, INTERNAL_PASSWORD, PASSWORD};
use super::{CLIENT_PORT, CONTROLLER_PORT, INTERNAL_PORT, NODES};
use crate::crd::kafka::ManagedKafka;
use crate::crd::pods::{PodOptions, Resources};
use crate::crd::storage::Storage;
use crate::stages::build::hash::Mounted;
use crate::stages::build::labels::{matching, meta, selector};
use crate::stages::build::lake::{claim, retention};
use crate::stages::build::pod::{
    Pods, config_volume, from_field, from_secret, mount, resources, scratch_volume, some_of_secret,
    variable,
};
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The user of the official image.
const USER: i64 = 1000;

/// What brokers use of the Secret for TLS.
const TLS_KEYS: [&str; 2] = ["tls.crt", "tls.key"];

/// How long a controller goes on when it is told to end. Brokers ask a controller before they end: when a whole pipeline is deleted and controllers go
/// first, each broker waits for one in vain until it is killed, and has to look through its log when it comes back.
const LINGER_SECONDS: i64 = 10;

/// One of the two kinds of nodes.
pub(super) struct Nodes<'a> {
    component: Component,
    replicas: i32,
    /// The mounted files.
    pub(super) files: BTreeMap<String, String>,
    storage: &'a Storage,
    resources: &'a Resources,
    pods: &'a PodOptions,
    /// The suffix of the Service that names the pods.
    service: &'static str,
    variables: Vec<EnvVar>,
    ports: Vec<(&'static str, i32)>,
    readiness: Probe,
    /// The port that is open from the end of the start to the end of the process.
    alive: &'static str,
    lifecycle: Option<Lifecycle>,
    /// The Secret with key and certificate for clients.
    tls: Option<&'a str>,
    image: &'a str,
}

/// The controllers.
pub(super) fn controllers<'a>(
    pipeline: &'a ValidatedPipeline,
    kafka: &'a ManagedKafka,
) -> Nodes<'a> {
    let secret = pipeline.child(Component::Kafka.as_str());
    let spec = &kafka.controllers;
    Nodes {
        component: Component::KafkaController,
        replicas: spec.replicas,
        files: files(properties::controller(pipeline, kafka)),
        storage: &spec.storage,
        resources: &spec.resources,
        pods: &spec.pods,
        service: Component::KafkaController.as_str(),
        variables: vec![
            variable("KAFKA_ROLE", "controller"),
            variable("FIRST_NODE_ID", &FIRST_CONTROLLER.to_string()),
            from_secret("CLIENT_PASSWORD", &secret, PASSWORD, false),
        ],
        ports: vec![("controller", CONTROLLER_PORT)],
        readiness: tcp_probe("controller", 5, 3),
        alive: "controller",
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction {
                    seconds: LINGER_SECONDS,
                }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        tls: None,
        image: image(pipeline, kafka),
    }
}

/// The brokers.
pub(super) fn brokers<'a>(pipeline: &'a ValidatedPipeline, kafka: &'a ManagedKafka) -> Nodes<'a> {
    let nodes = format!("{}.{}.svc", pipeline.child(NODES), pipeline.namespace);
    let mut files = files(properties::broker(pipeline, kafka));
    files.insert("ready.sh".to_owned(), include_str!("ready.sh").to_owned());
    Nodes {
        component: Component::Kafka,
        replicas: pipeline.brokers,
        files,
        storage: &kafka.storage,
        resources: &kafka.resources,
        pods: &kafka.pods,
        service: NODES,
        variables: vec![
            variable("KAFKA_ROLE", "broker"),
            variable("FIRST_NODE_ID", "0"),
            variable("NODES_SERVICE", &nodes),
            from_field("ZONE", "metadata.labels['topology.kubernetes.io/zone']"),
        ],
        ports: vec![("kafka", CLIENT_PORT), ("internal", INTERNAL_PORT)],
        readiness: Probe {
            exec: Some(ExecAction {
                command: Some(
                    ["bash", "/etc/gamepipe-kafka/ready.sh"]
                        .map(str::to_owned)
                        .into(),
                ),
            }),
            period_seconds: Some(5),
            // Kafka's tool starts a JVM, until the broker has joined.
            timeout_seconds: Some(25),
            failure_threshold: Some(3),
            ..Probe::default()
        },
        alive: "internal",
        lifecycle: None,
        tls: kafka.tls_secret.as_deref(),
        image: image(pipeline, kafka),
    }
}

fn image<'a>(pipeline: &'a ValidatedPipeline, kafka: &'a ManagedKafka) -> &'a str {
    kafka
        .image
        .as_ref()
        .unwrap_or(&pipeline.platform.kafka_image)
}

fn files(properties: String) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("server.properties".to_owned(), properties),
        ("start.sh".to_owned(), include_str!("start.sh").to_owned()),
        (
            "log4j2.yaml".to_owned(),
            include_str!("log4j2.yaml").to_owned(),
        ),
    ])
}

fn tcp_probe(port: &str, period: i32, failures: i32) -> Probe {
    Probe {
        tcp_socket: Some(TCPSocketAction {
            port: IntOrString::String(port.to_owned()),
            ..TCPSocketAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(3),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A StatefulSet: all pods start at once, for a quorum needs more than the first, and are replaced one by one, each when the one before is ready.
pub(super) fn stateful_set(pipeline: &ValidatedPipeline, nodes: Nodes<'_>) -> StatefulSet {
    let component = nodes.component;
    let mut mounted = Mounted::default();
    mounted.files("config", &nodes.files);
    let mut volumes = vec![
        config_volume("config", pipeline.child(component.as_str())),
        scratch_volume("tmp", "256Mi".to_owned()),
    ];
    if let Some(secret) = nodes.tls {
        volumes.push(some_of_secret("tls", secret, &TLS_KEYS));
        for key in TLS_KEYS {
            mounted.secret(pipeline, secret, key);
        }
    }
    let template = Pods {
        pipeline,
        component,
        options: nodes.pods,
        account: Component::Kafka.as_str(),
        user: USER,
        container: container(pipeline, &nodes),
        volumes,
        mounted,
        annotations: BTreeMap::new(),
        // Moving leaders away and closing the log.
        grace_seconds: 120,
    }
    .template();
    StatefulSet {
        metadata: meta(pipeline, component, component.as_str()),
        spec: StatefulSetSpec {
            // A controller is ready when it listens; ten seconds more let it catch up before the next one goes.
            min_ready_seconds: Some(10),
            persistent_volume_claim_retention_policy: Some(retention(nodes.storage)),
            pod_management_policy: Some("Parallel".to_owned()),
            replicas: Some(nodes.replicas),
            selector: matching(selector(pipeline, component)),
            service_name: Some(pipeline.child(nodes.service)),
            template,
            volume_claim_templates: Some(vec![claim(
                pipeline,
                component,
                "data",
                nodes.storage,
                "ReadWriteOnce",
            )]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn container(pipeline: &ValidatedPipeline, nodes: &Nodes<'_>) -> Container {
    let secret = pipeline.child(Component::Kafka.as_str());
    let mut variables = vec![
        from_field("POD_NAME", "metadata.name"),
        from_secret("CLUSTER_ID", &secret, CLUSTER_ID, false),
        from_secret("INTERNAL_PASSWORD", &secret, INTERNAL_PASSWORD, false),
        // Half for the heap; the page cache is what makes Kafka fast.
        variable(
            "KAFKA_HEAP_OPTS",
            "-XX:InitialRAMPercentage=25 -XX:MaxRAMPercentage=50",
        ),
        variable(
            "KAFKA_LOG4J_OPTS",
            "-Dlog4j2.configurationFile=/etc/gamepipe-kafka/log4j2.yaml",
        ),
        // Kafka's scripts would write to their own folder, which is read-only here.
        variable("LOG_DIR", "/tmp/logs"),
        variable("EXTRA_ARGS", "-name kafkaServer"),
    ];
    variables.extend(nodes.variables.iter().cloned());
    let mut mounts = vec![
        mount("config", "/etc/gamepipe-kafka", true),
        mount("data", "/var/lib/kafka/data", false),
        mount("tmp", "/tmp", false),
    ];
    if nodes.tls.is_some() {
        mounts.push(mount("tls", "/etc/gamepipe-kafka-tls", true));
    }
    let ports = nodes.ports.iter().map(|(name, port)| ContainerPort {
        name: Some((*name).to_owned()),
        container_port: *port,
        ..ContainerPort::default()
    });
    Container {
        name: "kafka".to_owned(),
        image: Some(nodes.image.to_owned()),
        command: Some(
            ["bash", "/etc/gamepipe-kafka/start.sh"]
                .map(str::to_owned)
                .into(),
        ),
        env: Some(variables),
        ports: Some(ports.collect()),
        readiness_probe: Some(nodes.readiness.clone()),
        lifecycle: nodes.lifecycle.clone(),
        // Recovery after a crash, or a JVM on a busy node, may take minutes, and the port is closed meanwhile.
        startup_probe: Some(tcp_probe(nodes.alive, 10, 60)),
        liveness_probe: Some(tcp_probe(nodes.alive, 10, 6)),
        resources: resources(nodes.resources),
        volume_mounts: Some(mounts),
        ..Container::default()
    }
}
