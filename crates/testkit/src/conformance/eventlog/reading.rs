//! What is appended is read back, in order, from any offset.

use super::{Log, Settings, everything, place_of, read_from, record};
use crate::place::Place;
use bytes::Bytes;
use gamepipe_eventlog::LogError;
use gamepipe_eventlog::OutboxBatch;
use gamepipe_eventlog::Position;
use gamepipe_eventlog::partition_of;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Key, value, offset and time come back as they were.
pub async fn appended_records_are_read_back_whole_and_in_order(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    assert_eq!(log.append(Vec::new()).await.unwrap(), []);
    let before = place.clock().now();
    for round in 0..3 {
        let records = (0..10)
            .map(|number| record("alice", &format!("{round} {number}")))
            .collect();
        log.append(records).await.unwrap();
        place.clock().advance(Duration::from_secs(1));
    }
    let partition = partition_of("alice", 4);
    let records = read_from(&log, partition, 0, usize::MAX).await;
    let expected = (0..3).flat_map(|round| (0..10).map(move |number| format!("{round} {number}")));
    assert!(
        records
            .iter()
            .map(|record| record.value.to_vec())
            .eq(expected.map(String::into_bytes))
    );
    for (number, record) in records.iter().enumerate() {
        assert_eq!(&*record.key, b"alice");
        let seconds = (record.appended.micros() - before.micros()) / 1_000_000;
        assert_eq!(seconds, number as i64 / 10);
    }
    assert_eq!(log.offsets().await.unwrap()[partition as usize].high, 30);
}

/// Many callers at once: every key's records stand in the order of its own caller.
pub async fn records_of_a_key_keep_their_order_under_concurrency(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let tasks: Vec<_> = (0..16)
        .map(|caller| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                for call in 0..10 {
                    let records = (0..7)
                        .map(|part| record(&format!("k{caller}"), &format!("{}", call * 7 + part)));
                    log.append(records.collect()).await.unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut by_key: HashMap<Bytes, Vec<u32>> = HashMap::new();
    for (partition, record) in everything(&log).await {
        assert_eq!(
            partition,
            partition_of(str::from_utf8(&record.key).unwrap(), 4)
        );
        by_key
            .entry(record.key)
            .or_default()
            .push(str::from_utf8(&record.value).unwrap().parse().unwrap());
    }
    assert_eq!(by_key.len(), 16);
    for (key, numbers) in by_key {
        assert!(numbers.iter().copied().eq(0..70), "{key:?}: {numbers:?}");
    }
}

/// What `append` says is where the record is.
pub async fn results_name_the_place_of_every_record(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let mut seen = HashSet::new();
    for call in 0..5 {
        let records: Vec<_> = (0..20)
            .map(|number| record(&format!("k{number}"), &format!("{call} {number}")))
            .collect();
        let appended = log.append(records.clone()).await.unwrap();
        assert_eq!(appended.len(), records.len());
        for (appended, record) in appended.iter().zip(records) {
            let Position { partition, offset } = place_of(appended);
            assert!(seen.insert((partition, offset)));
            let batch = log.read(partition, offset, 1).await.unwrap();
            assert_eq!(batch.records[0].value, record.value);
        }
    }
}

/// A reader may start anywhere, within what was appended at once and across it.
pub async fn reads_begin_at_any_offset(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            partitions: 2,
            ..Settings::default()
        },
    )
    .await;
    for call in 0..9 {
        let records = (0..=call * 3).map(|number| {
            let value = format!("{call} {number} {}", "x".repeat(call * 40));
            record(&format!("k{}", number % 3), &value)
        });
        log.append(records.collect()).await.unwrap();
    }
    for partition in 0..2 {
        let all = read_from(&log, partition, 0, usize::MAX).await;
        assert!(!all.is_empty());
        for from in 0..=all.len() {
            for max_bytes in [1, 500, usize::MAX] {
                let read = read_from(&log, partition, from as u64, max_bytes).await;
                assert_eq!(read, all[from..]);
            }
        }
    }
}

/// Below the lowest and beyond the next offset there is nothing, and the answer says what there is.
pub async fn reads_outside_the_log_are_refused(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            partitions: 1,
            ..Settings::default()
        },
    )
    .await;
    let empty = log.read(0, 0, 100).await.unwrap();
    assert!(empty.records.is_empty() && empty.next == 0);
    log.append(vec![record("a", "b")]).await.unwrap();
    assert_eq!(log.read(0, 1, 100).await.unwrap().records, []);
    let refused = log.read(0, 2, 100).await;
    assert!(matches!(
        refused,
        Err(LogError::OutOfRange {
            partition: 0,
            asked: 2,
            low: 0,
            high: 1
        })
    ));
    assert!(matches!(
        log.read(1, 0, 100).await,
        Err(LogError::Invalid(_))
    ));
}

/// Every offset holds a record, also between what relays have sent.
pub async fn offsets_have_no_gaps(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    for round in 0..5 {
        let records = |count: u64| (0..count).map(|number| record(&format!("k{number}"), "x"));
        log.append(records(10 + round).collect()).await.unwrap();
        log.append_from_outbox(OutboxBatch {
            outbox_id: "box".into(),
            first: 1 + round * 20,
            records: records(20).collect(),
        })
        .await
        .unwrap();
    }
    for offsets in log.offsets().await.unwrap() {
        let records = read_from(&log, offsets.partition, offsets.low, 500).await;
        let numbers = records.iter().map(|record| record.offset);
        assert!(numbers.eq(offsets.low..offsets.high));
    }
}
