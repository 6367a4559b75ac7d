//! Logs to test, and what is read of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use gamepipe_config::kafka::KafkaConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, LogError, LogRecord, OutboxBatch, Record};
use gamepipe_service::clock::{Clock, SystemClock};

/// A topic that no other test has.
pub(crate) fn new_topic() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("t{count}-{:x}", SystemClock.seed())
}

/// Settings of a log of four partitions.
pub(crate) fn config(servers: &str, topic: &str) -> LogConfig {
    LogConfig {
        partitions: 4,
        kafka: KafkaConfig {
            bootstrap_servers: servers.to_owned(),
            topic: topic.to_owned(),
            session_timeout_ms: 6000,
            ..KafkaConfig::default()
        },
        ..LogConfig::default()
    }
}

pub(crate) async fn try_open(config: &LogConfig) -> Result<Arc<KafkaLog>, LogError> {
    KafkaLog::open(config, "unused", Arc::new(SystemClock)).await
}

pub(crate) async fn open(config: &LogConfig) -> Arc<KafkaLog> {
    match try_open(config).await {
        Ok(log) => log,
        Err(error) => panic!("{error}"),
    }
}

/// The text of an error of [`try_open`].
pub(crate) async fn refused(config: &LogConfig) -> String {
    match try_open(config).await {
        Ok(log) => panic!("{log:?} opened"),
        Err(error) => error.to_string(),
    }
}

pub(crate) fn record(key: &str, value: &str) -> Record {
    Record {
        key: key.to_owned(),
        value: Bytes::from(value.to_owned()),
        dedupe_id: None,
    }
}

/// Entries of an outbox: the number of each is its text, and their keys differ.
pub(crate) fn batch(outbox_id: &str, first: u64, last: u64) -> OutboxBatch {
    OutboxBatch {
        outbox_id: outbox_id.to_owned(),
        first,
        records: (first..=last)
            .map(|number| record(&format!("k{}", number % 16), &number.to_string()))
            .collect(),
    }
}

/// All that is on the log.
pub(crate) async fn everything(log: &KafkaLog) -> Vec<LogRecord> {
    let mut all = Vec::new();
    for offsets in log.offsets().await.unwrap() {
        let mut next = offsets.low;
        while next < offsets.high {
            let batch = log.read(offsets.partition, next, 1 << 20).await.unwrap();
            next = batch.next;
            all.extend(batch.records);
        }
    }
    all
}

/// The texts of it, in order.
pub(crate) async fn texts(log: &KafkaLog) -> Vec<String> {
    let mut texts: Vec<_> = everything(log)
        .await
        .into_iter()
        .map(|record| String::from_utf8(record.value.to_vec()).unwrap())
        .collect();
    texts.sort();
    texts
}

/// The numbers of it, in order.
pub(crate) async fn numbers(log: &KafkaLog) -> Vec<u64> {
    let mut numbers: Vec<u64> = texts(log)
        .await
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    numbers.sort_unstable();
    numbers
}
