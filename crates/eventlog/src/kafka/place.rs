//! Where the log is: settings that were looked at once, and what every client of the brokers is made from.

use std::time::Duration;

use gamepipe_config::kafka::{KafkaConfig, SaslMechanism, SecurityProtocol};
use gamepipe_config::log::LogConfig;
use gamepipe_service::clock::SharedClock;
use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;

use super::bootstrap;
use crate::log::LogError;

/// What Kafka allows in a topic's name, and how long it may be; ours gets [`META_SUFFIX`] besides.
const MAX_TOPIC_BYTES: usize = 249 - META_SUFFIX.len();

/// The topic of what is not events: the generation and the relay's position.
const META_SUFFIX: &str = ".meta";

/// The shortest time in which a broker may be asked to answer anything.
const MIN_TIMEOUT_MS: u64 = 100;

/// A member is silent for this long at least before its work is given away: the brokers' own lower limit is 6 s.
const MIN_SESSION_MS: u64 = 6000;

/// How often a member tells its group that it is there. Its answer is how it learns that partitions are given anew, and each
/// such round lasts until the last member has learnt of it.
const HEARTBEAT_MS: u32 = 300;

/// Where the log is.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) servers: String,
    pub(super) topic: String,
    pub(super) meta: String,
    pub(super) group: String,
    pub(super) timeout: Duration,
    pub(super) session_timeout: Duration,
    pub(super) prefetch_bytes: usize,
    pub(super) retention_seconds: u64,
    pub(super) retention_bytes: u64,
    pub(super) clock: SharedClock,
    client: ClientConfig,
}

impl Place {
    /// Takes the settings; `default_topic` is the topic when they name none.
    pub(super) fn new(
        config: &LogConfig,
        default_topic: &str,
        clock: SharedClock,
    ) -> Result<Self, LogError> {
        let kafka = &config.kafka;
        let invalid = |text: &str| Err(LogError::Invalid(text.to_owned()));
        if kafka.bootstrap_servers.trim().is_empty() {
            return invalid(
                "log.kafka.bootstrapServers is empty: where are the brokers? (host:port, several with commas)",
            );
        }
        let topic = match kafka.topic.as_str() {
            "" => default_topic,
            topic => topic,
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if topic.is_empty() || topic.len() > MAX_TOPIC_BYTES || !topic.bytes().all(is_plain) {
            return invalid(&format!(
                "log.kafka.topic {topic:?} can't be a topic: 1 to {MAX_TOPIC_BYTES} letters, digits, dots, dashes and underscores"
            ));
        }
        let group = match kafka.group.as_str() {
            "" => format!("{topic}.landing"),
            group => group.to_owned(),
        };
        Ok(Self {
            servers: kafka.bootstrap_servers.trim().to_owned(),
            topic: topic.to_owned(),
            meta: format!("{topic}{META_SUFFIX}"),
            group,
            timeout: Duration::from_millis(kafka.timeout_ms.max(MIN_TIMEOUT_MS)),
            session_timeout: Duration::from_millis(kafka.session_timeout_ms.max(MIN_SESSION_MS)),
            prefetch_bytes: kafka.prefetch_bytes,
            retention_seconds: config.retention_seconds,
            retention_bytes: config.retention_bytes,
            clock,
            client: client(kafka)?,
        })
    }

    /// What every client needs; the caller adds what it is for.
    pub(super) fn client(&self) -> ClientConfig {
        self.client.clone()
    }

    /// A consumer that is given its partitions and sees only what is committed.
    pub(super) fn consumer(&self) -> ClientConfig {
        let mut config = self.client();
        config
            // Needed to be given partitions. It joins nothing.
            .set("group.id", &self.group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "error")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true");
        config
    }

    /// A member of a group, which fetches nothing.
    pub(super) fn member(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        let session = self.session_timeout.as_millis();
        config
            .set("group.id", group)
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("auto.offset.reset", "latest")
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", session.to_string())
            .set("heartbeat.interval.ms", HEARTBEAT_MS.to_string())
            // Until it is paused, a partition that it is given is fetched; that much and no more.
            .set("fetch.message.max.bytes", "1")
            .set("queued.min.messages", "1")
            .set("queued.max.messages.kbytes", "1");
        config
    }

    /// What a few questions take at most. See [`super::blocking::blocking`].
    pub(super) fn patience(&self) -> Duration {
        self.timeout * 4
    }

    /// Milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> i64 {
        self.clock.now_micros().div_euclid(1000)
    }

    /// How errors name the log.
    pub(super) fn name(&self) -> String {
        format!("Kafka at {}", self.servers)
    }
}

fn client(kafka: &KafkaConfig) -> Result<ClientConfig, LogError> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", kafka.bootstrap_servers.trim())
        .set("client.id", "gamepipe")
        .set("allow.auto.create.topics", "false")
        .set("socket.keepalive.enable", "true")
        // A broker that comes back is found within a second.
        .set("reconnect.backoff.ms", "50")
        .set("reconnect.backoff.max.ms", "1000")
        .set("retry.backoff.ms", "20")
        .set("topic.metadata.refresh.interval.ms", "30000")
        .set("statistics.interval.ms", bootstrap::TELLS_EVERY_MS)
        // Idle connections are closed by brokers; that is no news.
        .set("log.connection.close", "false")
        .set_log_level(RDKafkaLogLevel::Info);
    let (protocol, has_tls, has_password) = match kafka.security_protocol {
        SecurityProtocol::Plaintext => ("plaintext", false, false),
        SecurityProtocol::Ssl => ("ssl", true, false),
        SecurityProtocol::SaslPlaintext => ("sasl_plaintext", false, true),
        SecurityProtocol::SaslSsl => ("sasl_ssl", true, true),
    };
    config.set("security.protocol", protocol);
    if has_tls {
        // Without a file: the system's authorities, wherever this system has them.
        config.set(
            "ssl.ca.location",
            non_empty(&kafka.ca_file).unwrap_or("probe"),
        );
        if let Some(file) = non_empty(&kafka.certificate_file) {
            config.set("ssl.certificate.location", file);
        }
        if let Some(file) = non_empty(&kafka.key_file) {
            config.set("ssl.key.location", file);
        }
    }
    if has_password {
        if kafka.username.is_empty() || kafka.password.is_empty() {
            let text = "log.kafka.username and log.kafka.password are needed to sign in";
            return Err(LogError::Invalid(text.to_owned()));
        }
        let mechanism = match kafka.sasl_mechanism {
            SaslMechanism::Plain => "PLAIN",
            SaslMechanism::ScramSha256 => "SCRAM-SHA-256",
            SaslMechanism::ScramSha512 => "SCRAM-SHA-512",
        };
        config
            .set("sasl.mechanism", mechanism)
            .set("sasl.username", &kafka.username)
            .set("sasl.password", &kafka.password);
    }
    Ok(config)
}

fn non_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
