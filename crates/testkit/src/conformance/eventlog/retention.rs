//! What has landed may go; nothing else may.

use super::{Log, Settings, everything, highs, lows, read_from, record};
use crate::place::Place;
use crate::wait;
use gamepipe_eventlog::LogError;
use gamepipe_eventlog::OutboxBatch;
use std::time::Duration;

async fn append_rounds(log: &Log, place: &Place, rounds: u32) {
    for round in 0..rounds {
        let records =
            (0..40).map(|number| record(&format!("k{number}"), &format!("{round:04} {number:04}")));
        log.append(records.collect()).await.unwrap();
        place.clock().advance(Duration::from_secs(1));
    }
}

/// Age removes what has landed and nothing else; what is gone is refused and what is left can be read.
pub async fn retention_removes_only_what_was_released(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            retention_seconds: 100,
            ..Settings::default()
        },
    )
    .await;
    append_rounds(&log, &place, 10).await;
    let highs = highs(&log).await;
    let before = everything(&log).await;
    place.clock().advance(Duration::from_secs(1000));
    append_rounds(&log, &place, 1).await;
    assert_eq!(lows(&log).await, [0; 4], "nothing has landed");
    let landed: Vec<u64> = highs.iter().map(|high| high / 2).collect();
    log.release(&landed).await.unwrap();
    wait::until("retention removes what has landed", async || {
        lows(&log)
            .await
            .iter()
            .zip(&landed)
            .all(|(low, landed)| *low > 0 && *low <= *landed)
    })
    .await;
    let lows = lows(&log).await;
    for (partition, low) in (0..).zip(lows) {
        let refused = log.read(partition, 0, 100).await;
        assert!(matches!(refused, Err(LogError::OutOfRange { asked: 0, low: l, .. }) if l == low));
        let mut left = read_from(&log, partition, low, usize::MAX).await;
        left.truncate((highs[partition as usize] - low) as usize);
        let expected = before
            .iter()
            .filter(|(of, record)| *of == partition && record.offset >= low);
        assert!(left.iter().eq(expected.map(|(_, record)| record)));
    }
}

/// The size of what has landed is bounded, and young records of a small log stay.
pub async fn retention_by_size_removes_the_oldest_first(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let settings = Settings {
        retention_bytes: 20_000,
        ..Settings::default()
    };
    let log = open(&place, settings).await;
    append_rounds(&log, &place, 2).await;
    log.release(&highs(&log).await).await.unwrap();
    append_rounds(&log, &place, 1).await;
    assert_eq!(lows(&log).await, [0; 4], "small and young");
    append_rounds(&log, &place, 200).await;
    log.release(&highs(&log).await).await.unwrap();
    let mut total = 203 * 40;
    wait::until("the size comes down and stays", async || {
        let before = lows(&log).await;
        // The second append is taken when the removals after the first are done.
        append_rounds(&log, &place, 2).await;
        total += 80;
        before.iter().all(|low| *low > 0) && before == lows(&log).await
    })
    .await;
    let left = everything(&log).await;
    let kept = left.len();
    assert!(kept > 100 && kept < total / 2, "{kept} of {total}");
    // Oldest first, over all partitions.
    let oldest: Vec<i64> = (0..4)
        .map(|partition| {
            left.iter()
                .find(|(of, _)| *of == partition)
                .unwrap()
                .1
                .appended
                .micros()
        })
        .collect();
    let spread = oldest.iter().max().unwrap() - oldest.iter().min().unwrap();
    assert!(spread <= 2_000_000, "{spread}");
}

/// What was released before is known after.
pub async fn retention_goes_on_after_reopening(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let settings = Settings {
        retention_seconds: 100,
        ..Settings::default()
    };
    let log = open(&place, settings).await;
    append_rounds(&log, &place, 3).await;
    log.release(&highs(&log).await).await.unwrap();
    assert_eq!(lows(&log).await, [0; 4]);
    drop(log);
    place.clock().advance(Duration::from_secs(1000));
    let log = open(&place, settings).await;
    wait::until("retention goes on", async || {
        lows(&log).await == highs(&log).await
    })
    .await;
    drop(log);
    let log = open(&place, settings).await;
    assert_eq!(highs(&log).await.iter().sum::<u64>(), 120);
    append_rounds(&log, &place, 1).await;
    assert_eq!(everything(&log).await.len(), 40);
}

/// The hard limit holds; once something has landed it makes room, however young it is.
pub async fn a_full_log_refuses_and_takes_again_after_a_release(
    open: impl AsyncFn(&Place, Settings) -> Log,
) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            max_bytes: 60_000,
            ..Settings::default()
        },
    )
    .await;
    let mut taken = 0;
    let mut fill = async || loop {
        let value: String = (0..60)
            .map(|at| char::from(b'a' + ((taken * 31 + at * at * 7) % 26) as u8))
            .collect();
        match log.append(vec![record(&format!("k{taken}"), &value)]).await {
            Ok(_) => taken += 1,
            Err(LogError::Full {
                used,
                limit: 60_000,
            }) => {
                assert!(used > 60_000);
                return taken;
            }
            Err(other) => panic!("{other}"),
        }
        assert!(taken < 10_000, "never full");
    };
    let first = fill().await;
    assert!(first > 100, "{first}");
    assert_eq!(
        everything(&log).await.len() as u64,
        first,
        "nothing that has not landed goes"
    );
    let position = OutboxBatch {
        outbox_id: "box".into(),
        first: 1,
        records: vec![record("a", &"b".repeat(200))],
    };
    assert!(matches!(
        log.append_from_outbox(position.clone()).await,
        Err(LogError::Full { .. })
    ));
    let halves: Vec<u64> = highs(&log).await.iter().map(|high| high / 2).collect();
    log.release(&halves).await.unwrap();
    log.append_from_outbox(position).await.unwrap();
    let second = fill().await;
    assert!(second >= first + first / 4, "{first} {second}");
    for (low, half) in lows(&log).await.iter().zip(halves) {
        assert!(*low <= half);
    }
}

/// Offsets that don't exist can't have landed.
pub async fn impossible_releases_are_refused(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            partitions: 2,
            ..Settings::default()
        },
    )
    .await;
    assert!(matches!(log.release(&[0]).await, Err(LogError::Invalid(_))));
    assert!(matches!(
        log.release(&[0, 1]).await,
        Err(LogError::Invalid(_))
    ));
    log.release(&[0, 0]).await.unwrap();
}
