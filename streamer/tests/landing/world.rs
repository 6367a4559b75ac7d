//! A small game's tables, its log and its lake, and ways to look into them.

#![expect(
    clippy::unwrap_used,
    reason = "in a test's helpers a failure is the test's"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{ArrayRef, RecordBatch, StringArray, new_null_array};
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use gamepipe_config::lake::LakeConfig;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::game::{Column, ColumnKind, ColumnSource, Table};
use gamepipe_eventlog::EventLog;
use gamepipe_lake::audit::{Audit, audit};
use gamepipe_lake::{Lake, LakeError};
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::{Streamer, StreamerError};
use serde_json::{Map, Value, json};

use crate::memory_log::MemoryLog;

/// How long a test waits for something that should happen at once.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn column(name: &str, kind: ColumnKind, source: ColumnSource) -> Column {
    Column {
        name: name.to_owned(),
        kind,
        source,
        description: None,
    }
}

pub(crate) fn property(name: &str, kind: ColumnKind) -> Column {
    column(name, kind, ColumnSource::Property(name.to_owned()))
}

/// Attacks in two tables, trades with a row for each item.
pub(crate) fn tables() -> Vec<Table> {
    let table = |name: &str, events: &[&str], columns| Table {
        name: name.to_owned(),
        description: None,
        events: events.iter().map(|event| (*event).to_owned()).collect(),
        rows: None,
        columns,
    };
    vec![
        table(
            "attacks",
            &["attack"],
            vec![
                property("attacker", ColumnKind::String),
                property("damage", ColumnKind::Integer),
                property("factor", ColumnKind::Number),
                property("killed", ColumnKind::Boolean),
                property("due", ColumnKind::Timestamp),
                property("loot", ColumnKind::Json),
                column("host", ColumnKind::String, ColumnSource::Host),
            ],
        ),
        table(
            "everything",
            &["attack", "trade"],
            vec![
                column("event_type", ColumnKind::String, ColumnSource::EventType),
                column("raw_event", ColumnKind::String, ColumnSource::RawEvent),
            ],
        ),
        Table {
            rows: Some("items".to_owned()),
            ..table(
                "trades",
                &["trade"],
                vec![
                    property("buyer", ColumnKind::String),
                    column(
                        "item",
                        ColumnKind::String,
                        ColumnSource::RowItem("name".to_owned()),
                    ),
                    column(
                        "price",
                        ColumnKind::Integer,
                        ColumnSource::RowItem("price".to_owned()),
                    ),
                ],
            )
        },
    ]
}

/// Settings that cut epochs often and leave maintenance to the test.
pub(crate) fn quick() -> StreamerConfig {
    StreamerConfig {
        commit_interval_ms: 5,
        maintenance_seconds: 0,
        ..StreamerConfig::default()
    }
}

pub(crate) fn open(path: &Path, tables: &[Table]) -> Arc<Lake> {
    open_at(
        &LakeConfig {
            path: path.display().to_string(),
            ..LakeConfig::default()
        },
        tables,
    )
}

pub(crate) fn open_at(config: &LakeConfig, tables: &[Table]) -> Arc<Lake> {
    Arc::new(Lake::open_tables(config, "arena", tables, Arc::new(SystemClock)).unwrap())
}

pub(crate) fn streamer(config: StreamerConfig, log: &Arc<MemoryLog>, lake: &Arc<Lake>) -> Streamer {
    let log: Arc<dyn EventLog> = log.clone();
    Streamer::build_for(
        config,
        "arena",
        log,
        Arc::clone(lake),
        Arc::new(SystemClock),
        Probes::default(),
    )
}

/// Lands all that is on the log, then stops.
pub(crate) async fn land(
    config: StreamerConfig,
    log: &Arc<MemoryLog>,
    lake: &Arc<Lake>,
) -> Result<(), StreamerError> {
    let streamer = streamer(config, log, lake);
    streamer.prepare().await?;
    let shutdown = Shutdown::new();
    shutdown.cancel();
    streamer.run(shutdown).await
}

pub(crate) fn event(event_type: &str, id: u64, data: Value) -> Vec<u8> {
    let mut event = Map::new();
    event.insert("event_id".to_owned(), json!(format!("id-{id}")));
    event.insert("event_type".to_owned(), json!(event_type));
    event.insert(
        "event_time".to_owned(),
        json!("2026-01-02T03:04:05.000006Z"),
    );
    if let Value::Object(data) = data {
        event.extend(data);
    }
    Value::Object(event).to_string().into_bytes()
}

pub(crate) async fn clean_audit(lake: &Lake) -> Audit {
    let found = audit(lake).await.unwrap();
    assert!(found.is_clean(), "{found:#?}");
    found
}

pub(crate) fn rows_in(audit: &Audit, table: &str) -> u64 {
    audit
        .tables
        .iter()
        .find(|found| found.table == table)
        .map_or(0, |found| found.rows)
}

/// The rows of a table in order of the log, each as `column=value` for these columns, as Delta readers see them.
pub(crate) async fn rows(lake: &Lake, table: &str, columns: &[&str]) -> Vec<String> {
    let batches = read(lake, table).await.unwrap();
    let mut found = Vec::new();
    for batch in &batches {
        let options = FormatOptions::default().with_null("null");
        for index in 0..batch.num_rows() {
            let number = |name: &str| {
                batch.column_by_name(name).map_or(String::new(), |values| {
                    ArrayFormatter::try_new(values, &options)
                        .unwrap()
                        .value(index)
                        .to_string()
                })
            };
            let place = (
                number("_partition").parse::<i64>().unwrap_or(0),
                number("_offset").parse::<i64>().unwrap_or(0),
                number("_row").parse::<i64>().unwrap_or(0),
            );
            let text: Vec<String> = columns
                .iter()
                .map(|name| format!("{name}={}", number(name)))
                .collect();
            found.push((place, text.join(" ")));
        }
    }
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

/// A table's files at its newest version, read one by one.
pub(crate) async fn read(lake: &Lake, table: &str) -> Result<Vec<RecordBatch>, LakeError> {
    let (files, schema) = lake.newest_files(table).await?;
    let mut batches = Vec::new();
    for (file, date) in files {
        let dates = |rows: usize| -> ArrayRef {
            match &date {
                Some(date) => Arc::new(StringArray::from(vec![date.as_str(); rows])),
                None => new_null_array(&DataType::Utf8, rows),
            }
        };
        for batch in file.read(&schema).await? {
            let columns = schema.fields().iter().map(|field| {
                let values = match (batch.column_by_name(field.name()), field.name().as_str()) {
                    (_, "_event_date") => dates(batch.num_rows()),
                    (Some(values), _) => values.clone(),
                    (None, _) => new_null_array(field.data_type(), batch.num_rows()),
                };
                (field.name().clone(), values, true)
            });
            batches.push(RecordBatch::try_from_iter_with_nullable(columns).unwrap());
        }
    }
    Ok(batches)
}

/// Waits until that many records have landed.
pub(crate) async fn landed(lake: &Lake, records: u64) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    while tokio::time::Instant::now() < deadline {
        let now = lake.newest_epoch().await.expect("the lake is there");
        if now
            .is_some_and(|epoch| epoch.ranges.iter().map(|range| range.to).sum::<u64>() >= records)
        {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("{records} records have not landed in {PATIENCE:?}");
}
