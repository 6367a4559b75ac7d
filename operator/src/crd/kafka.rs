//! `spec.kafka`: the event log, in a Kafka that the operator runs or in one that is there.

use std::collections::BTreeMap;

use gamepipe_config::kafka::{SaslMechanism, SecurityProtocol};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pods::{PodOptions, Resources};
use super::storage::Storage;

/// The event log. Give `managed` or `external`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.managed) != has(self.external)")
    .message("give exactly one of managed (the operator runs Kafka) and external (bootstrapServers of a Kafka that is there)"))]
#[x_kube(validation = Rule::new("has(self.managed) == has(oldSelf.managed)")
    .message("a log can't move between managed and external: events that have not landed would be lost; make a new GamePipeline for the other Kafka"))]
pub struct KafkaSpec {
    /// A Kafka cluster that the operator runs, for this pipeline alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedKafka>,
    /// A Kafka that is there: Strimzi's, a cloud's, your own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalKafka>,
    /// The topic that is the log.
    #[serde(default)]
    pub topic: TopicSpec,
}

/// The log's topic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)")
    .message("the topic can't be changed: events on the old one would never land; write the name that it has").field_path(".name"))]
pub struct TopicSpec {
    /// The topic's name; that of the game's definition when absent. A second topic, `<name>.meta`, belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = "^[a-zA-Z0-9._-]+$"))]
    pub name: Option<String>,
    /// How many partitions the topic gets when it is made: the most streamers that can land at once. Can't be changed: events of one
    /// entity keep their order only in one partition.
    #[serde(default = "TopicSpec::partitions")]
    #[schemars(range(min = 1, max = 1000))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("partitions can't be changed: events of one entity would lose their order; write the number that the topic has"))]
    pub partitions: i32,
    /// Make the topics when they are not there. Turn it off where somebody else makes them.
    #[serde(default = "yes")]
    pub create: bool,
}

impl TopicSpec {
    fn partitions() -> i32 {
        12
    }
}

impl Default for TopicSpec {
    fn default() -> Self {
        Self {
            name: None,
            partitions: Self::partitions(),
            create: true,
        }
    }
}

fn yes() -> bool {
    true
}

/// A Kafka cluster (KRaft: without ZooKeeper) of brokers and controllers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.replicationFactor <= self.brokers")
    .message("replicationFactor must not be above brokers: each copy needs a broker of its own").field_path(".replicationFactor"))]
#[x_kube(validation = Rule::new("!has(self.minInSyncReplicas) || self.minInSyncReplicas <= self.replicationFactor")
    .message("minInSyncReplicas must not be above replicationFactor: nothing could be written").field_path(".minInSyncReplicas"))]
#[x_kube(validation = Rule::new("has(self.tlsSecret) == has(oldSelf.tlsSecret)")
    .message("tlsSecret can't be added or taken away: brokers and the roles would not understand each other until all have changed; name another Secret, or begin with a new pipeline"))]
pub struct ManagedKafka {
    /// The image, with the layout of `apache/kafka`; the operator's own choice when absent. Set it to decide yourself when Kafka is upgraded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// A Secret with the keys `tls.crt`, `tls.key` (PKCS #8) and `ca.crt`, as cert-manager makes them (`privateKey.encoding: PKCS8`): brokers then take clients
    /// over TLS alone. The certificate must be for `<name>-kafka` and for `*.<name>-kafka-nodes.<namespace>.svc`. Brokers among themselves sign in with
    /// passwords and are kept apart by policies. Whether there is one can't be changed; which one can, and restarts brokers and roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub tls_secret: Option<String>,
    /// How many brokers. May grow; fewer are refused by the operator until the annotation `gamepipe.dev/allow-broker-removal` says so.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 99))]
    pub brokers: i32,
    /// How many brokers hold each event. Can't be changed: topics keep what they were made with.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 9))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("replicationFactor can't be changed: topics that are there would keep the old one; write the number that they were made with"))]
    pub replication_factor: i32,
    /// How many brokers must have an event before it is acknowledged; one less than replicationFactor, and at least 1, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9))]
    pub min_in_sync_replicas: Option<i32>,
    /// The nodes that keep the cluster's own data. They hold no events.
    #[serde(default)]
    pub controllers: KafkaControllers,
    /// A volume for each broker.
    pub storage: Storage,
    /// More settings of the brokers, by Kafka's names, such as `log.segment.bytes: "1073741824"`. Those that the operator sets can't be replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::pods::texts")]
    pub config: BTreeMap<String, String>,
    /// What each broker gets. The heap is half of the memory limit; the rest is the page cache.
    #[serde(default = "ManagedKafka::resources")]
    pub resources: Resources,
    /// Where the brokers run.
    #[serde(default)]
    pub pods: PodOptions,
}

impl ManagedKafka {
    fn resources() -> Resources {
        Resources::usual("250m", "1Gi", "2Gi")
    }

    /// How many brokers must have an event before it is acknowledged.
    pub fn min_in_sync(&self) -> i32 {
        self.min_in_sync_replicas
            .unwrap_or_else(|| (self.replication_factor - 1).max(1))
    }
}

fn three() -> i32 {
    3
}

/// The controllers of a cluster: they elect and remember, brokers ask them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaControllers {
    /// How many: 3 bear the loss of one, 5 of two, 1 of none. Can't be changed.
    #[serde(default = "three")]
    #[schemars(range(min = 1, max = 5))]
    #[x_kube(validation = Rule::new("self % 2 == 1").message("controllers must be 1, 3 or 5: an even number bears no more losses than one less"))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the number of controllers can't be changed: their votes are fixed when the cluster is made; write the number that it has"))]
    pub replicas: i32,
    /// A volume for each controller.
    #[serde(default = "KafkaControllers::storage")]
    pub storage: Storage,
    /// What each controller gets.
    #[serde(default = "KafkaControllers::resources")]
    pub resources: Resources,
    /// Where the controllers run.
    #[serde(default)]
    pub pods: PodOptions,
}

impl KafkaControllers {
    fn storage() -> Storage {
        Storage::of("2Gi")
    }

    fn resources() -> Resources {
        Resources::usual("100m", "384Mi", "768Mi")
    }
}

impl Default for KafkaControllers {
    fn default() -> Self {
        Self {
            replicas: three(),
            storage: Self::storage(),
            resources: Self::resources(),
            pods: PodOptions::default(),
        }
    }
}

/// A Kafka that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.securityProtocol in ['saslPlaintext', 'saslSsl']) == has(self.credentialsSecret)")
    .message("credentialsSecret goes with securityProtocol saslPlaintext or saslSsl, and they with it"))]
#[x_kube(validation = Rule::new("self.securityProtocol in ['ssl', 'saslSsl'] || (!has(self.caSecret) && !has(self.certificateSecret))")
    .message("caSecret and certificateSecret are for TLS: set securityProtocol to ssl or saslSsl, or leave them out"))]
#[x_kube(validation = Rule::new("self.saslMechanism != 'plain' || self.securityProtocol != 'saslPlaintext'")
    .message("the mechanism plain sends the password as it is: use securityProtocol saslSsl, or saslMechanism scramSha512").field_path(".saslMechanism"))]
pub struct ExternalKafka {
    /// Brokers to begin with: `host:port`, several with commas.
    #[schemars(
        length(min = 3, max = 2048),
        regex(pattern = "^[^\\s,:]+:[0-9]{1,5}(,[^\\s,:]+:[0-9]{1,5})*$")
    )]
    pub bootstrap_servers: String,
    /// Encryption and sign-in: `plaintext` (neither), `ssl`, `saslPlaintext` (sign-in without encryption), `saslSsl`.
    #[serde(default = "ExternalKafka::security_protocol")]
    pub security_protocol: SecurityProtocol,
    /// How to sign in: `scramSha512`, `scramSha256`, or `plain` (over TLS only).
    #[serde(default = "ExternalKafka::sasl_mechanism")]
    pub sasl_mechanism: SaslMechanism,
    /// A Secret with the keys `username` and `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
    /// A Secret whose key `ca.crt` holds the certificates of the authorities that sign the brokers' (Strimzi: `<cluster>-cluster-ca-cert`); the
    /// system's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub ca_secret: Option<String>,
    /// A Secret of type `kubernetes.io/tls` (keys `tls.crt`, `tls.key`) for brokers that ask for a client's certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub certificate_secret: Option<String>,
    /// How many brokers hold each event of topics that gamepipe makes; what the brokers have as their default when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 9))]
    pub replication_factor: Option<i32>,
}

impl ExternalKafka {
    fn security_protocol() -> SecurityProtocol {
        SecurityProtocol::Plaintext
    }

    fn sasl_mechanism() -> SaslMechanism {
        SaslMechanism::ScramSha512
    }
}
