//! When a part is down: an honest answer, never a false 200, and a process that stays up.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gamepipe_api::{Api, ApiError};
use gamepipe_config::api::ApiConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::{OutboxBatch, Record};
use gamepipe_service::Shutdown;
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_service::probes::Probes;
use serde_json::json;

use crate::harness::{BANK, DEADLINE, TestApi, embedded_stores, game, until};

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
async fn state_store_that_takes_nothing_is_not_ready_though_nothing_waits_and_ready_again_by_itself()
 {
    let api = TestApi::bank().await;
    until("ready", async || api.get("/readyz").await.status == 200).await;
    api.state.unavailable.store(true, Ordering::SeqCst);
    until("not ready", async || api.get("/readyz").await.status == 503).await;
    let probe = api.get("/readyz").await;
    let reason = probe.text();
    assert!(
        reason.contains("state store: ") && reason.contains("switched off"),
        "{reason}"
    );
    api.state.unavailable.store(false, Ordering::SeqCst);
    until("ready again", async || {
        api.get("/readyz").await.status == 200
    })
    .await;
}

#[tokio::test]
async fn log_that_refuses_clients_events_is_not_ready_at_once_and_ready_again_by_itself() {
    let api = TestApi::bank().await;
    until("ready", async || api.get("/readyz").await.status == 200).await;
    api.log.down.store(true, Ordering::SeqCst);
    let batch = json!([{"event_type": "clicked", "name": "a"}]);
    let refused = api.post_json("/v1/events", &batch).await;
    assert_eq!(refused.header("retry-after"), Some("1"));
    refused.is_problem(503, "unavailable");
    let probe = api.get("/readyz").await;
    assert_eq!(probe.status, 503);
    assert!(probe.text().contains("event log: "), "{}", probe.text());
    api.log.down.store(false, Ordering::SeqCst);
    until("ready again", async || {
        api.get("/readyz").await.status == 200
    })
    .await;
    assert_eq!(api.post_json("/v1/events", &batch).await.status, 200);
}

#[tokio::test]
async fn stores_of_which_one_is_an_older_copy_are_refused_before_anything_is_promised() {
    let folder = tempfile::tempdir().unwrap();
    let clock: SharedClock = Arc::new(SystemClock);
    let (state, log) = embedded_stores(folder.path(), LogConfig::default(), &clock);
    let api = Api::build(
        ApiConfig::default(),
        game(BANK),
        state.clone(),
        log.clone(),
        clock,
        Probes::default(),
    );
    api.check_stores().await.unwrap();
    // The log has got three events from a later state of this store.
    let record = Record {
        key: "a".to_owned(),
        value: "{}".into(),
        dedupe_id: None,
    };
    let batch = OutboxBatch {
        outbox_id: state.outbox_id().to_owned(),
        first: 1,
        records: vec![record; 3],
    };
    log.append_from_outbox(batch).await.unwrap();
    let refused = api.check_stores().await.unwrap_err();
    assert!(matches!(refused, ApiError::Diverged(_)), "{refused}");
    assert!(
        refused.to_string().contains("older copy") || refused.to_string().contains("old copy"),
        "{refused}"
    );
    // A relay that finds it out ends, instead of waiting for numbers that the log would skip.
    let relaying = api.run_relay(Shutdown::new());
    let ended = tokio::time::timeout(DEADLINE, relaying)
        .await
        .expect("the relay ends");
    assert!(matches!(ended, Err(ApiError::Diverged(_))));
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
