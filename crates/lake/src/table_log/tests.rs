//! Commits whose outcome was unknown, and what counts as progress.

use std::collections::{BTreeMap, BTreeSet};

use super::{Fence, TableLog};
use crate::entry::{Entry, Operation, Remove, Txn, entry_path};
use crate::error::LakeError;
use crate::storage::tests::directory;

fn log(folder: &tempfile::TempDir) -> TableLog {
    TableLog::new("t", "arena", directory(folder.path(), 1))
}

fn entry(id: &str, partition: u32, to: i64) -> Entry {
    let mut entry = Entry::new(id.to_owned(), Operation::Append, 0);
    entry.txns = vec![Txn {
        app_id: format!("arena/g/{partition}"),
        version: to,
        last_updated: None,
    }];
    entry
}

async fn resumed(folder: &tempfile::TempDir) -> TableLog {
    let log = log(folder);
    if log.newest().await.unwrap().is_none() {
        let made = Entry::new("made".to_owned(), Operation::Create, 0);
        log.commit(&made, Fence::Everything).await.unwrap();
    }
    log.resume("arena/g/", BTreeMap::new(), 0).await.unwrap();
    log
}

#[tokio::test]
async fn commit_that_landed_although_the_store_failed_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let log = resumed(&folder).await;
    let own = entry("own", 0, 5);
    // The store said nothing, yet the entry is there: the same commit tried again must not be a second one.
    let storage = directory(folder.path(), 2);
    storage
        .put_new(&log.path(&entry_path(1)), own.encode())
        .await
        .unwrap();
    let first = BTreeMap::from([(0, 0)]);
    assert_eq!(log.commit(&own, Fence::Rows(&first)).await.unwrap(), 1);
    assert_eq!(log.newest().await.unwrap(), Some(1));
}

#[tokio::test]
async fn rows_that_others_landed_are_refused_and_other_partitions_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (resumed(&folder).await, resumed(&folder).await);
    other
        .commit(&entry("a", 1, 7), Fence::Rows(&BTreeMap::from([(1, 0)])))
        .await
        .unwrap();
    assert_eq!(
        own.commit(&entry("b", 0, 3), Fence::Rows(&BTreeMap::from([(0, 0)])))
            .await
            .unwrap(),
        2
    );
    let refused = own
        .commit(&entry("c", 1, 9), Fence::Rows(&BTreeMap::from([(1, 6)])))
        .await;
    assert!(matches!(
        refused,
        Err(LakeError::Overtaken {
            partition: 1,
            landed: 7,
            offered: 6,
            ..
        })
    ));
    own.commit(&entry("d", 1, 9), Fence::Rows(&BTreeMap::from([(1, 7)])))
        .await
        .unwrap();
}

#[tokio::test]
async fn of_two_compactions_of_the_same_files_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (resumed(&folder).await, resumed(&folder).await);
    let compaction = |id: &str| {
        let mut entry = Entry::new(id.to_owned(), Operation::Compact, 0);
        entry.removes = vec![Remove {
            path: "small.parquet".to_owned(),
            deletion_timestamp: 0,
            data_change: false,
            extended_file_metadata: true,
            partition_values: BTreeMap::new(),
            size: 1,
        }];
        entry
    };
    let files = BTreeSet::from(["small.parquet".to_owned()]);
    other
        .commit(&compaction("a"), Fence::Files(&files))
        .await
        .unwrap();
    let refused = own.commit(&compaction("b"), Fence::Files(&files)).await;
    assert!(matches!(refused, Err(LakeError::CompactionConflict { .. })));
}

#[tokio::test]
async fn progress_that_a_compaction_met_counts_for_the_rows_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (resumed(&folder).await, resumed(&folder).await);
    other
        .commit(&entry("a", 0, 7), Fence::Rows(&BTreeMap::from([(0, 0)])))
        .await
        .unwrap();
    let compaction = Entry::new("b".to_owned(), Operation::Compact, 0);
    own.commit(&compaction, Fence::Files(&BTreeSet::new()))
        .await
        .unwrap();
    let refused = own
        .commit(&entry("c", 0, 9), Fence::Rows(&BTreeMap::from([(0, 5)])))
        .await;
    assert!(matches!(
        refused,
        Err(LakeError::Overtaken { landed: 7, .. })
    ));
}

#[tokio::test]
async fn entry_that_no_epoch_covers_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let own = resumed(&folder).await;
    own.commit(&entry("a", 0, 1), Fence::Rows(&BTreeMap::new()))
        .await
        .unwrap();
    own.commit(&entry("b", 0, 2), Fence::Rows(&BTreeMap::new()))
        .await
        .unwrap();
    std::fs::remove_file(folder.path().join("t").join(entry_path(1))).unwrap();
    let error = log(&folder)
        .resume("arena/g/", BTreeMap::new(), 0)
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("entry 1 of its log is missing"), "{error}");
}
