//! Records that no sane producer sends (`poison.json`): none stops the streamer, each is a row of `bad_events` exactly
//! once with its reason, and its good neighbours land.

use std::sync::Arc;

use gamepipe_domain::event::bad::{BadEvent, encode_bad_event};
use gamepipe_domain::time::Timestamp;
use serde_json::{Value, json};

use crate::memory_log::MemoryLog;
use crate::world::{clean_audit, event, land, open, quick, rows, rows_in, tables};

fn record(case: &Value) -> Vec<u8> {
    let text = |name: &str| case[name].as_str().unwrap_or_default();
    if let Some(hex) = case["hex"].as_str() {
        let pairs = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned());
        return pairs
            .map(|pair| u8::from_str_radix(&pair, 16).expect("the corpus is in hex"))
            .collect();
    }
    if let Some(data) = case["data"].as_str() {
        let event_type = case["type"].as_str().unwrap_or("attack");
        let envelope = format!(
            r#""event_id":"x","event_type":"{event_type}","event_time":"2026-01-02T03:04:05Z""#
        );
        return format!("{{{envelope},{data}}}").into_bytes();
    }
    let times = usize::try_from(case["times"].as_u64().unwrap_or(0)).unwrap_or(0);
    format!(
        "{}{}{}{}",
        text("text"),
        text("prefix"),
        text("repeat").repeat(times),
        text("suffix")
    )
    .into_bytes()
}

#[tokio::test(flavor = "multi_thread")]
async fn poison_lands_in_bad_events_once_and_its_neighbours_in_their_tables() {
    let corpus: Vec<Value> =
        serde_json::from_str(include_str!("poison.json")).expect("the corpus is JSON");
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    let mut expected = Vec::new();
    let mut good = 0;
    for (number, case) in corpus.iter().enumerate() {
        log.push("k", record(case));
        log.push("k", event("attack", number as u64, json!({})));
        match case["code"].as_str() {
            Some(code) => {
                let pointer = case["pointer"].as_str().unwrap_or_default();
                expected.push(format!(
                    "origin=log code={code} pointer={pointer} _offset={}",
                    2 * number
                ));
            }
            None => good += 1,
        }
    }
    let lake = open(folder.path(), &tables());
    land(quick(), &log, &lake)
        .await
        .expect("no record stops the streamer");
    assert_eq!(
        rows(
            &lake,
            "bad_events",
            &["origin", "code", "pointer", "_offset"]
        )
        .await,
        expected
    );
    let found = clean_audit(&lake).await;
    assert_eq!(rows_in(&found, "attacks"), (corpus.len() + good) as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_api_refused_lands_with_what_it_said() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    log.push(
        "k",
        encode_bad_event(&BadEvent {
            id: "id-1".to_owned(),
            time: Timestamp::from_micros(1_767_323_045_000_007),
            origin: "api".to_owned(),
            code: "wrong_type".to_owned(),
            detail: "expected an integer".to_owned(),
            pointer: "/price".to_owned(),
            payload: "{\"price\":\"\u{e9}".to_owned(),
        }),
    );
    let lake = open(folder.path(), &tables());
    land(quick(), &log, &lake).await.expect("it lands");
    let columns = [
        "origin",
        "code",
        "detail",
        "pointer",
        "payload",
        "received_at",
        "_event_id",
    ];
    assert_eq!(
        rows(&lake, "bad_events", &columns).await,
        [
            "origin=api code=wrong_type detail=expected an integer pointer=/price payload={\"price\":\"\u{e9} received_at=2026-01-02T03:04:05.000007 _event_id=id-1",
        ]
    );
    clean_audit(&lake).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_text_are_kept_whole() {
    let folder = tempfile::tempdir().expect("a directory");
    let log = Arc::new(MemoryLog::new("g", 1));
    log.push("k", vec![0xff, 0xfe, 0x00]);
    let lake = open(folder.path(), &tables());
    land(quick(), &log, &lake).await.expect("it lands");
    assert_eq!(
        rows(&lake, "bad_events", &["payload"]).await,
        ["payload=//4A"]
    );
}
