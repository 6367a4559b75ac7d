//! What arrives, and as what.

use std::sync::Arc;

use gamepipe_lake::audit::audit;
use gamepipe_service::Shutdown;
use gamepipe_streamer::StreamerError;
use gamepipe_testkit::wait;
use serde_json::json;
use tokio::sync::oneshot;

use crate::memory_log::MemoryLog;
use crate::world::{
    clean_audit, event, land, landed, open, quick, rows, rows_in, streamer, tables,
};

#[tokio::test(flavor = "multi_thread")]
async fn events_land_as_typed_rows_of_every_table_that_takes_them() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 1));
    let lake = open(folder.path(), &tables());
    log.push("a", event("attack", 1, json!({
        "attacker": "ann \u{e9} \"x\"", "damage": -7, "factor": 1.5, "killed": true, "due": "2026-01-02T05:04:05+02:00",
        "loot": {"sword": 2}, "Host": "h:1", "Accept": "*/*", "mood": [1, {"a": null}],
    })));
    log.push(
        "a",
        event(
            "attack",
            2,
            json!({"damage": null, "_origin": {"seed": "00"}}),
        ),
    );
    log.push("b", event("trade", 3, json!({"buyer": "bob", "items": [{"name": "axe", "price": 3}, {"name": "bow", "rare": true}]})));
    log.push("b", event("trade", 4, json!({"buyer": "eve", "items": []})));
    log.push("b", event("login", 5, json!({"ip": "::1"})));
    land(quick(), &log, &lake).await.unwrap();

    let columns = [
        "attacker",
        "damage",
        "factor",
        "killed",
        "due",
        "loot",
        "host",
        "_event_id",
        "_event_time",
        "_event_date",
        "_extra",
    ];
    assert_eq!(
        rows(&lake, "attacks", &columns).await,
        [
            "attacker=ann \u{e9} \"x\" damage=-7 factor=1.5 killed=true due=2026-01-02T03:04:05 loot={\"sword\":2} host=h:1 _event_id=id-1 _event_time=2026-01-02T03:04:05.000006 _event_date=2026-01-02 _extra={\"Accept\":\"*/*\",\"mood\":[1,{\"a\":null}]}",
            "attacker=null damage=null factor=null killed=null due=null loot=null host=null _event_id=id-2 _event_time=2026-01-02T03:04:05.000006 _event_date=2026-01-02 _extra={\"_origin\":{\"seed\":\"00\"}}",
        ]
    );
    assert_eq!(
        rows(
            &lake,
            "trades",
            &["buyer", "item", "price", "_row", "_extra"]
        )
        .await,
        [
            "buyer=bob item=axe price=3 _row=0 _extra=null",
            "buyer=bob item=bow price=null _row=1 _extra={\"items\":{\"rare\":true}}",
            "buyer=eve item=null price=null _row=0 _extra=null",
        ]
    );
    assert_eq!(
        rows(&lake, "everything", &["event_type", "_event_id"])
            .await
            .len(),
        4
    );
    let other = rows(&lake, "other_events", &["event_type", "raw_event"]).await;
    assert_eq!(other.len(), 1);
    assert!(
        other[0].starts_with("event_type=login raw_event={\"event_id\":\"id-5\""),
        "{}",
        other[0]
    );
    let found = clean_audit(&lake).await;
    assert_eq!(
        (found.records, found.landed.clone(), found.epoch),
        (5, vec![5], 1)
    );
    assert_eq!(log.released(), [5]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_exist_with_their_columns_before_the_first_event_and_a_quiet_log_commits_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 2));
    let lake = open(folder.path(), &tables());
    land(quick(), &log, &lake).await.unwrap();
    for name in [
        "attacks",
        "everything",
        "trades",
        "bad_events",
        "rejected_actions",
        "other_events",
        "_epochs",
    ] {
        let (files, schema) = lake.newest_files(name).await.unwrap();
        assert!(files.is_empty() && schema.fields().len() > 3, "{name}");
    }
    assert_eq!(lake.newest_epoch().await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn running_streamer_lands_what_is_appended_meanwhile() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 3));
    let lake = open(folder.path(), &tables());
    let streamer = streamer(quick(), &log, &lake);
    streamer.prepare().await.unwrap();
    let shutdown = Shutdown::new();
    let running = tokio::spawn(streamer.run(shutdown.clone()));
    for id in 0..200 {
        log.push(
            &format!("k{id}"),
            event("attack", id, json!({"damage": id})),
        );
        if id % 50 == 0 {
            landed(&lake, id + 1).await;
        }
    }
    shutdown.cancel();
    running.await.unwrap().unwrap();
    let found = clean_audit(&lake).await;
    assert_eq!(
        (
            found.records,
            rows_in(&found, "attacks"),
            rows_in(&found, "everything")
        ),
        (200, 200, 200)
    );
    assert!(found.epoch > 3, "{}", found.epoch);
}

/// Trouble that began before the word to stop may have passed: what the log has then lands all the same.
#[tokio::test(flavor = "multi_thread")]
async fn streamer_that_is_told_to_stop_while_a_read_fails_lands_what_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 3));
    let lake = open(folder.path(), &tables());
    let streamer = streamer(quick(), &log, &lake);
    streamer.prepare().await.unwrap();
    for id in 0..20 {
        let value = event("attack", id, json!({"damage": id}));
        log.push(&format!("k{id}"), value);
    }
    let (fail, moment) = oneshot::channel();
    log.fail_at(moment);
    let shutdown = Shutdown::new();
    let running = tokio::spawn(streamer.run(shutdown.clone()));
    wait::until("a read is under way", async || !log.is_to_fail()).await;
    shutdown.cancel();
    fail.send(()).unwrap();
    wait::ready("the streamer's end", running)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(clean_audit(&lake).await.records, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_filed_by_their_date_and_far_clocks_by_arrival() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 1));
    let lake = open(folder.path(), &tables());
    for time in [
        "2026-01-01T23:59:59.999999Z",
        "2026-01-02T00:00:00Z",
        "1999-01-01T00:00:00Z",
        "2027-01-01T00:00:00Z",
    ] {
        log.push(
            "a",
            format!(r#"{{"event_type":"attack","event_time":"{time}","event_id":"x"}}"#),
        );
    }
    land(quick(), &log, &lake).await.unwrap();
    assert_eq!(
        rows(&lake, "attacks", &["_event_date", "_event_time"]).await,
        [
            "_event_date=2026-01-01 _event_time=2026-01-01T23:59:59.999999",
            "_event_date=2026-01-02 _event_time=2026-01-02T00:00:00",
            "_event_date=2026-01-02 _event_time=1999-01-01T00:00:00",
            "_event_date=2026-01-02 _event_time=2027-01-01T00:00:00",
        ]
    );
    clean_audit(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn log_that_does_not_fit_the_lake_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = Arc::new(MemoryLog::new("g", 1));
    for id in 0..10 {
        log.push("a", event("attack", id, json!({})));
    }
    let lake = open(folder.path(), &tables());
    land(quick(), &log, &lake).await.unwrap();

    let anew = Arc::new(MemoryLog::new("h", 1));
    let error = land(quick(), &anew, &open(folder.path(), &tables()))
        .await
        .unwrap_err();
    assert!(
        error.is_final() && error.to_string().contains("log g but the log at hand is h"),
        "{error}"
    );

    let older = Arc::new(MemoryLog::new("g", 1));
    older.push("a", event("attack", 0, json!({})));
    let error = land(quick(), &older, &open(folder.path(), &tables()))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StreamerError::Behind {
                high: 1,
                landed: 10,
                ..
            }
        ),
        "{error}"
    );

    for id in 10..20 {
        log.push("a", event("attack", id, json!({})));
    }
    log.forget(0, 15);
    let error = land(quick(), &log, &open(folder.path(), &tables()))
        .await
        .unwrap_err();
    assert!(
        matches!(
            error,
            StreamerError::Gap {
                low: 15,
                landed: 10,
                ..
            }
        ),
        "{error}"
    );
    assert!(error.to_string().contains("5 records are gone"), "{error}");

    let mut accepting = quick();
    accepting.accept_gap = true;
    let lake = open(folder.path(), &tables());
    land(accepting, &log, &lake).await.unwrap();
    let found = audit(&lake).await.unwrap();
    assert!(
        !found.is_clean() && found.broken_epochs.len() == 1,
        "{found:#?}"
    );
    assert_eq!((found.gaps[0].from, found.gaps[0].to), (10, 15));
}
