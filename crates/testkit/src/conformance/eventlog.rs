//! Checks of `EventLog`. Each takes a function that opens the log of a place with some settings; opening again after a
//! drop gives the same log.

use std::sync::Arc;

use bytes::Bytes;
use gamepipe_eventlog::{Appended, EventLog, LogRecord, Position, Record};

mod dedupe;
mod lasting;
mod outbox;
mod reading;
mod retention;

pub use dedupe::*;
pub use lasting::*;
pub use outbox::*;
pub use reading::*;
pub use retention::*;

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
            offsets_have_no_gaps
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

/// All records of a partition from `from` on, in pages; checks that they are in order, and that pages join.
async fn read_from(log: &Log, partition: u32, from: u64, max_bytes: usize) -> Vec<LogRecord> {
    let mut records: Vec<LogRecord> = Vec::new();
    let mut next = from;
    loop {
        let batch = log.read(partition, next, max_bytes).await.unwrap();
        let mut reached = next;
        for record in &batch.records {
            assert!(record.offset >= reached, "{record:?} before {reached}");
            reached = record.offset + 1;
        }
        assert!(batch.next >= reached, "{} before {reached}", batch.next);
        if batch.records.is_empty() && batch.next == next {
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
        let end = records.last().map_or(offsets.low, |last| last.offset + 1);
        assert!(end <= offsets.high, "{end} beyond {offsets:?}");
        let rest = log.read(offsets.partition, end, 1).await.unwrap();
        assert_eq!((rest.records.len(), rest.next), (0, offsets.high));
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
