//! When a part is down: an honest answer, never a false 200, and a process that stays up.

use std::sync::atomic::Ordering;

use gamepipe_config::api::ApiConfig;
use serde_json::json;

use crate::harness::{BANK, TestApi, game, until};

#[tokio::test]
async fn log_down_means_503_for_events_and_not_ready_and_actions_wait_in_the_outbox() {
    let api = TestApi::bank().await;
    until("ready", async || api.get("/readyz").await.status == 200).await;
    api.log.down.store(true, Ordering::SeqCst);

    let batch = json!([{"event_type": "clicked", "event_id": "e1", "name": "a"}, {"event_type": "nonsense"}]);
    let problem = api
        .post_json("/v1/events", &batch)
        .await
        .is_problem(503, "unavailable");
    let statuses: Vec<_> = problem["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| &result["status"])
        .collect();
    assert_eq!(statuses, ["retry", "retry"]);
    assert_eq!(problem["results"][0]["event_id"], "e1");

    let opened = api.post_json("/open", &json!({"name": "ann"})).await;
    assert_eq!(
        opened.status,
        200,
        "the outbox is durable: {}",
        opened.text()
    );
    until("not ready", async || api.get("/readyz").await.status == 503).await;
    assert!(api.get("/readyz").await.text().contains("event log: "));
    assert!(api.logged().await.is_empty());

    api.log.down.store(false, Ordering::SeqCst);
    until("ready again", async || {
        api.get("/readyz").await.status == 200
    })
    .await;
    assert_eq!(api.landed_on_log("opened").await.len(), 1);
    let again = api.post_json("/v1/events", &batch).await.json();
    assert_eq!(again["results"][0]["status"], "accepted");
}

#[tokio::test]
async fn full_outbox_refuses_actions() {
    let api = TestApi::start(
        game(BANK),
        ApiConfig {
            max_outbox: 1,
            ..ApiConfig::default()
        },
    )
    .await;
    api.log.down.store(true, Ordering::SeqCst);
    let mut opened = 0;
    until("actions are refused", async || {
        opened += 1;
        let reply = api
            .post_json("/open", &json!({"name": format!("n{opened}")}))
            .await;
        if reply.status == 200 {
            return false;
        }
        reply.is_problem(503, "unavailable");
        true
    })
    .await;
    api.log.down.store(false, Ordering::SeqCst);
    until("actions are taken again", async || {
        api.post_json("/open", &json!({"name": "late"}))
            .await
            .status
            == 200
    })
    .await;
}

#[tokio::test]
async fn open_outcome_of_a_commit_is_503_not_200() {
    let api = TestApi::bank().await;
    api.state.unavailable.store(true, Ordering::SeqCst);
    api.post_json("/open", &json!({"name": "ann"}))
        .await
        .is_problem(503, "unavailable");
    api.state.unavailable.store(false, Ordering::SeqCst);
    assert_eq!(
        api.post_json("/open", &json!({"name": "ann"})).await.status,
        200
    );
}

#[tokio::test]
async fn panic_is_a_500_and_the_service_stays_up() {
    let api = TestApi::bank().await;
    api.state.panics.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        api.get("/spend?name=ann").await.is_problem(500, "internal");
    }
    api.state.panics.store(false, Ordering::SeqCst);
    assert_eq!(
        api.post_json("/open", &json!({"name": "ann"})).await.status,
        200
    );
    assert!(
        api.get("/metrics")
            .await
            .text()
            .contains("gamepipe_api_requests_in_flight 0")
    );
}
