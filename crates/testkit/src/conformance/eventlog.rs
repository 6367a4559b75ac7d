//! Checks of `EventLog`. Each takes a function that opens the log of a place with some settings; opening again after a
//! drop gives the same log.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, LogRecord, OutboxBatch, Position, Record, partition_of,
};

use crate::place::Place;
use crate::wait;

/// A log to check.
pub type Log = Arc<dyn EventLog>;

/// What a check asks of the log's settings.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many partitions a new log gets.
    pub partitions: u32,
    /// How long landed records stay.
    pub retention_seconds: u64,
    /// How many bytes of landed records stay.
    pub retention_bytes: u64,
    /// How many bytes the log takes.
    pub max_bytes: u64,
    /// How long a client's event id is remembered.
    pub dedupe_seconds: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            partitions: 4,
            retention_seconds: 3600,
            retention_bytes: 1 << 30,
            max_bytes: 1 << 30,
            dedupe_seconds: 3600,
        }
    }
}

/// Makes a test of every check. The argument is a function `async fn(&Place, Settings) -> Log`.
#[macro_export]
macro_rules! event_log_conformance {
    ($open:path) => {
        $crate::event_log_conformance! { $open:
            appended_records_are_read_back_whole_and_in_order
            records_of_a_key_keep_their_order_under_concurrency
            results_name_the_place_of_every_record
            reads_begin_at_any_offset
            reads_outside_the_log_are_refused
            a_repeated_id_is_appended_once
            racing_appends_of_one_id_make_one_record
            an_id_is_forgotten_after_its_window
            an_outbox_lands_exactly_once_however_it_is_sent
            a_gap_in_an_outbox_is_refused_and_nothing_appended
            outboxes_are_counted_apart
            retention_removes_only_what_was_released
            retention_by_size_removes_the_oldest_first
            retention_goes_on_after_reopening
            a_full_log_refuses_and_takes_again_after_a_release
            impossible_releases_are_refused
            the_generation_stays_and_differs_between_logs
            the_number_of_partitions_stays
            waiting_for_records_ends_with_a_new_one
            everything_acknowledged_is_there_after_reopening
            large_and_empty_values_survive
        }
    };
    ($open:path: $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $check() {
                $crate::conformance::eventlog::$check($open).await;
            }
        )*
    };
}

fn record(key: &str, value: &str) -> Record {
    Record {
        key: key.into(),
        value: Bytes::from(value.to_owned()),
        dedupe_id: None,
    }
}

fn with_id(key: &str, value: &str, id: &str) -> Record {
    Record {
        dedupe_id: Some(id.into()),
        ..record(key, value)
    }
}

fn place_of(appended: &Appended) -> Position {
    match appended {
        Appended::At(position) => *position,
        Appended::Duplicate => panic!("not a duplicate"),
    }
}

/// All records of a partition from `from` on, in pages; checks that offsets have no gap.
async fn read_from(log: &Log, partition: u32, from: u64, max_bytes: usize) -> Vec<LogRecord> {
    let mut records = Vec::new();
    let mut next = from;
    loop {
        let batch = log.read(partition, next, max_bytes).await.unwrap();
        for (expected, record) in (next..).zip(&batch.records) {
            assert_eq!(record.offset, expected);
        }
        assert_eq!(batch.next, next + batch.records.len() as u64);
        if batch.records.is_empty() {
            return records;
        }
        next = batch.next;
        records.extend(batch.records);
    }
}

async fn lows(log: &Log) -> Vec<u64> {
    log.offsets()
        .await
        .unwrap()
        .iter()
        .map(|offsets| offsets.low)
        .collect()
}

async fn highs(log: &Log) -> Vec<u64> {
    log.offsets()
        .await
        .unwrap()
        .iter()
        .map(|offsets| offsets.high)
        .collect()
}

async fn everything(log: &Log) -> Vec<(u32, LogRecord)> {
    let mut all = Vec::new();
    for offsets in log.offsets().await.unwrap() {
        let records = read_from(log, offsets.partition, offsets.low, 1000).await;
        assert_eq!(offsets.low + records.len() as u64, offsets.high);
        all.extend(
            records
                .into_iter()
                .map(|record| (offsets.partition, record)),
        );
    }
    all
}

async fn texts(log: &Log) -> Vec<String> {
    let texts = everything(log).await.into_iter();
    let mut texts: Vec<_> = texts
        .map(|(_, record)| String::from_utf8(record.value.to_vec()).unwrap())
        .collect();
    texts.sort();
    texts
}

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

/// Within a call, across calls, and after reopening.
pub async fn a_repeated_id_is_appended_once(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let records = vec![
        with_id("a", "1", "x"),
        with_id("b", "2", "x"),
        with_id("c", "3", "y"),
        record("d", "4"),
        record("d", "4"),
    ];
    let appended = log.append(records.clone()).await.unwrap();
    let is_new = |appended: &[Appended]| -> Vec<bool> {
        appended
            .iter()
            .map(|appended| *appended != Appended::Duplicate)
            .collect()
    };
    assert_eq!(is_new(&appended), [true, false, true, true, true]);
    let appended = log
        .append(vec![with_id("e", "5", "y"), with_id("e", "6", "z")])
        .await
        .unwrap();
    assert_eq!(is_new(&appended), [false, true]);
    drop(log);
    let log = open(&place, Settings::default()).await;
    let appended = log
        .append(vec![with_id("e", "7", "z"), with_id("e", "8", "x")])
        .await
        .unwrap();
    assert_eq!(is_new(&appended), [false, false]);
    assert_eq!(texts(&log).await, ["1", "3", "4", "4", "6"]);
}

/// However many send an id at once, one is told that it is on the log.
pub async fn racing_appends_of_one_id_make_one_record(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(&place, Settings::default()).await;
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let records = (0..10)
                    .map(|id| with_id(&format!("k{task}"), &format!("{id}"), &format!("id{id}")));
                log.append(records.collect()).await.unwrap()
            })
        })
        .collect();
    let mut at = [0; 10];
    for task in tasks {
        for (id, appended) in task.await.unwrap().iter().enumerate() {
            at[id] += usize::from(*appended != Appended::Duplicate);
        }
    }
    assert_eq!(at, [1; 10]);
    assert_eq!(
        texts(&log).await,
        (0..10).map(|id| id.to_string()).collect::<Vec<_>>()
    );
}

/// The window is counted from the append, and an id that comes again after it starts a new one.
pub async fn an_id_is_forgotten_after_its_window(open: impl AsyncFn(&Place, Settings) -> Log) {
    let place = Place::new();
    let log = open(
        &place,
        Settings {
            dedupe_seconds: 24 * 3600,
            ..Settings::default()
        },
    )
    .await;
    let mut appended = Vec::new();
    // Hours since the first append; the window is 24 hours long.
    for (hours, expected) in [
        (0, true),
        (1, false),
        (23, false),
        (24, true),
        (40, false),
        (47, false),
        (72, true),
    ] {
        let at = place.clock().now().micros() / 3_600_000_000;
        let begun = *appended.first().unwrap_or(&at);
        appended.push(at);
        place
            .clock()
            .advance(Duration::from_secs(3600 * (begun + hours - at) as u64));
        let results = log
            .append(vec![with_id("a", &format!("{hours}"), "x")])
            .await
            .unwrap();
        assert_eq!(
            results[0] != Appended::Duplicate,
            expected,
            "after {hours} hours"
        );
    }
}

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
