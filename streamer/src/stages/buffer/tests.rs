//! The buffer: limits on what one event may become, and epochs that follow one another without a gap.

use std::time::Duration;

use bytes::Bytes;
use gamepipe_domain::definition::game::{Column, ColumnKind, ColumnSource, Table};
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::LogRecord;
use gamepipe_lake::LakeTable;
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_lake::schema::{arrow_schema, with_system_tables};

use super::{Buffer, Limits};
use crate::messages::LogSlice;

fn tables() -> Vec<LakeTable> {
    let columns = vec![
        Column {
            name: "raw_event".to_owned(),
            kind: ColumnKind::String,
            source: ColumnSource::RawEvent,
            description: None,
        },
        Column {
            name: "n".to_owned(),
            kind: ColumnKind::Integer,
            source: ColumnSource::RowItem("n".to_owned()),
            description: None,
        },
    ];
    let exploding = Table {
        name: "t".to_owned(),
        description: None,
        events: vec!["e".to_owned()],
        rows: Some("items".to_owned()),
        columns,
    };
    with_system_tables(&[exploding])
        .into_iter()
        .map(|table| LakeTable {
            schema: arrow_schema(&table),
            table,
        })
        .collect()
}

fn slice(partition: u32, from: u64, values: &[String]) -> LogSlice {
    let records: Vec<LogRecord> = (from..)
        .zip(values)
        .map(|(offset, value)| LogRecord {
            offset,
            appended: Timestamp::from_micros(1_767_323_045_000_000),
            key: Bytes::new(),
            value: Bytes::from(value.clone()),
        })
        .collect();
    LogSlice {
        range: OffsetRange::new(partition, from, from + values.len() as u64),
        records,
    }
}

fn event(items: usize, padding: usize) -> String {
    let items = vec![r#"{"n":1}"#; items].join(",");
    format!(
        r#"{{"event_id":"x","event_type":"e","event_time":"2026-01-02T03:04:05Z","pad":"{}","items":[{items}]}}"#,
        "p".repeat(padding)
    )
}

fn rows(buffer: &mut Buffer) -> Vec<(String, usize)> {
    let epoch = buffer.cut().unwrap();
    epoch
        .tables
        .iter()
        .map(|(name, rows)| (name.clone(), rows.num_rows()))
        .collect()
}

#[test]
fn events_that_would_fill_the_memory_are_bad_events() {
    let mut buffer = Buffer::new(&tables(), &[(0, 0)]);
    buffer.take(&slice(0, 0, &[event(10_000, 0)]));
    assert_eq!(
        buffer.bad_records(),
        1,
        "the list repeated ten thousand times in raw_event"
    );
    buffer.take(&slice(
        0,
        1,
        &[
            event(10_001, 0),
            event(100, 1000),
            event(90, 900_000),
            event(1, 2 << 20),
        ],
    ));
    assert_eq!(
        rows(&mut buffer),
        [("t".to_owned(), 100), ("bad_events".to_owned(), 4)]
    );
}

#[test]
fn epochs_follow_one_another() {
    let mut buffer = Buffer::new(&tables(), &[(0, 5), (1, 0)]);
    assert!(buffer.is_empty());
    buffer.take(&slice(0, 5, &[event(1, 0), event(0, 0)]));
    let first = buffer.cut().unwrap();
    assert_eq!(first.records, 2);
    assert_eq!(first.ranges[0], OffsetRange::new(0, 5, 7));
    assert!(buffer.is_empty());
    buffer.take(&slice(1, 0, &["garbage".to_owned()]));
    let second = buffer.cut().unwrap();
    assert_eq!(second.ranges[0], OffsetRange::new(0, 7, 7));
    assert_eq!(second.ranges[1], OffsetRange::new(1, 0, 1));
    assert_eq!(second.tables.len(), 1);
}

#[test]
fn epochs_are_full_by_records_and_by_bytes() {
    let limits = |records, bytes| Limits {
        interval: Duration::ZERO,
        records,
        bytes,
    };
    let mut buffer = Buffer::new(&tables(), &[(0, 0)]);
    buffer.take(&slice(0, 0, &[event(50, 10_000)]));
    assert!(buffer.is_full(&limits(1, usize::MAX)));
    assert!(!buffer.is_full(&limits(2, usize::MAX)));
    assert!(
        buffer.is_full(&limits(2, 400_000)),
        "rows count as they are in memory, not as they are on the log"
    );
    assert!(!buffer.is_full(&limits(2, 2_000_000)));
}

#[test]
fn offsets_without_records_are_counted_and_moved_over() {
    let mut buffer = Buffer::new(&tables(), &[(3, 7)]);
    let mut some = slice(3, 7, &[event(1, 0)]);
    (some.range.to, some.range.holes) = (10, 2);
    buffer.take(&some);
    let range = |from, to, holes| OffsetRange {
        holes,
        ..OffsetRange::new(3, from, to)
    };
    let first = buffer.cut().unwrap();
    assert_eq!((first.ranges, first.records), (vec![range(7, 10, 2)], 1));
    let mut none = slice(3, 10, &[]);
    (none.range.to, none.range.holes) = (11, 1);
    buffer.take(&none);
    assert!(!buffer.is_empty());
    let second = buffer.cut().unwrap();
    assert_eq!(second.ranges, [range(10, 11, 1)]);
    assert!(second.tables.is_empty() && buffer.is_empty());
}
