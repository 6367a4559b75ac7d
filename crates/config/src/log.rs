//! The event log's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kafka::KafkaConfig;

/// Settings of the event log: of the embedded one, and of the one in Kafka.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LogConfig {
    /// The embedded log's directory.
    pub path: String,
    /// How many partitions a new log gets. An existing log keeps what it has.
    pub partitions: u32,
    /// Landed records are kept at least this long, in seconds.
    pub retention_seconds: u64,
    /// Landed records beyond this size are removed, oldest first, in bytes.
    pub retention_bytes: u64,
    /// Appends to the embedded log are refused when it has grown to this size with nothing landed to remove, in bytes.
    pub max_bytes: u64,
    /// How long a client's event id is remembered, in seconds.
    pub dedupe_seconds: u64,
    /// How much memory the embedded log may use for its block cache, in bytes.
    pub cache_bytes: u64,
    /// The log in Kafka, for processes that share one.
    pub kafka: KafkaConfig,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            partitions: 12,
            retention_seconds: 7 * 24 * 3600,
            retention_bytes: 4 << 30,
            // Half an hour of 100,000 events/s at 300 bytes that nobody lands.
            max_bytes: 50 << 30,
            dedupe_seconds: 24 * 3600,
            cache_bytes: 32 << 20,
            kafka: KafkaConfig::default(),
        }
    }
}
