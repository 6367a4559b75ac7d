//! Crashes at every failpoint, in a process of its own: what was cut off is landed by the next start, once.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use gamepipe_config::streamer::StreamerConfig;
use gamepipe_lake::maintenance::Rounds;
use gamepipe_service::failpoint::VARIABLE;
use serde_json::json;

use crate::memory_log::MemoryLog;
use crate::world::{clean_audit, event, land, open, quick, rows_in, tables};

/// Where the child lands.
const FOLDER: &str = "GAMEPIPE_TEST_CRASH_FOLDER";
const RECORDS: u64 = 300;

/// The same log in every process. It gives few records at a time, so that it takes many epochs.
fn log() -> Arc<MemoryLog> {
    let log = MemoryLog::new("g", 3).giving_at_most(20);
    for id in 0..RECORDS {
        let key = format!("k{id}");
        match id % 4 {
            0 => log.push(
                &key,
                event(
                    "trade",
                    id,
                    json!({"items": [{"name": "a"}, {"name": "b"}]}),
                ),
            ),
            1 => log.push(&key, "poison"),
            _ => log.push(&key, event("attack", id, json!({"damage": id}))),
        };
    }
    Arc::new(log)
}

fn many_epochs() -> StreamerConfig {
    StreamerConfig {
        max_epoch_events: 25,
        compact_files: 2,
        ..quick()
    }
}

async fn land_and_maintain(folder: &Path) {
    let lake = open(folder, &tables());
    land(many_epochs(), &log(), &lake).await.expect("it lands");
    lake.maintain_once(&many_epochs(), &mut Rounds::default())
        .await
        .expect("it is maintained");
}

/// Not a claim of its own: the process that the other tests start and that a failpoint ends.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        land_and_maintain(Path::new(&folder)).await;
    }
}

/// Runs the child with a failpoint; true when it came to its end.
fn run_child(folder: &Path, failpoint: &str) -> bool {
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "crashes::child"])
        .env(FOLDER, folder)
        .env(VARIABLE, failpoint)
        .output()
        .expect("the child starts");
    output.status.success()
}

async fn everything_is_there_once(folder: &Path) {
    let lake = open(folder, &tables());
    land(many_epochs(), &log(), &lake)
        .await
        .expect("the next start lands the rest");
    let found = clean_audit(&lake).await;
    assert_eq!(found.landed.iter().sum::<u64>(), RECORDS);
    assert_eq!(rows_in(&found, "attacks"), RECORDS / 2);
    assert_eq!(rows_in(&found, "trades"), RECORDS / 2);
    assert_eq!(rows_in(&found, "everything"), RECORDS * 3 / 4);
    assert_eq!(rows_in(&found, "bad_events"), RECORDS / 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_landing_is_finished_once_by_the_next_start() {
    let points = [
        "epoch.encoded",
        "intent.put.before",
        "intent.put.after",
        "intent.decided",
        "table.commit.before",
        "table.commit.after",
        "epochs.commit.before",
        "epochs.commit.after",
    ];
    for point in points {
        for visit in [1, 2, 5] {
            let folder = tempfile::tempdir().expect("a directory");
            assert!(
                !run_child(folder.path(), &format!("{point}=kill@{visit}")),
                "{point}@{visit} was never passed"
            );
            everything_is_there_once(folder.path()).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn landing_that_is_killed_again_and_again_still_lands_once() {
    let folder = tempfile::tempdir().expect("a directory");
    for round in 0..6 {
        let point = [
            "table.commit.after",
            "intent.put.after",
            "table.commit.before",
        ][round % 3];
        run_child(folder.path(), &format!("{point}=kill@{}", round % 4 + 2));
    }
    everything_is_there_once(folder.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn step_that_fails_is_done_again_without_a_restart() {
    for point in [
        "epoch.encoded",
        "intent.put.before",
        "intent.put.after",
        "intent.decided",
        "table.commit.before",
        "table.commit.after",
        "epochs.commit.before",
        "epochs.commit.after",
    ] {
        let folder = tempfile::tempdir().expect("a directory");
        // Trouble after the word to stop ends the process; the next start goes on.
        run_child(folder.path(), &format!("{point}=error@3"));
        everything_is_there_once(folder.path()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_compaction_changes_no_row() {
    let folder = tempfile::tempdir().expect("a directory");
    for visit in [1, 2] {
        assert!(!run_child(
            folder.path(),
            &format!("maintenance.compacted=kill@{visit}")
        ));
        everything_is_there_once(folder.path()).await;
    }
    assert!(
        run_child(folder.path(), ""),
        "without a failpoint it comes to its end"
    );
    everything_is_there_once(folder.path()).await;
}
