//! A Redis that lost something, was emptied, set back, or replaced by a copy that lags, and how that is noticed.

use std::sync::Arc;

use gamepipe_config::state::RedisConfig;
use gamepipe_domain::entity::Entity;
use gamepipe_service::clock::SystemClock;
use gamepipe_state::redis::{RedisStore, Repair, Restore};
use gamepipe_state::{Commit, StateError, StateStore};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_testkit::transfers::{self, Ledger, START_MONEY, money, transfer, try_money};
use gamepipe_testkit::wait;

use crate::stores::{config, insist, open, refused, try_open};

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
async fn redis_that_lost_commits_is_noticed_although_others_have_committed_more_since() {
    let mut server = RedisServer::start(&[]);
    let port = server.port();
    let store = open(&server).await;
    for number in 0..20 {
        transfer(&*store, &format!("t{number}"), 0, 1)
            .await
            .unwrap();
    }
    server.kill();
    cut(&server, 10);
    server.restart_elsewhere();
    let newcomer = open(&server).await;
    newcomer.trim_outbox(0).await.unwrap();
    for number in 0..5 {
        let name = format!("since {number}");
        transfer(&*newcomer, &name, 0, 1).await.unwrap();
    }
    server.move_to(port);
    refused(
        &store,
        "incarnation 2 began at commit 19, and commit 20 had been seen",
    )
    .await;
    let error = newcomer.trim_outbox(1).await.unwrap_err();
    assert!(matches!(error, StateError::Unavailable(_)), "{error}");
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

/// Waits until a new replica has written what it got: its file is begun anew, in the background.
async fn on_disk(replica: &RedisServer) {
    let is_written = async || {
        let info = replica.ask(&["INFO", "persistence"]);
        ["aof_rewrite_in_progress:0", "aof_rewrite_scheduled:0"]
            .iter()
            .all(|part| info.contains(part))
    };
    wait::until("the replica's file is written", is_written).await;
}

#[tokio::test]
async fn redis_failing_over_to_a_replica_that_lags_is_noticed() {
    let mut primary = RedisServer::start(&[]);
    let port = primary.port().to_string();
    let mut replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let store = open(&primary).await;
    transfer(&*store, "replicated", 0, 1).await.unwrap();
    let has_it = async || replica.ask(&["XLEN", "{gamepipe:gamepipe}outbox"]) == "2";
    wait::until("the replica has it", has_it).await;
    on_disk(&replica).await;
    let error = try_open(&config(&replica)).await.unwrap_err().to_string();
    assert!(
        error.contains("read-only replica") && error.contains("primary"),
        "{error}"
    );
    replica.ask(&["REPLICAOF", "127.0.0.1", "1"]);
    transfer(&*store, "not replicated", 0, 1).await.unwrap();
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    replica.restart_at(primary.port());
    refused(&store, "lost commits that had been acknowledged").await;
}

#[tokio::test]
async fn redis_failing_over_to_a_replica_that_has_all_goes_on() {
    let mut primary = RedisServer::start(&[]);
    let port = primary.port().to_string();
    let mut replica = RedisServer::start(&["--replicaof", "127.0.0.1", &port]);
    let store = open(&primary).await;
    transfer(&*store, "replicated", 0, 1).await.unwrap();
    let has_it = async || replica.ask(&["XLEN", "{gamepipe:gamepipe}outbox"]) == "2";
    wait::until("the replica has it", has_it).await;
    on_disk(&replica).await;
    primary.kill();
    replica.ask(&["REPLICAOF", "NO", "ONE"]);
    replica.restart_at(primary.port());
    refused(&store, "until the relay has compared").await;
    store.trim_outbox(0).await.unwrap();
    transfer(&*store, "after", 0, 1).await.unwrap();
    assert_eq!(money(&*store, 1).await, (2, START_MONEY + 2));
}

#[tokio::test]
async fn a_store_is_made_anew_from_entities_and_only_where_there_is_none_unless_told() {
    let server = RedisServer::start(&[]);
    let store = open(&server).await;
    transfer(&*store, "t1", 0, 1).await.unwrap();
    let (id, entity) = store.scan("player", None, 10).await.unwrap().remove(0);
    let old_outbox = store.outbox_id().to_owned();
    drop(store);
    let clock = || Arc::new(SystemClock);
    let refused = Restore::begin(&config(&server), clock(), false)
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("--replace"), "{refused}");
    let restore = Restore::begin(&config(&server), clock(), true)
        .await
        .unwrap();
    let restored = Entity {
        version: entity.version + 40,
        ..entity
    };
    restore
        .put(&[(id.clone(), restored.clone())])
        .await
        .unwrap();
    let unfinished = try_open(&config(&server)).await.unwrap_err().to_string();
    assert!(unfinished.contains("being restored"), "{unfinished}");
    restore.finish().await.unwrap();
    let store = open(&server).await;
    let found = store.scan("player", None, 10).await.unwrap();
    assert_eq!(found, [(id, restored)]);
    assert_ne!(
        store.outbox_id(),
        old_outbox,
        "the log must not take it for the old one"
    );
    assert_eq!(store.outbox(0, 10).await.unwrap(), []);
    transfer(&*store, "t2", 5, 6).await.unwrap();
}
