//! The SQL endpoint's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the role `sql`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct SqlConfig {
    /// Where it listens.
    pub listen: String,
    /// The longest a query may take, queue and streaming included, in milliseconds.
    pub max_query_ms: u64,
    /// How many queries run at once.
    pub max_concurrent: usize,
    /// How many queries wait for a turn; more are refused.
    pub max_queued: usize,
    /// The memory of all queries together, in bytes.
    pub memory_bytes: usize,
    /// The most rows a query may return.
    pub max_rows: u64,
    /// The longest SQL text, in bytes.
    pub max_sql_bytes: usize,
    /// Disk for spilling, in bytes.
    pub spill_bytes: u64,
    /// How many threads run queries; 0: one per core.
    pub threads: usize,
}

impl Default for SqlConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".to_owned(),
            max_query_ms: 300_000,
            max_concurrent: 8,
            max_queued: 64,
            memory_bytes: 1 << 30,
            max_rows: 10_000_000,
            max_sql_bytes: 1 << 20,
            spill_bytes: 10 << 30,
            threads: 0,
        }
    }
}
