//! What stays when a log is opened again.

use super::{Log, Settings, everything, highs, read_from, record};
use crate::place::Place;
use crate::wait;
use bytes::Bytes;
use gamepipe_eventlog::LogError;
use gamepipe_eventlog::Record;
use std::sync::Arc;
use std::time::Duration;

/// It tells one log's offsets from another's.
pub async fn the_generation_stays_and_differs_between_logs(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let (here, there) = (Place::new(), Place::new());
    let log = open(&here, Settings::default()).await;
    let generation = log.generation().to_owned();
    assert!(!generation.is_empty());
    drop(log);
    assert_eq!(
        open(&here, Settings::default()).await.generation(),
        generation
    );
    assert_ne!(
        open(&there, Settings::default()).await.generation(),
        generation
    );
}

/// A key stays in its partition for ever.
pub async fn the_number_of_partitions_stays(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            partitions: 3,
            ..Settings::default()
        },
    )
    .await;
    assert_eq!(log.partitions(), 3);
    drop(log);
    let log = open(
        &place,
        Settings {
            partitions: 7,
            ..Settings::default()
        },
    )
    .await;
    assert_eq!(log.partitions(), 3);
    assert_eq!(log.offsets().await.unwrap().len(), 3);
}

/// Waiters wake for what is new to them, and at once for what is there already.
pub async fn waiting_for_records_ends_with_a_new_one(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    for round in 0..5 {
        let seen = highs(&log).await;
        let waiter = {
            let (log, seen) = (Arc::clone(&log), seen.clone());
            tokio::spawn(async move { log.changed(&seen).await })
        };
        log.append(vec![record(&format!("k{round}"), "x")])
            .await
            .unwrap();
        wait::ready("the waiter wakes", waiter).await.unwrap();
        assert_ne!(highs(&log).await, seen);
    }
    wait::ready("what is there is no wait", log.changed(&[0; 4])).await;
    let seen = highs(&log).await;
    let nothing_new = tokio::time::timeout(Duration::from_millis(20), log.changed(&seen));
    assert!(nothing_new.await.is_err(), "woken for nothing");
}

/// A new process finds all of it.
pub async fn everything_acknowledged_is_there_after_reopening(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let mut log = open(&place, Settings::default()).await;
    for round in 1..=3_u64 {
        let tasks: Vec<_> = (0..20)
            .map(|task| {
                let log = Arc::clone(&log);
                let records = (0..10)
                    .map(|number| record(&format!("k{task}"), &format!("{round} {task} {number}")));
                let records = records.collect();
                tokio::spawn(async move { log.append(records).await.unwrap() })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let before = everything(&log).await;
        drop(log);
        log = open(&place, Settings::default()).await;
        assert_eq!(highs(&log).await.iter().sum::<u64>(), round * 200);
        assert_eq!(everything(&log).await, before);
    }
}

/// Nothing on the log is trusted to be JSON, UTF-8, or small.
pub async fn large_and_empty_values_survive(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let mut log = open(
        &place,
        Settings {
            partitions: 1,
            ..Settings::default()
        },
    )
    .await;
    let noise: Vec<u8> = (0..3_000_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let values = [
        Bytes::new(),
        Bytes::from_static(&[0xff, 0, 0xfe]),
        Bytes::from(noise),
        Bytes::from(vec![b'x'; 1_000_000]),
    ];
    let records: Vec<Record> = values
        .iter()
        .map(|value| Record {
            key: "é".into(),
            value: value.clone(),
            dedupe_id: None,
        })
        .collect();
    log.append(records.clone()).await.unwrap();
    for record in records {
        log.append(vec![record]).await.unwrap();
    }
    for _ in 0..2 {
        let read = read_from(&log, 0, 0, 1).await;
        assert!(
            read.iter()
                .map(|record| &record.value)
                .eq(values.iter().chain(&values))
        );
        drop(log);
        log = open(&place, Settings::default()).await;
    }
    let endless = Record {
        key: "a".into(),
        value: Bytes::from(vec![0; 100 << 20]),
        dedupe_id: None,
    };
    assert!(matches!(
        log.append(vec![endless]).await,
        Err(LogError::Invalid(_))
    ));
}
