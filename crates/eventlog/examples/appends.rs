//! How fast the embedded log appends and reads: `cargo run --release -p gamepipe-eventlog --example appends [SECONDS]`.
//!
//! Records are events of 300 bytes in calls of 100 from 8 callers. Prints, and judges nothing: the figures depend on the
//! disk.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that people read"
)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_eventlog::{EventLog, Record};
use gamepipe_service::clock::SystemClock;

const CALLERS: u64 = 8;
const PER_CALL: u64 = 100;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    for with_ids in [false, true] {
        run(with_ids, Duration::from_secs(seconds)).await;
    }
}

async fn run(with_ids: bool, length: Duration) {
    let folder = tempfile::tempdir_in(".").unwrap();
    let config = LogConfig {
        path: folder.path().display().to_string(),
        retention_seconds: 0,
        ..LogConfig::default()
    };
    let log = EmbeddedLog::open(&config, Arc::new(SystemClock)).unwrap();
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let log = Arc::clone(&log);
            tokio::spawn(async move { append(&log, caller, with_ids, begun, length).await })
        })
        .collect();
    let mut latencies: Vec<u64> = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    latencies.sort_unstable();
    let at =
        |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    let records = latencies.len() as f64 * PER_CALL as f64;
    println!(
        "append, {} ids: {:8.0} records/s, p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms; {:.2} CPU us each, {:.2} cores",
        if with_ids { "with" } else { "without" },
        records / elapsed,
        at(0.5),
        at(0.99),
        at(1.0),
        cpu * 1e6 / records,
        cpu / elapsed,
    );
    read(&log, "read").await;
    drop(log);
    let begun = Instant::now();
    let log = EmbeddedLog::open(&config, Arc::new(SystemClock)).unwrap();
    println!(
        "open again: {:.0} ms, {:.0} MB on disk",
        begun.elapsed().as_secs_f64() * 1e3,
        disk_mb(folder.path())
    );
    read(&log, "read after open").await;
    land(&log, folder.path(), length).await;
}

async fn append(
    log: &EmbeddedLog,
    caller: u64,
    with_ids: bool,
    begun: Instant,
    length: Duration,
) -> Vec<u64> {
    let mut latencies = Vec::new();
    for call in 0.. {
        let records = (call * PER_CALL..(call + 1) * PER_CALL)
            .map(|number| event(caller, number, with_ids))
            .collect();
        let started = Instant::now();
        if begun.elapsed() >= length {
            break;
        }
        log.append(records).await.unwrap();
        latencies.push(started.elapsed().as_micros() as u64);
    }
    latencies
}

/// About 300 bytes, as similar to one another as events are.
fn event(caller: u64, number: u64, with_id: bool) -> Record {
    let noise = (caller << 40 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let id = format!("{noise:016x}-{number:012x}-{caller:04x}");
    let player = noise % 5000;
    let value = format!(
        "{{\"event_id\":\"{id}\",\"event_type\":\"level_completed\",\"event_time\":\"2026-01-02T03:04:{:02}.{:06}Z\",\
         \"player\":\"player{player}\",\"level\":{},\"duration_ms\":{},\"score\":{},\"difficulty\":\"hard\",\"won\":true,\
         \"Host\":\"game.example.com:5000\",\"User-Agent\":\"ExampleGame/1.2.3 (Linux)\",\"Accept\":\"*/*\"}}",
        noise % 60,
        noise % 1_000_000,
        noise % 90,
        noise % 300_000,
        noise % 7_000_000,
    );
    let dedupe_id = with_id.then_some(id);
    Record {
        key: format!("player{player}"),
        value: Bytes::from(value),
        dedupe_id,
    }
}

async fn read(log: &EmbeddedLog, what: &str) {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let (mut records, mut bytes) = (0, 0);
    for offsets in log.offsets().await.unwrap() {
        let mut next = offsets.low;
        while next < offsets.high {
            let batch = log.read(offsets.partition, next, 4 << 20).await.unwrap();
            records += batch.records.len();
            bytes += batch
                .records
                .iter()
                .map(|record| record.value.len())
                .sum::<usize>();
            next = batch.next;
        }
    }
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    println!(
        "{what}: {:8.0} records/s of {} bytes, {:.2} CPU us each",
        records as f64 / elapsed,
        bytes / records.max(1),
        cpu * 1e6 / records as f64,
    );
}

/// All that is appended lands at once and may go: the disk must not grow for ever.
async fn land(log: &Arc<EmbeddedLog>, folder: &Path, length: Duration) {
    let begun = Instant::now();
    for step in 1..=6 {
        let appender = {
            let (log, begun) = (Arc::clone(log), Instant::now());
            tokio::spawn(async move { append(&log, 8 + step, false, begun, length).await.len() })
        };
        let calls = appender.await.unwrap();
        let offsets = log.offsets().await.unwrap();
        let highs: Vec<u64> = offsets.iter().map(|offsets| offsets.high).collect();
        log.release(&highs).await.unwrap();
        let kept: u64 = offsets
            .iter()
            .map(|offsets| offsets.high - offsets.low)
            .sum();
        println!(
            "landing: {:3.0} s, {:6} records more, {kept:7} kept before the release, {:.0} MB on disk",
            begun.elapsed().as_secs_f64(),
            calls as u64 * PER_CALL,
            disk_mb(folder)
        );
    }
}

/// What the files take, in MB; room set aside but not written counts nothing.
fn disk_mb(folder: &Path) -> f64 {
    use std::os::unix::fs::MetadataExt;
    let mut blocks = 0;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            match entry.metadata() {
                Ok(data) if data.is_dir() => folders.push(entry.path()),
                Ok(data) => blocks += data.blocks(),
                Err(_) => {}
            }
        }
    }
    blocks as f64 * 512.0 / 1e6
}

/// User and system time of this process, where the system says.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|text| text.parse::<f64>().ok())
            .unwrap_or_default()
    };
    (ticks(11) + ticks(12)) / 100.0
}
