//! What a relay sends lands once, however often it is sent.

use super::{Log, Settings, read_from, record, texts};
use crate::place::Place;
use gamepipe_eventlog::LogError;
use gamepipe_eventlog::OutboxBatch;
use std::sync::Arc;

/// Batches that overlap, come twice, or come at once land each entry once and in order.
pub async fn an_outbox_lands_exactly_once_however_it_is_sent(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let mut log = open(
        &place,
        Settings {
            partitions: 1,
            ..Settings::default()
        },
    )
    .await;
    let batch = |first: u64, last: u64| OutboxBatch {
        outbox_id: "box".into(),
        first,
        records: (first..=last)
            .map(|sequence| record("a", &format!("{sequence:04}")))
            .collect(),
    };
    assert_eq!(log.outbox_position("box").await.unwrap(), 0);
    for (first, last) in [(1, 5), (1, 5), (3, 8), (2, 4), (9, 9), (1, 12), (13, 12)] {
        log.append_from_outbox(batch(first, last)).await.unwrap();
    }
    assert_eq!(log.outbox_position("box").await.unwrap(), 12);
    drop(log);
    log = open(
        &place,
        Settings {
            partitions: 1,
            ..Settings::default()
        },
    )
    .await;
    assert_eq!(log.outbox_position("box").await.unwrap(), 12);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (log, batch) = (Arc::clone(&log), batch(10, 40));
            tokio::spawn(async move { log.append_from_outbox(batch).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(log.outbox_position("box").await.unwrap(), 40);
    let values = read_from(&log, 0, 0, usize::MAX).await;
    let expected = (1..=40).map(|sequence| format!("{sequence:04}").into_bytes());
    assert!(
        values
            .iter()
            .map(|record| record.value.to_vec())
            .eq(expected)
    );
}

/// What is missing before a batch would be lost in silence.
pub async fn a_gap_in_an_outbox_is_refused_and_nothing_appended(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let batch = |first| OutboxBatch {
        outbox_id: "box".into(),
        first,
        records: vec![record("a", "b")],
    };
    for first in [0, 2, u64::MAX] {
        let refused = log.append_from_outbox(batch(first)).await;
        assert!(
            matches!(refused, Err(LogError::Invalid(_))),
            "{first}: {refused:?}"
        );
    }
    log.append_from_outbox(batch(1)).await.unwrap();
    let refused = log
        .append_from_outbox(batch(3))
        .await
        .unwrap_err()
        .to_string();
    assert!(
        refused.contains("from 3") && refused.contains("up to 1"),
        "{refused}"
    );
    assert_eq!(texts(&log).await, ["b"]);
    assert_eq!(log.outbox_position("box").await.unwrap(), 1);
}

/// Two stores relay into one log.
pub async fn outboxes_are_counted_apart(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    for id in ["one", "two"] {
        let records = vec![record("a", id), record("b", id)];
        log.append_from_outbox(OutboxBatch {
            outbox_id: id.into(),
            first: 1,
            records,
        })
        .await
        .unwrap();
    }
    log.append_from_outbox(OutboxBatch {
        outbox_id: "two".into(),
        first: 3,
        records: vec![record("a", "two")],
    })
    .await
    .unwrap();
    assert_eq!(log.outbox_position("one").await.unwrap(), 2);
    assert_eq!(log.outbox_position("two").await.unwrap(), 3);
    assert_eq!(log.outbox_position("three").await.unwrap(), 0);
    assert_eq!(texts(&log).await.len(), 5);
}
