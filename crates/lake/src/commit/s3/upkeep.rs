//! Maintenance of a lake in a bucket: what is removed there, and what is left because somebody may still need it.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use gamepipe_config::lake::LakeConfig;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_testkit::clock::ManualClock;
use gamepipe_testkit::s3_server::{BUCKET, S3Server};

use super::super::faults::Lander;
use super::super::tests::{GENERATION, PARTITIONS, arena};
use super::super::{FILE_PREFIX, MAX_EPOCHS_WAITING};
use super::check;
use crate::lake::Lake;
use crate::maintenance::Rounds;
use crate::reader::{LakeReader, View};
use crate::storage::bucket::tests::at;
use crate::storage::faults::Faults;

/// Beyond vacuum's hour, and beyond the hours for which entries are kept.
const LONG: Duration = Duration::from_secs(9 * 3600);
/// The date of the rows that a [`Lander`] lands.
const DATE: &str = "_event_date=2024-10-04";

fn upkeep(compact_files: usize) -> StreamerConfig {
    StreamerConfig {
        compact_files,
        vacuum_seconds: 3600,
        ..StreamerConfig::default()
    }
}

/// Lands that many epochs of one record each.
async fn land(lander: &mut Lander, high: &mut u64, epochs: u64) {
    for _ in 0..epochs {
        *high += 1;
        lander.attempt(&[*high, 0, 0]).await.unwrap();
    }
}

/// Makes all objects of the server look that old.
fn age(server: &S3Server) {
    #[expect(clippy::disallowed_methods, reason = "files have the machine's time")]
    let then = SystemTime::now() - LONG;
    let mut folders = vec![server.bucket_folder(BUCKET)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let file = File::options().append(true).open(path).unwrap();
                file.set_modified(then).unwrap();
            }
        }
    }
}

/// The files of a table's one date.
fn files(server: &S3Server, table: &str) -> BTreeSet<String> {
    names(
        &server
            .bucket_folder(BUCKET)
            .join(format!("lake/{table}/{DATE}")),
    )
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect()
}

fn lander(config: &LakeConfig) -> Lander {
    Lander::start(config.clone(), Arc::new(Faults::new(1)))
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_vacuum_takes_orphans_and_leaves_what_a_reader_or_an_intent_may_need() {
    let server = S3Server::start();
    let config = at(&server.endpoint(), "lake");
    let (mut lander, mut high) = (lander(&config), 0);
    land(&mut lander, &mut high, MAX_EPOCHS_WAITING + 6).await;
    let lake = &lander.lake;
    let table = lake.tables()[0].table.name.clone();
    let cut = LakeReader::open(&config, arena()).unwrap().cut().await;
    let pinned = cut.unwrap().snapshot(View::Raw, &table).await.unwrap();
    let merged = lake.maintain_once(&upkeep(4), &mut Rounds::default()).await;
    assert!(merged.unwrap().merged_files > 0);
    let before = files(&server, &table);

    let put = async |name: &str| {
        let path = format!("{table}/{DATE}/{name}");
        lake.storage.put(&path, b"PAR1".to_vec()).await.unwrap();
    };
    let newest = lake.newest_epoch().await.unwrap().unwrap().epoch;
    // Of an epoch that never came; of an earlier release; of a process that sleeps and may still decide; of one at work.
    let forgotten = format!("{FILE_PREFIX}0-forgotten.parquet");
    let sleeping = format!("{FILE_PREFIX}{newest}-sleeping.parquet");
    let fresh = format!("{FILE_PREFIX}0-fresh.parquet");
    for name in [&forgotten, "part-old.parquet", &sleeping] {
        put(name).await;
    }
    age(&server);
    put(&fresh).await;
    let config_without_merges = upkeep(usize::MAX);
    let done = lake
        .maintain_once(&config_without_merges, &mut Rounds::default())
        .await;
    assert_eq!(done.unwrap().vacuumed_files, 2);
    let mut left = before;
    left.extend([sleeping, fresh]);
    assert_eq!(files(&server, &table), left);
    // Whoever pinned the cut before the merge reads on.
    let pinned = pinned.unwrap();
    assert!(pinned.files.len() as u64 > MAX_EPOCHS_WAITING);
    for file in pinned.files.iter() {
        let bytes = lake.storage.get(file.path.as_ref()).await.unwrap();
        assert_eq!(bytes.map(|bytes| bytes.len() as u64), Some(file.size));
    }
    check(&config, &[high, 0, 0], "after vacuum").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_merged_files_go_when_they_are_old_and_no_intent_can_name_them() {
    let server = S3Server::start();
    let config = at(&server.endpoint(), "lake");
    let (mut lander, mut high) = (lander(&config), 0);
    land(&mut lander, &mut high, 4).await;
    let table = lander.lake.tables()[0].table.name.clone();
    let small = files(&server, &table);
    // Months ago, as far as the log of the table says.
    let clock = ManualClock::new(5);
    let compactor = Lake::open_tables(&config, "arena", &[], clock).unwrap();
    compactor.resume(GENERATION, PARTITIONS).await.unwrap();
    let merged = compactor
        .maintain_once(&upkeep(4), &mut Rounds::default())
        .await;
    assert!(merged.unwrap().merged_files >= 4);
    age(&server);
    let vacuum = async |lander: &Lander| {
        let config = upkeep(usize::MAX);
        let mut rounds = Rounds::default();
        let done = lander.lake.maintain_once(&config, &mut rounds).await;
        done.unwrap().vacuumed_files
    };
    assert_eq!(vacuum(&lander).await, 0, "an intent may still name them");
    land(&mut lander, &mut high, MAX_EPOCHS_WAITING + 2).await;
    age(&server);
    // Of every table that rows went to, and of `_epochs` itself.
    assert!(vacuum(&lander).await >= 2 * small.len());
    let left = files(&server, &table);
    assert!(left.is_disjoint(&small), "{left:?}");
    assert_eq!(left.len() as u64, 1 + MAX_EPOCHS_WAITING + 2, "{left:?}");
    check(&config, &[high, 0, 0], "after the merged ones went").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s3_clean_up_takes_old_entries_and_landing_audits_and_readers_go_on() {
    let server = S3Server::start();
    let config = at(&server.endpoint(), "lake");
    let (mut lander, mut high) = (lander(&config), 0);
    land(&mut lander, &mut high, 105).await;
    let reader = LakeReader::open(&config, arena()).unwrap();
    let table = lander.lake.tables()[0].table.name.clone();
    let rows = async || {
        let cut = reader.cut().await.unwrap();
        let found = cut.snapshot(View::Raw, &table).await.unwrap();
        found.unwrap().rows()
    };
    assert_eq!(rows().await, Some(high));
    let newest = lander.lake.newest_epoch().await.unwrap().unwrap();
    age(&server);
    let (config_without_merges, mut rounds) = (upkeep(usize::MAX), Rounds::default());
    let done = lander
        .lake
        .maintain_once(&config_without_merges, &mut rounds)
        .await;
    assert!(done.unwrap().checkpoints >= 2);
    for (name, version) in [
        (table.as_str(), newest.versions[&table]),
        ("_epochs", newest.epoch),
    ] {
        let folder = server.bucket_folder(BUCKET).join("lake").join(name);
        let entries = names(&folder.join("_delta_log"));
        let entries = entries.iter().filter_map(|name| name.strip_suffix(".json"));
        let left: BTreeSet<u64> = entries.map(|version| version.parse().unwrap()).collect();
        // The newest entry, and those of the two epochs before: who sleeps learns from them that it is late.
        let needed: BTreeSet<u64> = (version - 2..=version).collect();
        assert!(
            left.is_superset(&needed) && left.len() < 10,
            "{name}: {left:?}"
        );
    }
    check(&config, &[high, 0, 0], "after clean-up").await;
    lander.restart();
    land(&mut lander, &mut high, 3).await;
    assert_eq!(
        rows().await,
        Some(high),
        "a reader that was there before goes on"
    );
    check(&config, &[high, 0, 0], "landed on").await;
}
