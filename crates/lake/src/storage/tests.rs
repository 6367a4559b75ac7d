//! What both kinds of storage promise, on each of them.

use std::path::Path;

use gamepipe_config::lake::LakeConfig;

use super::{Put, Storage};

/// The storage of a lake in a directory.
pub(crate) fn directory(path: &Path, salt: u64) -> Storage {
    let config = LakeConfig {
        path: path.display().to_string(),
        ..LakeConfig::default()
    };
    Storage::open(&config, salt).unwrap()
}

#[tokio::test]
async fn of_many_writers_of_a_new_file_exactly_one_succeeds() {
    let folder = tempfile::tempdir().unwrap();
    let storage = directory(folder.path(), 9);
    storage.make_folder("t/_delta_log").await.unwrap();
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..8_u64 {
        let storage = directory(folder.path(), racer);
        racers.spawn(async move {
            storage
                .put_new("t/_delta_log/1.json", vec![racer as u8; 100])
                .await
                .unwrap()
        });
    }
    let outcomes = racers.join_all().await;
    assert_eq!(
        outcomes
            .iter()
            .filter(|outcome| **outcome == Put::Created)
            .count(),
        1
    );
    let bytes = storage.get("t/_delta_log/1.json").await.unwrap().unwrap();
    assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]));
    assert_eq!(
        storage.list("t/_delta_log").await.unwrap().len(),
        1,
        "temporary files are gone"
    );
}

#[tokio::test]
async fn directories_that_vanished_are_not_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let storage = directory(&folder.path().join("lake"), 0);
    std::fs::remove_dir(folder.path().join("lake")).unwrap();
    let failures = [
        storage.make_folder("t/_delta_log").await.unwrap_err(),
        storage.put("t/day=1/a.parquet", vec![1]).await.unwrap_err(),
        storage
            .put_new("t/_delta_log/1.json", vec![1])
            .await
            .unwrap_err(),
    ];
    for failure in failures {
        let text = failure.to_string();
        assert!(text.contains("is gone") && text.contains("lake"), "{text}");
    }
    assert!(!folder.path().join("lake").exists());
    std::fs::create_dir_all(folder.path().join("lake/t")).unwrap();
    storage.put("t/day=1/a.parquet", vec![1]).await.unwrap();
    storage
        .put_new("t/_delta_log/1.json", vec![1])
        .await
        .unwrap_err();
}

#[tokio::test]
async fn files_that_are_not_there_are_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let storage = directory(folder.path(), 0);
    assert_eq!(storage.get("nope").await.unwrap(), None);
    assert!(storage.list("nope").await.unwrap().is_empty());
    storage.remove("nope").await.unwrap();
}
