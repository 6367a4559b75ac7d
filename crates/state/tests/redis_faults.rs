//! What the store in Redis does when Redis is killed, stopped, emptied, or replaced by a copy that lags.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gamepipe_config::state::{Durability, RedisConfig};
use gamepipe_service::clock::SystemClock;
use gamepipe_state::redis::{RedisStore, Repair};
use gamepipe_state::{Commit, CommitOutcome, StateError, StateStore};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_testkit::reexec::Dice;
use gamepipe_testkit::transfers::{self, Ledger, START_MONEY, money, pair, transfer, try_money};
use gamepipe_testkit::wait;
use tokio::sync::Mutex;

const WRITERS: u64 = 8;

/// Long enough for a busy machine, short enough for a test that waits for it.
const TIMEOUT_MS: u64 = 500;

fn config(server: &RedisServer) -> RedisConfig {
    RedisConfig {
        url: server.url(),
        timeout_ms: TIMEOUT_MS,
        ..RedisConfig::default()
    }
}

async fn open(server: &RedisServer) -> Arc<RedisStore> {
    try_open(&config(server)).await.unwrap()
}

async fn try_open(config: &RedisConfig) -> Result<Arc<RedisStore>, StateError> {
    RedisStore::open(config, Arc::new(SystemClock)).await
}

/// Tries again, under the same name, until there is an answer.
async fn insist(store: &RedisStore, name: &str, from: u64, to: u64) {
    let begun = std::time::Instant::now();
    while let Err(error) = transfer(store, name, from, to).await {
        assert!(begun.elapsed() < wait::DEADLINE, "{name}: {error}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until a read is refused with a text that has `part`.
async fn refused(store: &RedisStore, part: &str) {
    let has_part = async || match try_money(store, 0).await {
        Err(StateError::Unavailable(text)) => text.contains(part),
        _ => false,
    };
    wait::until(part, has_part).await;
    let error = transfer(store, "never", 0, 1).await.unwrap_err();
    assert!(error.to_string().contains(part), "{error}");
}

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

/// Cuts the end off the append-only file, as a power cut does to what was not synced.
fn cut(server: &RedisServer, bytes: u64) {
    let folder = server.folder().join("appendonlydir");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let file = files
        .filter(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .max()
        .unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - bytes).unwrap();
}

#[tokio::test]
async fn redis_that_lost_its_last_second_is_noticed_and_told_to_everybody() {
    let mut server = RedisServer::start(&[]);
    let (writer, reader) = (open(&server).await, open(&server).await);
    for number in 0..20 {
        transfer(&*writer, &format!("t{number}"), 0, 1)
            .await
            .unwrap();
    }
    // The reader knows less than the writer: what it knows is all there after the cut.
    assert_eq!(money(&*reader, 1).await.1, START_MONEY + 20);
    transfer(&*writer, "last", 0, 1).await.unwrap();
    server.kill();
    cut(&server, 10);
    server.restart();
    refused(&writer, "lost commits that had been acknowledged").await;
    let told = async || {
        // Whoever reads is told, at the latest when the server is looked at again.
        let refused = try_money(&*reader, 0)
            .await
            .map_err(|error| error.to_string());
        refused.is_err_and(|text| text.contains("lost commits"))
    };
    wait::until("the other process is told, too", told).await;
    assert!(
        reader.trim_outbox(0).await.is_err(),
        "a relay can't confirm what lacks commits"
    );
    let error = try_open(&config(&server)).await.unwrap_err().to_string();
    assert!(
        error.contains("lost commits") && error.contains("commit 21 had been seen"),
        "{error}"
    );
}

#[tokio::test]
async fn redis_that_lost_commits_goes_on_when_a_person_accepts_it_and_gives_no_number_twice() {
    let mut server = RedisServer::start(&[]);
    let (store, idle) = (open(&server).await, open(&server).await);
    for number in 0..20 {
        transfer(&*store, &format!("t{number}"), 0, 1)
            .await
            .unwrap();
    }
    assert_eq!(money(&*idle, 1).await.1, START_MONEY + 20);
    server.kill();
    cut(&server, 10);
    server.restart();
    refused(&store, "lost commits that had been acknowledged").await;
    let repair = Repair::connect(&config(&server), Arc::new(SystemClock))
        .await
        .unwrap();
    assert_eq!(repair.outbox_id(), store.outbox_id());
    // The log has entries that the outbox lost.
    repair.accept_loss(40).await.unwrap();
    for (number, store) in [&store, &idle].into_iter().enumerate() {
        insist(store, &format!("after {number}"), 0, 1).await;
    }
    store.trim_outbox(40).await.unwrap();
    let entries = store.outbox(40, 10).await.unwrap();
    let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
    assert_eq!(sequences, [41, 42, 43, 44]);
    assert_eq!(
        money(&*store, 1).await.1,
        START_MONEY + 21,
        "19 were left, and 2 came"
    );
    server.restart();
    insist_on_trim(&store, 44).await;
    transfer(&*store, "later", 0, 1).await.unwrap();
}

/// Trims again until Redis answers.
async fn insist_on_trim(store: &RedisStore, up_to: u64) {
    wait::until("the outbox is trimmed", async || {
        store.trim_outbox(up_to).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn redis_that_lost_what_the_log_has_is_noticed_by_the_relay_although_every_process_is_new() {
    let mut server = RedisServer::start(&[]);
    let store = open(&server).await;
    for number in 0..20 {
        transfer(&*store, &format!("t{number}"), 0, 1)
            .await
            .unwrap();
    }
    let mut ledger = Ledger::default();
    ledger.take(store.outbox(0, 100).await.unwrap());
    drop(store);
    server.kill();
    cut(&server, 10);
    server.restart();
    let store = open(&server).await;
    refused(&store, "until the relay has compared").await;
    let error = store.trim_outbox(ledger.last()).await.unwrap_err();
    assert!(
        matches!(&error, StateError::Invalid(text) if text.contains("outbox entry 40")),
        "{error}"
    );
    refused(&store, "until the relay has compared").await;
    assert!(store.outbox(0, 10).await.is_err());
}

#[tokio::test]
async fn redis_set_back_while_it_runs_is_noticed_by_the_next_request() {
    const HEAD: &str = "{gamepipe:gamepipe}head";
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    transfer(&*store, "before", 0, 1).await.unwrap();
    let old_head = server.ask(&["GET", HEAD]);
    transfer(&*store, "after", 0, 1).await.unwrap();
    server.ask(&["SET", HEAD, &old_head]);
    let commit = Commit {
        expected: vec![(transfers::player(5), 0)],
        ..Commit::default()
    };
    let error = store.commit(commit).await.unwrap_err();
    assert!(matches!(error, StateError::Unavailable(_)), "{error}");
    refused(&store, "stands at commit 1, and commit 2 had been seen").await;
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

#[tokio::test]
async fn redis_that_was_flushed_is_never_taken_for_an_empty_store() {
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    transfer(&*store, "before", 0, 1).await.unwrap();
    server.ask(&["FLUSHALL"]);
    refused(&store, "no longer holds store").await;
    let careful = RedisConfig {
        create: false,
        ..config(&server)
    };
    let error = try_open(&careful).await.unwrap_err().to_string();
    assert!(
        error.contains("does not hold store") && error.contains("state.redis.create"),
        "{error}"
    );
    let newcomer = open(&server).await;
    transfer(&*newcomer, "anew", 0, 1).await.unwrap();
    refused(&store, "holds another store").await;
    assert_ne!(newcomer.outbox_id(), store.outbox_id());
    server.ask(&["DEL", "{gamepipe:gamepipe}head"]);
    refused(&newcomer, "no longer holds").await;
    let error = try_open(&config(&server)).await.unwrap_err().to_string();
    assert!(error.contains("but not its head"), "{error}");
}

#[tokio::test]
async fn redis_begun_anew_while_connected_takes_no_commit_of_the_store_before() {
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    transfer(&*store, "before", 0, 1).await.unwrap();
    server.ask(&["FLUSHALL"]);
    let newcomer = open(&server).await;
    for number in 0..3 {
        transfer(&*newcomer, &format!("anew {number}"), 0, 1)
            .await
            .unwrap();
    }
    let commit = Commit {
        expected: vec![(transfers::player(5), 0)],
        events: vec![("p5".to_owned(), "of the store before 0".into())],
        ..Commit::default()
    };
    let error = store.commit(commit).await.unwrap_err();
    assert!(matches!(error, StateError::Unavailable(_)), "{error}");
    assert_eq!(newcomer.outbox_depth().await.unwrap(), 6);
}

#[tokio::test]
async fn redis_failing_over_to_a_replica_that_lags_is_noticed() {
    let mut primary = RedisServer::start(&[]);
    let port = primary.port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let store = open(&primary).await;
    transfer(&*store, "replicated", 0, 1).await.unwrap();
    let has_it = async || replica.ask(&["XLEN", "{gamepipe:gamepipe}outbox"]) == "2";
    wait::until("the replica has it", has_it).await;
    let error = try_open(&config(&replica)).await.unwrap_err().to_string();
    assert!(
        error.contains("read-only replica") && error.contains("primary"),
        "{error}"
    );
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    transfer(&*store, "not replicated", 0, 1).await.unwrap();
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    // What a fail-over does to a service's address.
    wait::until("the address moves", async || {
        replica.ask(&["CONFIG", "SET", "port", &port]) == "OK"
    })
    .await;
    refused(&store, "lost commits that had been acknowledged").await;
}

#[tokio::test]
async fn redis_failing_over_to_a_replica_that_has_all_goes_on() {
    let mut primary = RedisServer::start(&[]);
    let port = primary.port().to_string();
    let replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let store = open(&primary).await;
    transfer(&*store, "replicated", 0, 1).await.unwrap();
    let has_it = async || replica.ask(&["XLEN", "{gamepipe:gamepipe}outbox"]) == "2";
    wait::until("the replica has it", has_it).await;
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    wait::until("the address moves", async || {
        replica.ask(&["CONFIG", "SET", "port", &port]) == "OK"
    })
    .await;
    refused(&store, "until the relay has compared").await;
    store.trim_outbox(0).await.unwrap();
    transfer(&*store, "after", 0, 1).await.unwrap();
    assert_eq!(money(&*store, 1).await, (2, START_MONEY + 2));
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
