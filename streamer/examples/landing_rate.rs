//! How fast a log lands: events per second and per CPU second, from bytes on the log to committed Delta tables.
//!
//! `landing_rate [EVENTS] [memory|embedded] [DIR]`: a synthetic log of about 300 bytes an event, landed once. In memory,
//! the log costs next to nothing to read and the figure is the streamer's own; embedded, it includes reading the log.

#![expect(clippy::print_stdout, reason = "a bench says what it measured")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use gamepipe_config::lake::LakeConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::game::{Column, ColumnKind, ColumnSource, Table};
use gamepipe_domain::event::{Event, Origin, encode_event};
use gamepipe_domain::request::RequestContext;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, LogRecord, OutboxBatch, PartitionOffsets, ReadBatch, Record,
    partition_of,
};
use gamepipe_lake::Lake;
use gamepipe_lake::audit::audit;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::Streamer;
use serde_json::json;

const PARTITIONS: u32 = 12;
const DEFAULT_EVENTS: u64 = 5_000_000;
/// 2026-01-02T00:00:00Z; events come 10 ms apart.
const FIRST_MICROS: i64 = 1_767_312_000_000_000;

const WEAPONS: [&str; 4] = ["knife", "sword", "nuke", "bow"];
const ITEMS: [&str; 3] = ["shield", "potion", "horse"];

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let events = arguments
        .first()
        .map_or(Ok(DEFAULT_EVENTS), |text| text.parse())?;
    let embedded = arguments.get(1).is_some_and(|text| text == "embedded");
    let folder = arguments
        .get(2)
        .map_or_else(std::env::temp_dir, PathBuf::from)
        .join("gamepipe-landing-rate");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let log: Arc<dyn EventLog> = if embedded {
            embedded_log(&folder, events).await?
        } else {
            Arc::new(SyntheticLog::new(events))
        };
        measure(&folder, log, events).await
    })?;
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

async fn measure(folder: &Path, log: Arc<dyn EventLog>, events: u64) -> Result<(), Failure> {
    let config = LakeConfig {
        path: folder.join("lake").display().to_string(),
        ..LakeConfig::default()
    };
    let lake = Arc::new(Lake::open_tables(
        &config,
        "bench",
        &tables(),
        Arc::new(SystemClock),
    )?);
    let settings = StreamerConfig {
        commit_interval_ms: 1000,
        maintenance_seconds: 0,
        ..StreamerConfig::default()
    };
    let clock = Arc::new(SystemClock);
    let streamer = Streamer::build_for(
        settings,
        "bench",
        log,
        Arc::clone(&lake),
        clock,
        Probes::default(),
    );
    let resident = status_kib("VmRSS")?;
    let begun = Instant::now();
    streamer.prepare().await?;
    println!(
        "tables ready in {:.0} ms",
        begun.elapsed().as_secs_f64() * 1000.0
    );
    let cpu = cpu_seconds()?;
    let begun = Instant::now();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(streamer.run(shutdown.clone()));
    while lake
        .newest_epoch()
        .await?
        .is_none_or(|epoch| landed(&epoch.ranges) < events)
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (wall, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    shutdown.cancel();
    running.await??;
    println!(
        "{events} events landed: {wall:.2} s wall, {cpu:.2} s CPU: {:.0} events/s, {:.0} events per CPU second",
        events as f64 / wall,
        events as f64 / cpu
    );
    println!(
        "memory beyond the log: {} MiB at most",
        (status_kib("VmHWM")?.saturating_sub(resident)) / 1024
    );
    let found = audit(&lake).await?;
    println!(
        "audit: clean={} epochs={} rows={}",
        found.is_clean(),
        found.epochs,
        found.rows()
    );
    println!(
        "lake: {:.1} MB",
        folder_bytes(&folder.join("lake"))? as f64 / 1e6
    );
    Ok(())
}

fn landed(ranges: &[gamepipe_lake::epoch::OffsetRange]) -> u64 {
    ranges.iter().map(|range| range.to).sum()
}

fn tables() -> Vec<Table> {
    let column = |name: &str, kind, source| Column {
        name: name.to_owned(),
        kind,
        source,
        description: None,
    };
    let own = |name: &str, kind| column(name, kind, ColumnSource::Property(name.to_owned()));
    let envelope = || {
        vec![
            column("timestamp", ColumnKind::Timestamp, ColumnSource::EventTime),
            column("host", ColumnKind::String, ColumnSource::Host),
            column("user-agent", ColumnKind::String, ColumnSource::UserAgent),
        ]
    };
    let table = |name: &str, event: &str, columns: Vec<Column>| Table {
        name: name.to_owned(),
        description: None,
        events: vec![event.to_owned()],
        rows: None,
        columns: envelope().into_iter().chain(columns).collect(),
    };
    vec![
        table(
            "attacks",
            "attack",
            vec![
                own("attacker", ColumnKind::String),
                own("enemy", ColumnKind::String),
                own("weapon", ColumnKind::String),
                own("damage", ColumnKind::Integer),
                own("killed", ColumnKind::Boolean),
            ],
        ),
        table(
            "purchases",
            "purchase",
            vec![
                own("buyer", ColumnKind::String),
                own("item", ColumnKind::String),
                own("price", ColumnKind::Integer),
                own("discount", ColumnKind::Number),
            ],
        ),
        table(
            "moves",
            "move",
            vec![
                own("player", ColumnKind::String),
                own("x", ColumnKind::Number),
                own("y", ColumnKind::Number),
            ],
        ),
    ]
}

/// The key and the text of an event; the same for the same number.
fn event(number: u64) -> (String, Vec<u8>) {
    // A hash, so that neighbours have nothing in common.
    let dice = number
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(31)
        .wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let player = format!("player{}", dice % 10_000);
    let (event_type, data) = match dice >> 60 {
        0..=9 => (
            "attack",
            json!({
                "attacker": player, "enemy": format!("player{}", (dice >> 20) % 10_000),
                "weapon": WEAPONS[(dice >> 40) as usize % WEAPONS.len()],
                "damage": (dice >> 33) % 100, "killed": (dice >> 50).is_multiple_of(5),
            }),
        ),
        10..=13 => (
            "purchase",
            json!({
                "buyer": player, "item": ITEMS[(dice >> 40) as usize % ITEMS.len()],
                "price": (dice >> 33) % 1000, "discount": ((dice >> 22) % 100) as f64 / 100.0,
            }),
        ),
        _ => (
            "move",
            json!({ "player": player, "x": ((dice >> 22) % 100_000) as f64 / 7.0, "y": (dice >> 11) % 100 }),
        ),
    };
    let event = Event {
        id: format!(
            "{:08x}-{:04x}-7000-8000-{:012x}",
            number >> 16,
            number & 0xffff,
            dice & 0xffff_ffff_ffff
        ),
        event_type: event_type.to_owned(),
        time: Timestamp::from_micros(FIRST_MICROS + number as i64 * 10_000),
        key: player.clone(),
        data: data.as_object().cloned().unwrap_or_default(),
        context: RequestContext {
            host: Some(format!("user{}.example.com", dice % 5)),
            user_agent: Some("ApacheBench/2.3".to_owned()),
            accept: None,
        },
        origin: Some(Origin {
            action: event_type.to_owned(),
            seed: dice,
            rules: "4f5e6d7c".to_owned(),
            writes: Vec::new(),
        }),
    };
    (player, encode_event(&event))
}

async fn embedded_log(folder: &Path, events: u64) -> Result<Arc<EmbeddedLog>, Failure> {
    let config = LogConfig {
        path: folder.join("log").display().to_string(),
        partitions: PARTITIONS,
        ..LogConfig::default()
    };
    let log = EmbeddedLog::open(&config, Arc::new(SystemClock))?;
    let numbers: Vec<u64> = (0..events).collect();
    for chunk in numbers.chunks(5000) {
        let records = chunk.iter().map(|number| {
            let (key, value) = event(*number);
            Record {
                key,
                value: value.into(),
                dedupe_id: None,
            }
        });
        log.append(records.collect()).await?;
    }
    Ok(log)
}

/// A log in memory, in large pieces, so that reading it costs what it costs to hand out slices.
#[derive(Debug)]
struct SyntheticLog {
    // For each partition: when each record was appended, its key's length and its bytes (key, then value).
    partitions: Vec<Vec<(Timestamp, usize, Bytes)>>,
}

impl SyntheticLog {
    fn new(events: u64) -> Self {
        let mut partitions = vec![Vec::new(); PARTITIONS as usize];
        let mut bytes = 0;
        for number in 0..events {
            let (key, value) = event(number);
            bytes += value.len();
            let mut record = BytesMut::with_capacity(key.len() + value.len());
            record.extend_from_slice(key.as_bytes());
            record.extend_from_slice(&value);
            let appended = Timestamp::from_micros(FIRST_MICROS + number as i64 * 10_000 + 500);
            partitions[partition_of(&key, PARTITIONS) as usize].push((
                appended,
                key.len(),
                record.freeze(),
            ));
        }
        println!(
            "{events} events of {:.0} bytes on {PARTITIONS} partitions",
            bytes as f64 / events as f64
        );
        Self { partitions }
    }
}

#[async_trait]
impl EventLog for SyntheticLog {
    fn partitions(&self) -> u32 {
        PARTITIONS
    }

    fn generation(&self) -> &str {
        "bench"
    }

    async fn append(&self, _: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        Err(LogError::Unavailable("a bench only reads".to_owned()))
    }

    async fn append_from_outbox(&self, _: OutboxBatch) -> Result<(), LogError> {
        Err(LogError::Unavailable("a bench only reads".to_owned()))
    }

    async fn outbox_position(&self, _: &str) -> Result<u64, LogError> {
        Ok(0)
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        let mut left = max_bytes;
        let mut records = Vec::new();
        for (offset, (appended, key, bytes)) in (from..).zip(
            self.partitions[partition as usize]
                .iter()
                .skip(from as usize),
        ) {
            if left < bytes.len() {
                break;
            }
            left -= bytes.len();
            records.push(LogRecord {
                offset,
                appended: *appended,
                key: bytes.slice(..*key),
                value: bytes.slice(*key..),
            });
        }
        let next = from + records.len() as u64;
        Ok(ReadBatch { records, next })
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        Ok((0..)
            .zip(&self.partitions)
            .map(|(partition, records)| PartitionOffsets {
                partition,
                low: 0,
                high: records.len() as u64,
            })
            .collect())
    }

    async fn changed(&self, _: &[u64]) {
        std::future::pending().await
    }

    async fn release(&self, _: &[u64]) -> Result<(), LogError> {
        Ok(())
    }
}

/// The CPU time of this process, all threads, in user and kernel mode.
fn cpu_seconds() -> Result<f64, Failure> {
    // Fields 14 and 15, counted after the command's name; ticks are hundredths of a second on every Linux.
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields: Vec<&str> = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .collect();
    let ticks = |index: usize| fields.get(index).unwrap_or(&"0").parse::<f64>();
    Ok((ticks(11)? + ticks(12)?) / 100.0)
}

fn status_kib(name: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with(name))
        .unwrap_or_default();
    Ok(line.split_whitespace().nth(1).unwrap_or("0").parse()?)
}

fn folder_bytes(folder: &Path) -> Result<u64, Failure> {
    let mut total = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        total += if metadata.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            metadata.len()
        };
    }
    Ok(total)
}
