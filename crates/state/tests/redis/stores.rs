//! Opening stores, and waiting for what they say.

use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::state::RedisConfig;
use gamepipe_service::clock::SystemClock;
use gamepipe_state::StateError;
use gamepipe_state::redis::RedisStore;
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_testkit::transfers::{transfer, try_money};
use gamepipe_testkit::wait;

/// Long enough for a busy machine, short enough for a test that waits for it.
pub(crate) const TIMEOUT_MS: u64 = 500;

pub(crate) fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig {
        url: server.url(),
        timeout_ms: TIMEOUT_MS,
        ..RedisConfig::default()
    }
}

pub(crate) async fn open(server: &RedisServer) -> Arc<RedisStore> {
    try_open(&config(server)).await.unwrap()
}

pub(crate) async fn try_open(config: &RedisConfig) -> Result<Arc<RedisStore>, StateError> {
    RedisStore::open(config, Arc::new(SystemClock)).await
}

/// Tries again, under the same name, until there is an answer.
pub(crate) async fn insist(store: &RedisStore, name: &str, from: u64, to: u64) {
    let begun = std::time::Instant::now();
    while let Err(error) = transfer(store, name, from, to).await {
        assert!(begun.elapsed() < wait::DEADLINE, "{name}: {error}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a read is refused with a text that has `part`.
pub(crate) async fn refused(store: &RedisStore, part: &str) {
    let has_part = async || match try_money(store, 0).await {
        Err(StateError::Unavailable(text)) => text.contains(part),
        _ => false,
    };
    wait::until(part, has_part).await;
    let error = transfer(store, "never", 0, 1).await.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}
