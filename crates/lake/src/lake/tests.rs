//! Tables that are made, grown, and refused.

use std::sync::Arc;

use gamepipe_config::lake::LakeConfig;
use gamepipe_service::clock::SystemClock;

use crate::error::LakeError;
use crate::lake::Lake;

fn open(path: &str) -> Result<Lake, LakeError> {
    Lake::open_tables(
        &LakeConfig {
            path: path.to_owned(),
            ..LakeConfig::default()
        },
        "arena",
        &[],
        Arc::new(SystemClock),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_that_prepare_one_lake_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    let lakes: Vec<Lake> = (0..4).map(|_| open(&path).unwrap()).collect();
    for done in futures::future::join_all(lakes.iter().map(Lake::prepare)).await {
        done.unwrap();
    }
    for lake in &lakes {
        let versions = lake.versions(None, Vec::new()).await;
        assert_eq!(versions.len(), 3);
        assert!(
            versions.values().all(|version| *version == 0),
            "{versions:?}"
        );
    }
}

#[tokio::test]
async fn path_that_can_not_be_a_lake_is_refused_by_name() {
    assert!(matches!(open(""), Err(LakeError::Path { .. })));
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = open(&file.path().display().to_string())
        .unwrap_err()
        .to_string();
    assert!(error.contains("can't be the lake"), "{error}");
}
