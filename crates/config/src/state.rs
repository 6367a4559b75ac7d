//! The state store's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Settings of the state store: of the embedded one, and of the one in Redis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct StateConfig {
    /// The embedded store's directory.
    pub path: String,
    /// How much memory the embedded store may use for its block cache, in bytes.
    pub cache_bytes: u64,
    /// The store in Redis, for processes that share one.
    pub redis: RedisConfig,
}

impl Default for StateConfig {
    fn default() -> Self {
        Self {
            path: String::new(),
            cache_bytes: 32 << 20,
            redis: RedisConfig::default(),
        }
    }
}

/// Settings of the state store in Redis.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RedisConfig {
    /// Where it is: `redis://[user[:password]@]host[:port][/db]`, `rediss://` with TLS, or `redis+unix:///path`. Of a
    /// cluster, any node. Empty: there is none.
    pub url: String,
    /// The password, when the address does not hold it.
    pub password: String,
    /// The store's name; every key begins with `{gamepipe:<name>}`. Pipelines that share a Redis need one each.
    pub name: String,
    /// What Redis must do for durability; a server that does less is refused.
    pub durability: Durability,
    /// Make the store when Redis does not hold it. Without it a process that starts on an emptied Redis refuses.
    pub create: bool,
    /// How long a request waits for Redis, in milliseconds. After that its outcome is open.
    pub timeout_ms: u64,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            password: String::new(),
            name: "gamepipe".to_owned(),
            durability: Durability::EverySecond,
            create: true,
            timeout_ms: 3000,
        }
    }
}

impl std::fmt::Debug for RedisConfig {
    /// Without the address and the password: either may be a secret.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("RedisConfig")
            .field("name", &self.name)
            .field("durability", &self.durability)
            .field("create", &self.create)
            .field("timeout_ms", &self.timeout_ms)
            .finish_non_exhaustive()
    }
}

/// How much of what was acknowledged a crash of Redis's machine may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Durability {
    /// Nothing: Redis must run with `appendfsync always`.
    Always,
    /// About a second: Redis must run with `appendfsync everysec` or `always`.
    EverySecond,
    /// Anything: Redis may run without an append-only file. For tests and for games without value.
    None,
}
