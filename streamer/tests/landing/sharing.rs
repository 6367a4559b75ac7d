//! Several streamers land one log: shares move, processes die or wake up late, and each record lands once all the same.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::streamer::StreamerConfig;
use gamepipe_eventlog::EventLog;
use gamepipe_lake::audit::audit;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::{Streamer, StreamerError};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::memory_log::MemoryLog;
use crate::seats::{Group, Seat};
use crate::world::{
    PATIENCE, clean_audit, event, land, landed, open, quick, rows, rows_in, tables,
};

/// A streamer with a lake and a seat of its own, as in a process of its own.
struct Running {
    probes: Probes,
    shutdown: Shutdown,
    task: JoinHandle<Result<(), StreamerError>>,
}

impl Running {
    async fn start(folder: &Path, log: &Arc<MemoryLog>, group: &Arc<Group>, seat: usize) -> Self {
        let probes = Probes::default();
        let log: Arc<dyn EventLog> = Arc::new(Seat::new(log, group, seat));
        let config = StreamerConfig {
            compact_files: 4,
            ..quick()
        };
        let streamer = Streamer::build_for(
            config,
            "arena",
            log,
            open(folder, &tables()),
            Arc::new(SystemClock),
            probes.clone(),
        );
        streamer.prepare().await.expect("tables are made");
        let shutdown = Shutdown::new();
        let task = tokio::spawn(streamer.run(shutdown.clone()));
        Self {
            probes,
            shutdown,
            task,
        }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.expect("it ends").expect("it lands");
    }
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .unwrap_or_else(|_| panic!("not in {PATIENCE:?}: {what}"));
}

fn push(log: &MemoryLog, ids: std::ops::Range<u64>) {
    for id in ids {
        log.push(
            &format!("k{id}"),
            event("attack", id, json!({"damage": id})),
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_that_move_under_load_lose_and_double_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 6));
    let group = Group::new(&[&[0, 1, 2, 3, 4, 5], &[], &[]]);
    let mut running = Vec::new();
    for seat in 0..3 {
        running.push(Running::start(folder.path(), &log, &group, seat).await);
    }
    let lake = open(folder.path(), &tables());
    let plans: [[&[u32]; 3]; 5] = [
        [&[0, 1], &[2, 3], &[4, 5]],
        [&[4, 5], &[0, 1], &[2, 3]],
        [&[], &[0, 1, 2, 3, 4, 5], &[]],
        [&[5], &[3, 4], &[0, 1, 2]],
        // Two believe in the same partitions for a while.
        [&[0, 1, 2], &[2, 3, 4], &[4, 5, 0]],
    ];
    for round in 0..15 {
        push(&log, round * 100..round * 100 + 60);
        group.hand_out(&plans[round as usize % plans.len()]);
        push(&log, round * 100 + 60..(round + 1) * 100);
        landed(&lake, (round + 1) * 100).await;
    }
    for streamer in running {
        streamer.stop().await;
    }
    assert!((0..3).all(|seat| group.has_left(seat)));
    let found = clean_audit(&lake).await;
    assert_eq!((found.records, rows_in(&found, "attacks")), (1500, 1500));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_held_lands_before_partitions_are_given_up() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 2));
    let group = Group::new(&[&[0, 1]]);
    let log_of_seat: Arc<dyn EventLog> = Arc::new(Seat::new(&log, &group, 0));
    let lake = open(folder.path(), &tables());
    // It would gather for an hour.
    let config = StreamerConfig {
        commit_interval_ms: 3_600_000,
        ..quick()
    };
    let streamer = Streamer::build_for(
        config,
        "arena",
        log_of_seat,
        Arc::clone(&lake),
        Arc::new(SystemClock),
        Probes::default(),
    );
    streamer.prepare().await.expect("tables are made");
    let shutdown = Shutdown::new();
    let task = tokio::spawn(streamer.run(shutdown.clone()));
    until("the first share is settled", || group.settled(0) == 1).await;
    push(&log, 0..50);
    // What it has read by then lands; it may be less than all.
    tokio::task::yield_now().await;
    let turn = group.hand_out(&[&[]]);
    until("nothing of the old share is worked on", || {
        group.settled(0) == turn
    })
    .await;
    let handed_over = clean_audit(&lake).await.records;
    push(&log, 50..60);
    let turn = group.hand_out(&[&[0, 1]]);
    until("the new share is worked on", || group.settled(0) == turn).await;
    shutdown.cancel();
    task.await.expect("it ends").expect("it lands");
    assert!(group.has_left(0) && handed_over <= 50);
    assert_eq!(clean_audit(&lake).await.records, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_streamer_is_taken_over_from_wherever_it_was() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 4));
    let group = Group::new(&[&[0, 1], &[2, 3], &[]]);
    let lake = open(folder.path(), &tables());
    let survivor = Running::start(folder.path(), &log, &group, 1).await;
    for round in 0..10 {
        let killed = Running::start(folder.path(), &log, &group, 0).await;
        push(&log, round * 200..(round + 1) * 200);
        let some = 200 * round + 20 * (round + 1);
        landed(&lake, some).await;
        killed.task.abort();
        let _ = killed.task.await;
        group.hand_out(&[&[], &[0, 1, 2, 3], &[]]);
        landed(&lake, (round + 1) * 200).await;
        group.hand_out(&[&[0, 1], &[2, 3], &[]]);
    }
    survivor.stop().await;
    let found = clean_audit(&lake).await;
    assert_eq!((found.records, rows_in(&found, "everything")), (2000, 2000));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_that_believe_in_all_partitions_both_go_on_and_neither_is_alarmed() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 3));
    let group = Group::new(&[&[0, 1, 2], &[0, 1, 2]]);
    let running = [
        Running::start(folder.path(), &log, &group, 0).await,
        Running::start(folder.path(), &log, &group, 1).await,
    ];
    let lake = open(folder.path(), &tables());
    for round in 0..20 {
        push(&log, round * 30..(round + 1) * 30);
        landed(&lake, (round + 1) * 30).await;
        for streamer in &running {
            assert!(streamer.probes.problems().is_empty());
        }
    }
    for streamer in running {
        streamer.stop().await;
    }
    let found = clean_audit(&lake).await;
    assert_eq!((found.records, rows_in(&found, "attacks")), (600, 600));
}

#[tokio::test(flavor = "multi_thread")]
async fn streamer_without_partitions_is_idle_and_healthy() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 2));
    let group = Group::new(&[&[]]);
    let idle = Running::start(folder.path(), &log, &group, 0).await;
    until("its share is settled", || group.settled(0) == 1).await;
    push(&log, 0..5);
    let turn = group.hand_out(&[&[]]);
    until("it heard of a change", || group.settled(0) == turn).await;
    assert!(idle.probes.problems().is_empty());
    idle.stop().await;
    let found = audit(&open(folder.path(), &tables()))
        .await
        .expect("it can be read");
    assert_eq!((found.epoch, group.has_left(0)), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn offsets_without_records_are_passed_over_and_no_audit_takes_them_for_gaps() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 2).giving_at_most(3));
    let lake = open(folder.path(), &tables());
    for round in 0..5 {
        push(&log, round * 10..(round + 1) * 10);
        log.push_hole(0);
        log.push_hole(1);
        log.push_hole(1);
        land(quick(), &log, &lake).await.expect("it lands");
    }
    log.push_hole(0);
    land(quick(), &log, &lake).await.expect("it lands");
    let found = clean_audit(&lake).await;
    assert_eq!(found.records, 50);
    assert_eq!(found.landed.iter().sum::<u64>(), 66);
    let ranges = lake.newest_epoch().await.expect("it can be read");
    let ranges = ranges.expect("there is one").ranges;
    assert_eq!(ranges.iter().map(|range| range.holes).sum::<u64>(), 1);
    assert_eq!(rows(&lake, "attacks", &["damage"]).await.len(), 50);
    let epochs = rows(&lake, "_epochs", &["ranges"]).await;
    assert!(epochs.iter().any(|text| text.contains("\"holes\":")));
}
