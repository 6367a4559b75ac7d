//! How fast a store commits: `cargo run --release -p gamepipe-state --example commits [SECONDS] [REDIS_URL]`.
//! Without an address it is the embedded store, in the working directory. In Redis each run leaves a store behind.
//!
//! A commit is what an action makes: one entity of 6 fields, one event of 300 bytes, one idempotency record. Prints, and
//! judges nothing: the figures depend on the disk.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a bench that people read"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gamepipe_config::state::{Durability, RedisConfig, StateConfig};
use gamepipe_domain::entity::EntityId;
use gamepipe_domain::time::Timestamp;
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_state::embedded::EmbeddedStore;
use gamepipe_state::redis::RedisStore;
use gamepipe_state::{Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, StateStore};
use serde_json::json;

const PLAYERS: u64 = 10_000;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let seconds = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5);
    let redis = std::env::args().nth(2);
    for callers in [1, 8, 64, 256] {
        let length = Duration::from_secs(seconds);
        if let Some(url) = &redis {
            run(in_redis(url, callers).await, callers, length).await;
        } else {
            let folder = tempfile::tempdir_in(".").unwrap();
            let config = StateConfig {
                path: folder.path().display().to_string(),
                ..StateConfig::default()
            };
            let store = EmbeddedStore::open(&config, Arc::new(SystemClock)).unwrap();
            run(store, callers, length).await;
        }
    }
}

/// A store of its own for each number of callers: a store that is not there yet is empty.
async fn in_redis(url: &str, callers: u64) -> Arc<RedisStore> {
    let run = SystemClock.seed();
    let config = RedisConfig {
        url: url.to_owned(),
        name: format!("commits-{run}-{callers}"),
        durability: Durability::None,
        ..RedisConfig::default()
    };
    RedisStore::open(&config, Arc::new(SystemClock))
        .await
        .unwrap()
}

async fn run(store: Arc<dyn StateStore>, callers: u64, length: Duration) {
    let (begun, cpu) = (Instant::now(), cpu_seconds());
    let relay = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { trim(&*store).await })
    };
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { act(&*store, caller, callers, begun, length).await })
        })
        .collect();
    let mut latencies: Vec<u64> = Vec::new();
    for task in tasks {
        latencies.extend(task.await.unwrap());
    }
    let (elapsed, cpu) = (begun.elapsed().as_secs_f64(), cpu_seconds() - cpu);
    relay.abort();
    latencies.sort_unstable();
    let at =
        |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] as f64 / 1000.0;
    println!(
        "{callers:4} callers: {:7.0} commits/s, p50 {:.2} ms, p99 {:.2} ms, p99.9 {:.2} ms, max {:.1} ms; {:.1} CPU us each",
        latencies.len() as f64 / elapsed,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
        cpu * 1e6 / latencies.len() as f64,
    );
}

/// What a relay does, without a log.
async fn trim(store: &dyn StateStore) {
    let mut after = 0;
    loop {
        store.outbox_changed(after).await;
        if let Some(last) = store.outbox(after, 1000).await.unwrap().last() {
            after = last.sequence;
            store.trim_outbox(after).await.unwrap();
        }
    }
}

async fn act(
    store: &dyn StateStore,
    caller: u64,
    callers: u64,
    begun: Instant,
    length: Duration,
) -> Vec<u64> {
    let mut latencies = Vec::new();
    let event = Bytes::from("x".repeat(300));
    for number in 0.. {
        let started = Instant::now();
        if begun.elapsed() >= length {
            break;
        }
        // Every caller has its own players: conflicts are another bench's subject.
        let player = (number * 7919 % PLAYERS) / callers * callers + caller;
        let id = EntityId {
            entity_type: "player".into(),
            key: format!("player{player}"),
        };
        let loaded = store
            .load(std::slice::from_ref(&id))
            .await
            .unwrap()
            .remove(0);
        let version = loaded.map_or(0, |entity| entity.version);
        let state = json!({
            "money": 100 + number, "health": 20, "weapon": "stick", "shield": false, "luck": 0.25, "bag": {"gold": 3},
        });
        let record = IdempotencyRecord {
            fingerprint: "0".repeat(64),
            status: 200,
            content_type: "application/json".into(),
            body: "{\"reply\":\"done\"}".into(),
            event_ids: vec!["0".repeat(36)],
            expires: Timestamp::from_micros(SystemClock.now_micros() + 86_400_000_000),
        };
        let commit = Commit {
            expected: vec![(id.clone(), version)],
            writes: vec![(id, state.as_object().unwrap().clone())],
            events: vec![(format!("player{player}"), event.clone())],
            idempotency: Some((
                IdempotencyKey {
                    action: "attack".into(),
                    key: format!("{caller:08}-{number:027}"),
                },
                record,
            )),
            now: None,
        };
        assert_eq!(
            store.commit(commit).await.unwrap(),
            CommitOutcome::Committed
        );
        latencies.push(started.elapsed().as_micros() as u64);
    }
    latencies
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
