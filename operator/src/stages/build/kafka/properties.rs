//! `server.properties` of brokers and controllers, without what only a pod knows (its node id, its name) and without secrets: `start.sh` adds those.

use super::{CLIENT_PORT, CONTROLLER_PORT, INTERNAL_PORT};
use crate::crd::kafka::ManagedKafka;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// Node ids of controllers begin here, so that a broker's id is its ordinal: there are fewer than 100 brokers.
pub(super) const FIRST_CONTROLLER: i32 = 1000;

/// Where `start.sh` puts the key and the certificate of brokers in one file, as Kafka wants them.
const KEY_STORE: &str = "/tmp/client.pem";

/// A broker's properties.
pub(super) fn broker(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> String {
    let copies = kafka.replication_factor;
    let in_sync = kafka.min_in_sync();
    let mut lines = vec![
        "process.roles=broker".to_owned(),
        format!("listeners=CLIENT://:{CLIENT_PORT},INTERNAL://:{INTERNAL_PORT}"),
        "inter.broker.listener.name=INTERNAL".to_owned(),
        "sasl.mechanism.inter.broker.protocol=PLAIN".to_owned(),
        "listener.name.internal.sasl.enabled.mechanisms=PLAIN".to_owned(),
        "listener.name.client.sasl.enabled.mechanisms=SCRAM-SHA-512".to_owned(),
        "listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;".to_owned(),
        // Topics are made on purpose: one that is made by a slip would have neither copies nor partitions as it should.
        "auto.create.topics.enable=false".to_owned(),
        // A broker that lagged never becomes leader: acknowledged events would be gone.
        "unclean.leader.election.enable=false".to_owned(),
        format!("num.partitions={}", pipeline.spec.kafka.topic.partitions),
        format!("default.replication.factor={copies}"),
        format!("min.insync.replicas={in_sync}"),
        format!("offsets.topic.replication.factor={copies}"),
        format!("transaction.state.log.replication.factor={copies}"),
        format!("transaction.state.log.min.isr={in_sync}"),
        format!("share.coordinator.state.topic.replication.factor={copies}"),
        format!("share.coordinator.state.topic.min.isr={in_sync}"),
        // Moves leaders away before it stops: the drain.
        "controlled.shutdown.enable=true".to_owned(),
    ];
    if kafka.tls_secret.is_some() {
        lines.push("listener.name.client.ssl.keystore.type=PEM".to_owned());
        lines.push(format!(
            "listener.name.client.ssl.keystore.location={KEY_STORE}"
        ));
    }
    lines.extend(common(pipeline, kafka));
    lines.extend(
        kafka
            .config
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    lines.join("\n") + "\n"
}

/// A controller's properties.
pub(super) fn controller(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> String {
    let mut lines = vec![
        "process.roles=controller".to_owned(),
        format!("listeners=CONTROLLER://:{CONTROLLER_PORT}"),
    ];
    lines.extend(common(pipeline, kafka));
    lines.join("\n") + "\n"
}

/// What both have.
fn common(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> Vec<String> {
    vec![
        "log.dirs=/var/lib/kafka/data/log".to_owned(),
        "controller.listener.names=CONTROLLER".to_owned(),
        format!("controller.quorum.voters={}", voters(pipeline, kafka)),
        "sasl.mechanism.controller.protocol=PLAIN".to_owned(),
        "listener.name.controller.sasl.enabled.mechanisms=PLAIN".to_owned(),
        format!(
            "listener.security.protocol.map=CONTROLLER:SASL_PLAINTEXT,INTERNAL:SASL_PLAINTEXT,CLIENT:{}",
            if kafka.tls_secret.is_some() {
                "SASL_SSL"
            } else {
                "SASL_PLAINTEXT"
            }
        ),
    ]
}

/// `id@host:port` of every controller.
fn voters(pipeline: &ValidatedPipeline, kafka: &ManagedKafka) -> String {
    let name = pipeline.child(Component::KafkaController.as_str());
    let voters: Vec<String> = (0..kafka.controllers.replicas)
        .map(|ordinal| {
            let (id, namespace) = (FIRST_CONTROLLER + ordinal, &pipeline.namespace);
            format!("{id}@{name}-{ordinal}.{name}.{namespace}.svc:{CONTROLLER_PORT}")
        })
        .collect();
    voters.join(",")
}
