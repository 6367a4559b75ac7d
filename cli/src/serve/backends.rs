//! Opens the backends that roles share, by the settings.

use std::sync::Arc;

use gamepipe_config::settings::Settings;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, LogError};
use gamepipe_service::clock::SharedClock;
use gamepipe_state::redis::RedisStore;
use gamepipe_state::{StateError, StateStore};

use crate::exit::Usage;

/// Refuses settings that name no Redis.
pub(crate) fn require_redis(settings: &Settings) -> Result<(), Usage> {
    if settings.state.redis.url.is_empty() {
        return Err(missing(
            "where the players' state is",
            "state.redis.url",
            "GAMEPIPE_STATE_REDIS_URL=redis://127.0.0.1:6379",
        ));
    }
    Ok(())
}

/// Refuses settings that name no Kafka.
pub(crate) fn require_kafka(settings: &Settings) -> Result<(), Usage> {
    if settings.log.kafka.bootstrap_servers.is_empty() {
        return Err(missing(
            "where the event log is",
            "log.kafka.bootstrapServers",
            "GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:9092",
        ));
    }
    Ok(())
}

/// Refuses settings that name no lake.
pub(crate) fn require_lake(settings: &Settings) -> Result<(), Usage> {
    if settings.lake.path.is_empty() {
        return Err(missing(
            "where the lake is",
            "lake.path",
            "GAMEPIPE_LAKE_PATH=s3://games/arena, or a directory that all roles see",
        ));
    }
    Ok(())
}

fn missing(what: &str, setting: &str, example: &str) -> Usage {
    Usage(format!(
        "it is not said {what}: set {setting} in the file of --config, or the variable {example}; `gamepipe up` needs none of this"
    ))
}

/// The state store in Redis. It is made only for a log that is empty: where there are events, an empty Redis has lost what
/// they were made from.
pub(crate) async fn state(
    settings: &Settings,
    log: &dyn EventLog,
    clock: &SharedClock,
) -> Result<Arc<dyn StateStore>, StateError> {
    let offsets = log
        .offsets()
        .await
        .map_err(|error| StateError::Unavailable(error.to_string()))?;
    let mut redis = settings.state.redis.clone();
    redis.create &= offsets.iter().all(|offsets| offsets.high == 0);
    let store = RedisStore::open(&redis, Arc::clone(clock)).await?;
    Ok(store)
}

/// The event log in Kafka.
pub(crate) async fn log(
    settings: &Settings,
    game: &Game,
    clock: &SharedClock,
) -> Result<Arc<dyn EventLog>, LogError> {
    let log = KafkaLog::open(&settings.log, &game.topic(), Arc::clone(clock)).await?;
    Ok(log)
}
