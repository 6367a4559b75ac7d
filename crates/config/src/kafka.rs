//! Settings of the event log in Kafka.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where Kafka is, how to sign in, and which topic is the log.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct KafkaConfig {
    /// Brokers to begin with: `host:port`, several with commas. Empty: there is no Kafka.
    pub bootstrap_servers: String,
    /// The topic that is the log. Empty: that of the game's definition. A second topic, `<topic>.meta`, keeps the log's generation and the
    /// relay's position.
    pub topic: String,
    /// Make the topics when they are not there. Without it their absence is an error.
    pub create: bool,
    /// How many copies of a new topic's data Kafka keeps; 0: what the brokers have as their default.
    pub replication_factor: u16,
    /// How the brokers are spoken to.
    pub security_protocol: SecurityProtocol,
    /// How to sign in, with `saslPlaintext` and `saslSsl`.
    pub sasl_mechanism: SaslMechanism,
    /// The user's name.
    pub username: String,
    /// The user's password.
    pub password: String,
    /// A PEM file with the certificates of the authorities that sign the brokers' certificates; empty: the system's.
    pub ca_file: String,
    /// A PEM file with this client's certificate, for brokers that ask for one.
    pub certificate_file: String,
    /// A PEM file with the key of that certificate.
    pub key_file: String,
    /// The streamers' consumer group. Empty: `<topic>.landing`.
    pub group: String,
    /// A member of a group that is silent for this long has its partitions given to others, in milliseconds.
    pub session_timeout_ms: u64,
    /// How long a request waits for Kafka, in milliseconds. After that its outcome is open.
    pub timeout_ms: u64,
    /// How much of the log a reader holds before it is asked for, in bytes, for all partitions together.
    pub prefetch_bytes: usize,
}

impl Default for KafkaConfig {
    fn default() -> Self {
        Self {
            bootstrap_servers: String::new(),
            topic: String::new(),
            create: true,
            replication_factor: 0,
            security_protocol: SecurityProtocol::Plaintext,
            sasl_mechanism: SaslMechanism::ScramSha512,
            username: String::new(),
            password: String::new(),
            ca_file: String::new(),
            certificate_file: String::new(),
            key_file: String::new(),
            group: String::new(),
            session_timeout_ms: 10_000,
            timeout_ms: 5000,
            prefetch_bytes: 16 << 20,
        }
    }
}

impl fmt::Debug for KafkaConfig {
    /// Without the password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("KafkaConfig")
            .field("bootstrap_servers", &self.bootstrap_servers)
            .field("topic", &self.topic)
            .field("security_protocol", &self.security_protocol)
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// Encryption and sign-in, by Kafka's own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SecurityProtocol {
    /// Neither.
    Plaintext,
    /// TLS.
    Ssl,
    /// Sign-in without encryption.
    SaslPlaintext,
    /// Sign-in over TLS.
    SaslSsl,
}

/// How a client signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SaslMechanism {
    /// The password as it is: only over TLS.
    Plain,
    /// Without sending the password.
    ScramSha256,
    /// The same with a longer hash.
    ScramSha512,
}
