//! Does a commit stay as quick as its table's log grows?
//!
//! Lands epochs of one row in two tables, with a round of maintenance after each thirty as in a streamer that commits once a
//! second, and prints the time of a landing, of such a round, and of opening the tables for a query as the log grows.
//!
//! `cargo run --release -p gamepipe-lake --example commit_latency [epochs]` (10,000 unless told otherwise)

#![expect(clippy::print_stdout, reason = "an example prints its figures")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::json::ReaderBuilder;
use gamepipe_config::lake::LakeConfig;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::Game;
use gamepipe_lake::Lake;
use gamepipe_lake::commit::EncodedEpoch;
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_lake::maintenance::Rounds;
use gamepipe_lake::reader::{LakeReader, View};
use gamepipe_service::clock::SystemClock;

/// Epochs behind each figure.
const WINDOW: usize = 100;
/// A second each, at the default pace of maintenance.
const EPOCHS_A_ROUND: usize = 30;
const TABLES: [&str; 2] = ["player_events", "dig_for_gold_events"];

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let epochs: usize = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 10_000,
    };
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("lake");
    let game = arena()?;
    let config = LakeConfig {
        path: path.display().to_string(),
        ..LakeConfig::default()
    };
    let lake = Arc::new(Lake::open(&config, game.clone(), Arc::new(SystemClock))?);
    lake.prepare().await?;
    lake.resume("latency", 1).await?;
    let maintenance = StreamerConfig::default();
    let mut rounds = Rounds::default();
    let mut round = Duration::ZERO;
    let reader = LakeReader::open(&config, game.clone())?;
    println!(
        "{:>8} {:>8} {:>8} {:>12} {:>10} {:>10} {:>6}",
        "epoch", "p50 ms", "p99 ms", "open new ms", "follow ms", "round ms", "MiB"
    );
    let mut times = Vec::with_capacity(WINDOW);
    for epoch in 0..epochs {
        times.push(land(&lake, epoch as u64).await?);
        if (epoch + 1) % EPOCHS_A_ROUND == 0 {
            let started = Instant::now();
            lake.maintain_once(&maintenance, &mut rounds).await?;
            round = started.elapsed();
        }
        if times.len() < WINDOW {
            continue;
        }
        if is_shown((epoch + 1) / WINDOW) {
            times.sort_unstable();
            let fresh = open_tables(&LakeReader::open(&config, game.clone())?).await?;
            let followed = open_tables(&reader).await?;
            println!(
                "{:>8} {:>8.2} {:>8.2} {:>12.1} {:>10.1} {:>10.1} {:>6}",
                epoch + 1,
                millis(times[WINDOW / 2]),
                millis(times[WINDOW * 99 / 100]),
                millis(fresh),
                millis(followed),
                millis(round),
                resident_mib()
            );
        }
        times.clear();
    }
    Ok(())
}

/// 100, 200, 500, 1,000 and so on.
fn is_shown(windows: usize) -> bool {
    let mut step = 1;
    while step <= windows {
        if [step, step * 2, step * 5].contains(&windows) {
            return true;
        }
        step *= 10;
    }
    false
}

async fn land(lake: &Lake, offset: u64) -> Result<Duration, Failure> {
    let mut tables = Vec::new();
    for name in TABLES {
        let table = lake.tables().iter().find(|table| table.table.name == name);
        let schema = table.ok_or("arena lost a table")?.schema.clone();
        let row = format!(
            "{{\"_event_id\":\"e{offset}\",\"_event_time\":\"2026-01-01T00:00:00\",\"_event_date\":\"2026-01-01\",\"_partition\":0,\"_offset\":{offset}}}"
        );
        let mut json = ReaderBuilder::new(schema).build(row.as_bytes())?;
        let batch: RecordBatch = json.next().ok_or("no row")??;
        tables.push(lake.encode(name, vec![batch]).await?);
    }
    let epoch = EncodedEpoch {
        ranges: vec![OffsetRange::new(0, offset, offset + 1)],
        records: 1,
        tables,
        passes_gaps: false,
    };
    let started = Instant::now();
    lake.commit_epoch(epoch).await?;
    Ok(started.elapsed())
}

async fn open_tables(reader: &Arc<LakeReader>) -> Result<Duration, Failure> {
    let started = Instant::now();
    let cut = reader.cut().await?;
    for name in TABLES {
        cut.table(View::Declared, name).await?;
    }
    Ok(started.elapsed())
}

fn arena() -> Result<Arc<Game>, Failure> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../games/arena");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| e.to_string());
    let text = read("game.yaml")?;
    Ok(Arc::new(Game::load("arena", &text, &read)?))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
