//! What the store in Redis does when Redis is killed, restarted or stopped, and when many write at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gamepipe_config::state::{Durability, RedisConfig};
use gamepipe_domain::time::Timestamp;
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_state::redis::RedisStore;
use gamepipe_state::{Commit, CommitOutcome, IdempotencyRecord, StateError, StateStore};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_testkit::reexec::Dice;
use gamepipe_testkit::transfers::{self, Ledger, START_MONEY, money, pair, transfer, try_money};
use gamepipe_testkit::wait;
use tokio::sync::Mutex;

use crate::stores::{TIMEOUT_MS, config, insist, open, refused, try_open};

const WRITERS: u64 = 8;

/// Moves the outbox to a ledger as a relay moves it to the log: from where the ledger stands, again after each failure.
async fn relay(store: &RedisStore, ledger: &Mutex<Ledger>, ends: &AtomicBool) {
    let mut is_confirmed = false;
    loop {
        let is_last = ends.load(Ordering::SeqCst);
        let mut ledger = ledger.lock().await;
        let round = async {
            if !is_confirmed {
                store.trim_outbox(ledger.last()).await?;
            }
            let entries = store.outbox(ledger.last(), 100).await?;
            let moved = entries.len();
            ledger.take(entries);
            store.trim_outbox(ledger.last()).await?;
            Ok::<_, StateError>(moved)
        };
        let outcome = round.await;
        let last = ledger.last();
        drop(ledger);
        is_confirmed = outcome.is_ok();
        match outcome {
            Ok(0) if is_last => return,
            Ok(0) => {
                let wait =
                    tokio::time::timeout(Duration::from_millis(100), store.outbox_changed(last));
                let _ = wait.await;
            }
            Ok(_) => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

/// Makes transfers, each until it is acknowledged, until `ends`; their names.
async fn write(store: Arc<RedisStore>, writer: u64, ends: Arc<AtomicBool>) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for number in 0_u64.. {
        if ends.load(Ordering::SeqCst) {
            break;
        }
        let name = format!("{writer}-{number}");
        let (from, to) = pair(writer, number);
        insist(&store, &name, from, to).await;
        acknowledged.push(name);
    }
    acknowledged
}

/// AT-1, OV-1, ID-1: whatever was acknowledged survives, and what is tried again under its name is done once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_killed_under_load_with_always_loses_and_doubles_nothing() {
    let mut dice = Dice::from_environment();
    let mut server = RedisServer::start(&["--appendfsync", "always"]);
    let config = RedisConfig {
        durability: Durability::Always,
        ..config(&server)
    };
    // Two processes share the store.
    let stores = [
        try_open(&config).await.unwrap(),
        try_open(&config).await.unwrap(),
    ];
    let store = Arc::clone(&stores[0]);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let [ends, relay_ends] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let relaying = {
        let (store, ledger) = (Arc::clone(&store), Arc::clone(&ledger));
        let ends = Arc::clone(&relay_ends);
        tokio::spawn(async move { relay(&store, &ledger, &ends).await })
    };
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = Arc::clone(&stores[writer as usize % 2]);
            tokio::spawn(write(store, writer, Arc::clone(&ends)))
        })
        .collect();
    for _ in 0..12 {
        let goal = ledger.lock().await.transfers() + dice.roll(200) as usize;
        let goes_on = async || ledger.lock().await.transfers() > goal;
        wait::until("transfers go on", goes_on).await;
        server.kill();
        tokio::time::sleep(Duration::from_millis(dice.roll(50))).await;
        server.restart();
    }
    ends.store(true, Ordering::SeqCst);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(wait::ready("the writer ends", writer).await.unwrap());
    }
    relay_ends.store(true, Ordering::SeqCst);
    wait::ready("the relay ends", relaying).await.unwrap();
    let mut ledger = ledger.lock().await;
    ledger.drain(&*store).await;
    ledger.check(&*store, &acknowledged).await;
    assert_eq!(
        ledger.transfers(),
        acknowledged.len(),
        "nothing was invented"
    );
}

#[tokio::test]
async fn redis_forgets_records_by_itself() {
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    let now = Timestamp::from_micros(SystemClock.now_micros());
    let record = IdempotencyRecord {
        fingerprint: String::new(),
        status: 200,
        content_type: String::new(),
        body: String::new(),
        event_ids: Vec::new(),
        expires: Timestamp::from_micros(now.micros() + 3_600_000_000),
    };
    let commit = Commit {
        idempotency: Some((transfers::key("kept for an hour"), record)),
        now: Some(now),
        ..Commit::default()
    };
    store.commit(commit).await.unwrap();
    let keys = server.ask(&["KEYS", "{gamepipe:gamepipe}i:*"]);
    let lifetime: u64 = server.ask(&["PTTL", &keys]).parse().unwrap();
    assert!((3_000_000..=3_600_000).contains(&lifetime), "{lifetime} ms");
}

#[tokio::test]
async fn redis_restarted_without_a_loss_goes_on_when_the_relay_has_compared() {
    let mut server = RedisServer::start(&["--appendfsync", "always"]);
    let (store, other) = (open(&server).await, open(&server).await);
    transfer(&*store, "before", 0, 1).await.unwrap();
    let waiting = {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.outbox_changed(2).await })
    };
    server.restart();
    wait::ready("a waiting relay is woken to look", waiting)
        .await
        .unwrap();
    refused(&store, "until the relay has compared").await;
    assert_eq!(
        store.outbox_depth().await.unwrap(),
        2,
        "readiness can be told"
    );
    let mut ledger = Ledger::default();
    store.trim_outbox(0).await.unwrap();
    transfer(&*store, "after", 0, 1).await.unwrap();
    insist(&other, "after, elsewhere", 0, 1).await;
    ledger.drain(&*store).await;
    let names = ["before", "after", "after, elsewhere"].map(str::to_owned);
    ledger.check(&*store, &names).await;
}

#[tokio::test]
async fn redis_that_is_stopped_is_told_from_one_that_is_gone_and_its_open_commits_happen_once() {
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    transfer(&*store, "before", 0, 1).await.unwrap();
    let commit = Commit {
        expected: vec![(transfers::player(5), 0)],
        events: vec![("p5".to_owned(), "open 0".into())],
        ..Commit::default()
    };
    server.freeze();
    let error = store.commit(commit).await.unwrap_err().to_string();
    assert!(error.contains("did not answer within 500 ms"), "{error}");
    // The next ones need not wait to be refused.
    let begun = std::time::Instant::now();
    while begun.elapsed() < Duration::from_millis(TIMEOUT_MS / 2) {
        assert!(try_money(&*store, 0).await.is_err());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    server.thaw();
    insist(&store, "after", 0, 1).await;
    // The stopped server went on with what it had received.
    let entries = store.outbox(0, 10).await.unwrap();
    let open = entries
        .iter()
        .filter(|entry| &*entry.value == b"open 0")
        .count();
    assert_eq!((open, entries.len()), (1, 5));
    assert_eq!(money(&*store, 1).await.1, START_MONEY + 2);
}

/// OV-1. Of all that race for a version of an entity, in one process or in two, one wins.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_lets_one_of_racing_writers_win_whatever_they_touch() {
    let mut dice = Dice::from_environment();
    let server = RedisServer::start(&[]);
    let stores = [open(&server).await, open(&server).await];
    for round in 0..100_u64 {
        let ids: Vec<_> = (0..4)
            .map(|number| transfers::player(100 + 4 * round + number))
            .collect();
        let mut tasks = Vec::new();
        for racer in 0..2 + dice.roll(6) {
            let touched: Vec<_> = ids.iter().filter(|_| dice.roll(2) == 0).cloned().collect();
            let written = touched.iter().filter(|_| dice.roll(4) > 0).cloned();
            let commit = Commit {
                writes: written.map(|id| (id, Default::default())).collect(),
                expected: touched.into_iter().map(|id| (id, 0)).collect(),
                events: vec![(String::new(), format!("{racer}").into())],
                ..Commit::default()
            };
            let store = Arc::clone(&stores[dice.roll(2) as usize]);
            tasks.push(tokio::spawn(async move {
                let outcome = store.commit(commit.clone()).await.unwrap();
                (outcome == CommitOutcome::Committed).then_some(commit)
            }));
        }
        let mut writers = vec![0; ids.len()];
        let mut committed = 0;
        for task in tasks {
            let Some(commit) = task.await.unwrap() else {
                continue;
            };
            committed += 1;
            for (id, _) in commit.writes {
                writers[ids.iter().position(|other| *other == id).unwrap()] += 1;
            }
        }
        let versions: Vec<u64> = stores[0]
            .load(&ids)
            .await
            .unwrap()
            .iter()
            .map(|entity| entity.as_ref().map_or(0, |entity| entity.version))
            .collect();
        assert!(
            writers.iter().all(|wins| *wins <= 1),
            "round {round}: {writers:?}"
        );
        assert_eq!(versions, writers, "round {round}");
        assert!(committed > 0, "round {round}: somebody wins");
        let events = stores[1].outbox(0, 100).await.unwrap();
        assert_eq!(events.len(), committed, "round {round}");
        stores[1]
            .trim_outbox(events.last().unwrap().sequence)
            .await
            .unwrap();
    }
}
