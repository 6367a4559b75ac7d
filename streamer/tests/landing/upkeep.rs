//! Maintenance beside landing: fewer files, the same rows.

use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gamepipe_config::streamer::StreamerConfig;
use gamepipe_eventlog::EventLog;
use gamepipe_lake::Lake;
use gamepipe_lake::maintenance::Rounds;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SystemClock;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::Streamer;
use serde_json::json;

use crate::memory_log::MemoryLog;
use crate::world::{
    PATIENCE, clean_audit, event, land, landed, open, quick, rows, rows_in, streamer, tables,
};

fn merging() -> StreamerConfig {
    StreamerConfig {
        compact_files: 4,
        vacuum_seconds: 3600,
        ..quick()
    }
}

async fn files(lake: &Lake, table: &str) -> usize {
    lake.newest_files(table)
        .await
        .expect("the table is there")
        .0
        .len()
}

#[tokio::test(flavor = "multi_thread")]
async fn merged_tables_hold_the_same_rows_in_fewer_files() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 2));
    let lake = open(folder.path(), &tables());
    for id in 0..12 {
        log.push(
            &format!("k{id}"),
            event(
                "attack",
                id,
                json!({"damage": id, "attacker": format!("a{id}")}),
            ),
        );
        log.push(
            "t",
            event(
                "trade",
                id,
                json!({"items": [{"name": "x", "price": id}, {"name": "y"}]}),
            ),
        );
        land(quick(), &log, &lake).await.expect("it lands");
    }
    let columns = ["damage", "attacker", "_event_id", "_event_date", "_extra"];
    let before = rows(&lake, "attacks", &columns).await;
    let epoch = lake
        .newest_epoch()
        .await
        .expect("it can be read")
        .expect("there is one");
    assert!(files(&lake, "attacks").await >= 12);

    let mut rounds = Rounds::default();
    let done = lake
        .maintain_once(&merging(), &mut rounds)
        .await
        .expect("it is maintained");
    assert!(done.merged_files >= 48, "{done:?}");
    assert!(files(&lake, "attacks").await < 4 && files(&lake, "_epochs").await < 4);
    assert_eq!(rows(&lake, "attacks", &columns).await, before);
    let found = clean_audit(&lake).await;
    assert_eq!((rows_in(&found, "trades"), found.records), (24, 24));
    let moved = lake
        .newest_epoch()
        .await
        .expect("it can be read")
        .expect("there is one");
    assert!(
        moved.epoch > epoch.epoch && moved.versions["attacks"] > epoch.versions["attacks"],
        "readers' cut moves on"
    );

    let again = lake
        .maintain_once(&merging(), &mut rounds)
        .await
        .expect("it is maintained");
    assert_eq!(again.merged_files, 0, "nothing is left to do");
    log.push("k", event("attack", 99, json!({})));
    land(quick(), &log, &open(folder.path(), &tables()))
        .await
        .expect("landing goes on after a restart");
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 13);
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_beside_landing_loses_and_doubles_nothing() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 3));
    let lake = open(folder.path(), &tables());
    let streamer = streamer(
        StreamerConfig {
            commit_interval_ms: 1,
            ..quick()
        },
        &log,
        &lake,
    );
    streamer.prepare().await.expect("tables are made");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(streamer.run(shutdown.clone()));
    let mut rounds = Rounds::default();
    let mut merged = 0;
    for round in 0..30 {
        for id in 0..10 {
            log.push(
                &format!("k{id}"),
                event("attack", round * 10 + id, json!({"damage": id})),
            );
        }
        landed(&lake, (round + 1) * 10).await;
        merged += lake
            .maintain_once(&merging(), &mut rounds)
            .await
            .expect("it is maintained")
            .merged_files;
    }
    shutdown.cancel();
    running.await.expect("it ends").expect("it lands");
    merged += lake
        .maintain_once(&merging(), &mut rounds)
        .await
        .expect("it is maintained")
        .merged_files;
    assert!(merged > 0);
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 300);
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_get_checkpoints_and_any_reader_still_reads_them() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1).giving_at_most(1));
    let lake = open(folder.path(), &tables());
    for id in 0..105 {
        log.push("k", event("attack", id, json!({"damage": id})));
    }
    land(
        StreamerConfig {
            max_epoch_events: 1,
            ..quick()
        },
        &log,
        &lake,
    )
    .await
    .expect("it lands");
    let config = StreamerConfig {
        compact_files: usize::MAX,
        ..merging()
    };
    let done = lake
        .maintain_once(&config, &mut Rounds::default())
        .await
        .expect("it is maintained");
    assert_eq!(done.checkpoints, 3, "attacks, everything, _epochs");
    let hint = folder.path().join("attacks/_delta_log/_last_checkpoint");
    assert!(hint.is_file());
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 105);
    log.push("k", event("attack", 200, json!({})));
    let reopened = open(folder.path(), &tables());
    land(quick(), &log, &reopened).await.expect("it lands");
    assert_eq!(rows_in(&clean_audit(&reopened).await, "attacks"), 106);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_log_entries_go_and_landing_audits_and_queries_still_work() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1).giving_at_most(1));
    let lake = open(folder.path(), &tables());
    for id in 0..105 {
        log.push("k", event("attack", id, json!({"damage": id})));
    }
    let one_by_one = StreamerConfig {
        max_epoch_events: 1,
        ..quick()
    };
    land(one_by_one.clone(), &log, &lake)
        .await
        .expect("it lands");
    // Entries from long ago, beyond the time for which they are kept.
    #[expect(clippy::disallowed_methods, reason = "files have the machine's time")]
    let long_ago = SystemTime::now() - Duration::from_secs(30 * 24 * 3600);
    let entries = |table: &str| {
        let folder = folder.path().join(table).join("_delta_log");
        let files = std::fs::read_dir(folder).expect("a log");
        files
            .map(|entry| entry.expect("a file").path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
            .collect::<Vec<_>>()
    };
    for table in ["attacks", "everything", "_epochs"] {
        for path in entries(table) {
            let file = File::options().append(true).open(path).expect("a file");
            file.set_modified(long_ago).expect("its time is set");
        }
    }
    let config = StreamerConfig {
        compact_files: usize::MAX,
        ..merging()
    };
    let done = lake.maintain_once(&config, &mut Rounds::default()).await;
    assert_eq!(done.expect("it is maintained").checkpoints, 3);
    for table in ["attacks", "everything", "_epochs"] {
        let left = entries(table).len();
        assert!((1..10).contains(&left), "{table} still has {left} entries");
    }
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 105);
    // A process that knows nothing of it: resumes where the last epoch ended, and lands on.
    log.push("k", event("attack", 200, json!({"damage": 7})));
    let reopened = open(folder.path(), &tables());
    land(one_by_one, &log, &reopened).await.expect("it lands");
    let audit = clean_audit(&reopened).await;
    assert_eq!((rows_in(&audit, "attacks"), audit.epochs), (106, 106));
    let (files, _) = reopened
        .newest_files("attacks")
        .await
        .expect("any reader opens it");
    assert_eq!(files.len(), 106);
}

#[tokio::test(flavor = "multi_thread")]
async fn epoch_that_fails_on_a_quiet_log_is_told_and_landed_later_without_another_event() {
    let folder = tempfile::tempdir().expect("a directory");
    let (here, away) = (folder.path().join("lake"), folder.path().join("away"));
    let log = Arc::new(MemoryLog::new("g", 1));
    let lake = open(&here, &tables());
    let probes = Probes::default();
    let shared: Arc<dyn EventLog> = log.clone();
    let clock = Arc::new(SystemClock);
    let landing = Streamer::build_for(
        quick(),
        "arena",
        shared,
        lake.clone(),
        clock,
        probes.clone(),
    );
    landing.prepare().await.expect("tables are made");
    let shutdown = Shutdown::new();
    let running = tokio::spawn(landing.run(shutdown.clone()));
    log.push("k", event("attack", 1, json!({"damage": 1})));
    landed(&lake, 1).await;
    std::fs::rename(&here, &away).expect("it moves");
    log.push("k", event("attack", 2, json!({"damage": 2})));
    tokio::time::timeout(PATIENCE, async {
        while probes.problems().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the failure is told");
    assert!(!here.exists(), "the lake was begun anew");
    std::fs::rename(&away, &here).expect("it moves back");
    landed(&lake, 2).await;
    shutdown.cancel();
    running.await.expect("it ends").expect("it lands");
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_takes_old_orphans_and_nothing_else() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    let lake = open(folder.path(), &tables());
    for id in 0..5 {
        log.push("k", event("attack", id, json!({})));
        land(quick(), &log, &lake).await.expect("it lands");
    }
    let data = folder.path().join("attacks/_event_date=2026-01-02");
    let (old, fresh) = (
        data.join("part-old.parquet"),
        data.join("part-fresh.parquet"),
    );
    #[expect(clippy::disallowed_methods, reason = "files have the machine's time")]
    let long_ago = SystemTime::now() - Duration::from_secs(2 * 3600);
    for path in std::fs::read_dir(&data)
        .expect("files")
        .map(|entry| entry.expect("a file").path())
    {
        File::options()
            .append(true)
            .open(path)
            .and_then(|file| file.set_modified(long_ago))
            .expect("it can be aged");
    }
    File::create(&old)
        .and_then(|file| file.set_modified(long_ago))
        .expect("an orphan");
    File::create(&fresh).expect("a file that is being written");
    // Merged files are old as files, but were part of a version a moment ago.
    let done = lake
        .maintain_once(&merging(), &mut Rounds::default())
        .await
        .expect("it is maintained");
    assert_eq!(done.vacuumed_files, 1, "{done:?}");
    assert!(!old.exists() && fresh.exists());
    assert_eq!(
        std::fs::read_dir(&data).expect("files").count(),
        7,
        "five files, the merged one, the fresh one"
    );
    assert_eq!(rows_in(&clean_audit(&lake).await, "attacks"), 5);
}
