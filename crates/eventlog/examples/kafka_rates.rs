//! Rates of the log in Kafka on a broker of its own: single appends of many callers, a relay, and reading. CPU is this
//! process's alone, without the broker.
//!
//! `GAMEPIPE_TEST_KAFKA=<folder of jars> cargo run --release -p gamepipe-eventlog --example kafka_rates [RECORDS]`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement that a person runs"
)]

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use gamepipe_config::kafka::KafkaConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, OutboxBatch, Record};
use gamepipe_service::clock::SystemClock;
use gamepipe_testkit::kafka_server::{KafkaServer, Options};

/// Callers that append one event at a time.
const CALLERS: u64 = 128;

/// What each of them appends.
const CALLS: u64 = 2000;

/// What a relay moves at once.
const BATCH: u64 = 4096;

/// An event of 268 bytes, as the games' are on average.
fn event(number: u64) -> Record {
    let player = number * 7919 % 10_000;
    let value = format!(
        "{{\"event_id\":\"019ae{number:020}-b1\",\"event_type\":\"purchase_weapon\",\"event_time\":\"2026-01-02T03:04:05.{:06}Z\",\
         \"Accept\":\"*/*\",\"Host\":\"user{player}.example.com\",\"User-Agent\":\"ApacheBench/2.3\",\"username\":\"player{player:06}\",\
         \"weapon\":\"sword\",\"price\":{},\"wallet\":{}}}",
        number % 1_000_000,
        number % 97,
        number % 1009
    );
    Record {
        key: format!("player{player:06}"),
        value: Bytes::from(value),
        dedupe_id: None,
    }
}

/// CPU seconds of this process so far.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let rest = stat.rsplit_once(')').unwrap().1;
    let ticks: f64 = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|ticks| ticks.parse::<f64>().unwrap())
        .sum();
    ticks / 100.0
}

fn tell(what: &str, records: u64, begun: Instant, cpu_before: f64) {
    let (wall, used) = (begun.elapsed().as_secs_f64(), cpu() - cpu_before);
    println!(
        "{what}: {records} in {wall:.2} s = {:.0}/s; {:.2} us CPU each",
        records as f64 / wall,
        used * 1e6 / records as f64
    );
}

async fn append_singly(log: &Arc<KafkaLog>) {
    let (begun, before) = (Instant::now(), cpu());
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let log = Arc::clone(log);
            tokio::spawn(async move {
                let mut micros = Vec::new();
                for call in 0..CALLS {
                    let called = Instant::now();
                    log.append(vec![event(caller * CALLS + call)])
                        .await
                        .unwrap();
                    micros.push(called.elapsed().as_micros());
                }
                micros
            })
        })
        .collect();
    let mut micros = Vec::new();
    for task in tasks {
        micros.extend(task.await.unwrap());
    }
    micros.sort_unstable();
    tell(
        "single appends of 128 callers",
        CALLERS * CALLS,
        begun,
        before,
    );
    let at = |part: usize| micros[micros.len() * part / 100];
    println!("  p50 {} us, p99 {} us", at(50), at(99));
}

async fn relay(log: &KafkaLog, outbox: &str, batch: u64, batches: u64) {
    let mut position = log.outbox_position(outbox).await.unwrap();
    // The first becomes the relay.
    for (round, count) in [(0, 1), (1, batches)] {
        let (begun, before) = (Instant::now(), cpu());
        for _ in 0..count {
            let records = (0..batch).map(|number| event(position + number)).collect();
            let batch_of = OutboxBatch {
                outbox_id: outbox.to_owned(),
                first: position + 1,
                records,
            };
            log.append_from_outbox(batch_of).await.unwrap();
            position += batch;
        }
        if round == 1 {
            tell(
                &format!("relay in batches of {batch}"),
                batch * count,
                begun,
                before,
            );
            println!(
                "  {:.1} ms a batch",
                begun.elapsed().as_secs_f64() * 1e3 / count as f64
            );
        }
    }
}

async fn read_all(log: &KafkaLog, what: &str) {
    let offsets = log.offsets().await.unwrap();
    let mut nexts: Vec<u64> = offsets.iter().map(|known| known.low).collect();
    let (begun, before) = (Instant::now(), cpu());
    let (mut records, mut bytes) = (0, 0);
    loop {
        let mut is_done = true;
        for (known, next) in offsets.iter().zip(&mut nexts) {
            if *next < known.high {
                is_done = false;
                let batch = log.read(known.partition, *next, 1 << 20).await.unwrap();
                *next = batch.next;
                records += batch.records.len() as u64;
                bytes += batch
                    .records
                    .iter()
                    .map(|record| record.value.len())
                    .sum::<usize>();
            }
        }
        if is_done {
            break;
        }
    }
    tell(what, records, begun, before);
    println!("  {} bytes each", bytes as u64 / records.max(1));
}

#[tokio::main]
async fn main() {
    let records: u64 = std::env::args()
        .nth(1)
        .map_or(1_000_000, |text| text.parse().unwrap());
    let server = KafkaServer::start(Options::default());
    let config = LogConfig {
        kafka: KafkaConfig {
            bootstrap_servers: server.bootstrap(),
            ..KafkaConfig::default()
        },
        ..LogConfig::default()
    };
    let open = async |what: &str| {
        let begun = Instant::now();
        let log = KafkaLog::open(&config, "rates", Arc::new(SystemClock))
            .await
            .unwrap();
        println!("{what}: {} ms", begun.elapsed().as_millis());
        log
    };
    let log = open("open a new log").await;
    let begun = Instant::now();
    drop(log);
    println!("drop: {} ms", begun.elapsed().as_millis());
    let log = open("open it again").await;
    append_singly(&log).await;
    append_singly(&log).await;
    relay(&log, "small", 100, 50).await;
    relay(&log, "large", BATCH, (records / BATCH).max(1)).await;
    read_all(&log, "read").await;
    drop(log);
    let log = open("open it again").await;
    read_all(&log, "read again").await;
    let begun = Instant::now();
    for _ in 0..100 {
        log.offsets().await.unwrap();
    }
    println!("offsets: {} us each", begun.elapsed().as_micros() / 100);
    let begun = Instant::now();
    for number in 0..20 {
        log.read(0, number * 5000 % 20_000, 1).await.unwrap();
    }
    println!("random reads: {} us each", begun.elapsed().as_micros() / 20);
}
