//! The relay: every committed event on the log, once, in order, whatever fails in between.

use std::sync::atomic::Ordering;

use gamepipe_state::StateStore;
use serde_json::json;

use crate::harness::{TestApi, until};

#[tokio::test]
async fn batch_whose_append_looked_failed_is_on_the_log_once() {
    let api = TestApi::bank().await;
    api.log.relays_unseen.store(3, Ordering::SeqCst);
    for n in 0..10 {
        assert_eq!(
            api.post_json("/open", &json!({"name": format!("n{n}")}))
                .await
                .status,
            200
        );
    }
    let opened = api.landed_on_log("opened").await;
    assert!(
        api.log.relays_unseen.load(Ordering::SeqCst) < 3,
        "the fault was met"
    );
    let mut names: Vec<&str> = opened
        .iter()
        .map(|event| event["name"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, (0..10).map(|n| format!("n{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn events_of_one_key_keep_their_order() {
    let api = TestApi::bank().await;
    api.post_json("/open", &json!({"name": "ann"})).await;
    for _ in 0..20 {
        api.get("/spend?name=ann&amount=1").await;
    }
    let left: Vec<i64> = api
        .landed_on_log("spent")
        .await
        .iter()
        .map(|event| event["left"].as_i64().unwrap())
        .collect();
    assert_eq!(left, (80..100).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn a_process_that_does_not_relay_is_ready_and_moves_nothing_until_it_is_its_turn() {
    let api = TestApi::bank().await;
    api.log.relays_elsewhere.store(true, Ordering::SeqCst);
    // The round that was under way may still be its own.
    until("another process relays", async || {
        api.post_json("/open", &json!({"name": "first"})).await;
        api.state.outbox_depth().await.unwrap() > 0
    })
    .await;
    api.post_json("/open", &json!({"name": "waits"})).await;
    until("it has looked at the stores", async || {
        api.get("/readyz").await.status == 200
    })
    .await;
    assert!(api.state.outbox_depth().await.unwrap() > 0);
    api.log.relays_elsewhere.store(false, Ordering::SeqCst);
    let opened = api.landed_on_log("opened").await;
    assert!(opened.iter().any(|event| event["name"] == "waits"));
}
