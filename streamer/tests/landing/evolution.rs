//! Definitions change: columns come and go, types don't.

use std::sync::Arc;

use gamepipe_domain::definition::game::ColumnKind;
use gamepipe_lake::LakeError;
use gamepipe_streamer::StreamerError;
use serde_json::json;

use crate::memory_log::MemoryLog;
use crate::world::{clean_audit, event, land, open, property, quick, rows, tables};

#[tokio::test(flavor = "multi_thread")]
async fn new_columns_and_tables_join_and_old_rows_read_null() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    log.push("a", event("attack", 1, json!({"damage": 1, "mana": 7})));
    land(quick(), &log, &open(folder.path(), &tables()))
        .await
        .expect("it lands");

    let mut grown = tables();
    grown[0].columns.push(property("mana", ColumnKind::Integer));
    let mut newer = grown[0].clone();
    newer.name = "newer".to_owned();
    grown.push(newer);
    log.push("a", event("attack", 2, json!({"damage": 2, "mana": 8})));
    let lake = open(folder.path(), &grown);
    land(quick(), &log, &lake).await.expect("it lands");
    assert_eq!(
        rows(&lake, "attacks", &["damage", "mana", "_extra"]).await,
        [
            "damage=1 mana=null _extra={\"mana\":7}",
            "damage=2 mana=8 _extra=null",
        ]
    );
    assert_eq!(
        rows(&lake, "newer", &["damage"]).await,
        ["damage=2"],
        "a new table begins where landing was"
    );
    clean_audit(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_columns_keep_their_values_and_are_null_from_then_on() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    log.push("a", event("attack", 1, json!({"damage": 1})));
    land(quick(), &log, &open(folder.path(), &tables()))
        .await
        .expect("it lands");

    let mut shrunk = tables();
    shrunk[0].columns.retain(|column| column.name != "damage");
    log.push("a", event("attack", 2, json!({"damage": 2})));
    let lake = open(folder.path(), &shrunk);
    land(quick(), &log, &lake).await.expect("it lands");
    assert_eq!(
        rows(&lake, "attacks", &["damage", "_extra"]).await,
        ["damage=1 _extra=null", "damage=null _extra={\"damage\":2}",]
    );
    clean_audit(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn column_of_another_type_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    land(quick(), &log, &open(folder.path(), &tables()))
        .await
        .expect("tables are made");
    let mut changed = tables();
    changed[0].columns[1].kind = ColumnKind::String;
    let error = land(quick(), &log, &open(folder.path(), &changed))
        .await
        .expect_err("it is refused");
    assert!(
        matches!(
            error,
            StreamerError::Lake(LakeError::IncompatibleType { .. })
        ) && error.is_final()
    );
    assert!(
        error.to_string().contains(
            "table attacks: column damage is long in the lake and string in the definition"
        ),
        "{error}"
    );
}
