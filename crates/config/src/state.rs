//! The state store's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the embedded state store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StateConfig {
    /// Its directory.
    pub path: String,
    /// How much memory it may use for its block cache, in bytes.
    pub cache_bytes: u64,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            cache_bytes: 32 << 20,
        }
    }
}
