//! The streamer's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the role `streamer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StreamerConfig {
    /// Where a streamer that is a process of its own answers `/livez`, `/readyz` and `/metrics`.
    pub listen: String,
    /// How long events wait for an epoch to fill, in milliseconds.
    pub commit_interval_ms: u64,
    /// An epoch is cut early at this many events.
    pub max_epoch_events: usize,
    /// An epoch is cut early at this many bytes of log.
    pub max_epoch_bytes: usize,
    /// Goes on when the log no longer has records that have not landed, leaving a gap that audits show. Without it the
    /// streamer refuses to start.
    pub accept_gap: bool,
    /// Small files of one day of a table are merged when there are this many.
    pub compact_files: usize,
    /// How often the lake is maintained (compaction, checkpoints, clean-up), in seconds; 0: never.
    pub maintenance_seconds: u64,
    /// Files that no version refers to are removed when they are this old, in seconds.
    pub vacuum_seconds: u64,
}

impl Default for StreamerConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:9090".to_owned(),
            // Leaves half of the 2 s in which an action must be visible for the commit itself and the query.
            commit_interval_ms: 1000,
            max_epoch_events: 500_000,
            // Three epochs are in memory at most: gathered, waiting and encoded, each with up to twice this as rows.
            max_epoch_bytes: 24 << 20,
            accept_gap: false,
            compact_files: 16,
            maintenance_seconds: 30,
            vacuum_seconds: 24 * 3600,
        }
    }
}
