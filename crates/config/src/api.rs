//! The API's settings.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the role `api`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Where it listens.
    pub listen: String,
    /// The largest request body in bytes, as sent.
    pub max_body_bytes: usize,
    /// The largest request body in bytes after decompression.
    pub max_decompressed_bytes: usize,
    /// The most events in one request to `/v1/events`.
    pub max_batch_events: usize,
    /// The largest event in bytes.
    pub max_event_bytes: usize,
    /// How many requests are worked on at once; more get 503 with `Retry-After`.
    pub max_in_flight: usize,
    /// How many bytes of request bodies, decompressed, are held at once; more get 503 with `Retry-After`.
    pub max_body_bytes_in_flight: usize,
    /// How many connections may be open at once; more wait.
    pub max_connections: usize,
    /// The largest request head (request line and headers) in bytes.
    pub max_head_bytes: usize,
    /// How long a head may take to arrive, and how long a connection may idle, in milliseconds.
    pub head_timeout_ms: u64,
    /// How long a body may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long an idempotency key is kept, in seconds; with a log that several processes share, clients' event ids too.
    pub idempotency_seconds: u64,
    /// How often an action is decided again after losing a race, before it is refused as `contended`.
    pub max_attempts: u32,
    /// How many events may wait in the outbox before actions are refused with 503.
    pub max_outbox: u64,
    /// How long a drain may take, in milliseconds: that of requests, and behind it that of the relay.
    pub drain_ms: u64,
}

/// What a process needs to end when its parts have drained.
const CLOSING: Duration = Duration::from_secs(2);

impl ApiConfig {
    /// How long a process with this API takes to end when it is told to, at most: requests drain, then the relay.
    pub fn whole_drain(&self) -> Duration {
        Duration::from_millis(self.drain_ms.saturating_mul(2)).saturating_add(CLOSING)
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:5000".to_owned(),
            // A batch of 1,000 events of about 1 KB.
            max_body_bytes: 1 << 20,
            // A compressed batch may hold ten times that: games' JSON compresses about so well.
            max_decompressed_bytes: 10 << 20,
            max_batch_events: 10_000,
            // The size that CloudEvents says every intermediary must take.
            max_event_bytes: 64 << 10,
            // Far above what two cores can work on at once: only to bound memory.
            max_in_flight: 4096,
            // Thousands of usual batches; what is made of a body while it is checked is about three times as large.
            max_body_bytes_in_flight: 64 << 20,
            // Below the usual limit of open files (with room for those of the stores), whose end would be worse.
            max_connections: 16_384,
            // Twice what other servers allow for one header; nothing here needs long ones.
            max_head_bytes: 16 << 10,
            // The usual idle time of a load balancer is longer, so that it, not a client, sees the end.
            head_timeout_ms: 30_000,
            // The largest body over a slow mobile link (0.5 Mbit/s).
            body_timeout_ms: 20_000,
            idempotency_seconds: 24 * 3600,
            // Each attempt costs about a group commit (5 ms); 64 contenders on one key all get through within it.
            max_attempts: 64,
            // About a minute of full load: beyond it the log is not merely slow.
            max_outbox: 1_000_000,
            // The relay has as much again after the API: ten seconds in all, what supervisors grant at least.
            drain_ms: 4000,
        }
    }
}
