//! Entries whose outcome was unknown, and what they must not meet.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Fence, TableLog};
use crate::entry::{Entry, Operation, Remove, Txn, entry_path};
use crate::error::LakeError;
use crate::storage::tests::directory;

const LANDING: Fence<'static> = Fence::Landing {
    epoch: 4,
    prefix: "arena/g/",
};

fn log(folder: &tempfile::TempDir) -> TableLog {
    TableLog::new("t", directory(folder.path(), 1))
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

fn compaction(id: &str) -> Entry {
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
}

/// The log of a table that has just been made.
async fn made(folder: &tempfile::TempDir) -> TableLog {
    let log = log(folder);
    let made = Entry::new("made".to_owned(), Operation::Create, 0);
    log.place(None, &made, Fence::Everything).await.unwrap();
    log
}

#[tokio::test]
async fn entry_that_is_there_is_found_wherever_it_stands_and_not_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    let mut columns = Entry::new("columns".to_owned(), Operation::AddColumns, 0);
    columns.metadata = Some(json!({}));
    for _ in 0..2 {
        let placed = log.place(Some(0), &columns, LANDING).await.unwrap();
        assert_eq!(placed.version, 1);
    }
    let own = entry("own", 0, 5);
    assert!(
        log.place(Some(0), &own, LANDING)
            .await
            .unwrap()
            .found
            .is_none()
    );
    let again = log.place(Some(0), &own, LANDING).await.unwrap();
    assert_eq!((again.version, again.found.unwrap().txns), (2, own.txns));
    assert_eq!(log.newest().await.unwrap(), Some(2));
    assert_eq!(log.known().await, Some(2));
}

#[tokio::test]
async fn rows_that_nobody_decided_on_stop_landing() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    log.place(Some(0), &entry("stray", 1, 7), LANDING)
        .await
        .unwrap();
    for next in [entry("rows", 0, 3), compaction("merge")] {
        let refused = log.place(Some(0), &next, LANDING).await;
        assert!(
            matches!(refused, Err(LakeError::Undecided { version: 1, .. })),
            "{refused:?}"
        );
    }
    // Beyond an epoch that covers it nothing is wrong with it.
    log.place(Some(1), &entry("rows", 0, 3), LANDING)
        .await
        .unwrap();
}

#[tokio::test]
async fn merge_gives_way_to_a_change_of_its_files_or_of_columns() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    let mut columns = Entry::new("columns".to_owned(), Operation::AddColumns, 0);
    columns.metadata = Some(json!({}));
    log.place(Some(0), &columns, LANDING).await.unwrap();
    log.place(Some(1), &compaction("other"), LANDING)
        .await
        .unwrap();
    for base in [0, 1] {
        let refused = log.place(Some(base), &compaction("own"), LANDING).await;
        assert!(matches!(refused, Err(LakeError::CompactionConflict { .. })));
    }
}

#[tokio::test]
async fn first_entry_and_new_columns_must_be_the_very_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    let second = Entry::new("second".to_owned(), Operation::Create, 0);
    let refused = log.place(None, &second, Fence::Everything).await;
    assert!(matches!(refused, Err(LakeError::Contended { .. })));
}

#[tokio::test]
async fn version_that_an_entry_is_made_on_must_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    log.place(Some(0), &entry("a", 0, 1), LANDING)
        .await
        .unwrap();
    let table = folder.path().join("t");
    std::fs::remove_file(table.join(entry_path(1))).unwrap();
    let refused = log.place(Some(1), &entry("b", 0, 2), LANDING).await;
    assert!(matches!(
        refused,
        Err(LakeError::Vanished { version: 1, .. })
    ));
    let checkpoint = format!("_delta_log/{:020}.checkpoint.parquet", 1);
    std::fs::write(table.join(checkpoint), "").unwrap();
    log.place(Some(1), &entry("b", 0, 2), LANDING)
        .await
        .unwrap();
}

#[tokio::test]
async fn epoch_that_two_others_followed_is_not_looked_for_beyond_what_others_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let log = made(&folder).await;
    let mut columns = Entry::new("columns".to_owned(), Operation::AddColumns, 0);
    columns.metadata = Some(json!({}));
    log.place(Some(0), &columns, LANDING).await.unwrap();
    let intents = folder.path().join("_epochs/_intents");
    std::fs::create_dir_all(&intents).unwrap();
    std::fs::write(intents.join(format!("{:020}.json", 5)), "").unwrap();
    log.place(Some(0), &entry("own", 0, 5), LANDING)
        .await
        .unwrap();
    std::fs::write(intents.join(format!("{:020}.json", 6)), "").unwrap();
    let late = log.place(Some(0), &entry("late", 0, 5), LANDING).await;
    assert!(
        matches!(late, Err(LakeError::Late { epoch: 4 })),
        "{late:?}"
    );
    assert_eq!(log.newest().await.unwrap(), Some(2));
}
