//! `Idempotency-Key` (ID-1): one effect and one reply, whatever is sent again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::json;

use crate::harness::{Reply, TestApi, until};

const JSON: (&str, &str) = ("content-type", "application/json");

async fn spend(api: &TestApi, key: &str, amount: i64) -> Reply {
    let body = json!({"name": "ann", "amount": amount}).to_string();
    api.send(
        "POST",
        "/v1/actions/spend",
        &[JSON, ("idempotency-key", key)],
        body,
    )
    .await
}

async fn bank_with_ann() -> TestApi {
    let api = TestApi::bank().await;
    api.post_json("/open", &json!({"name": "ann"})).await;
    api
}

#[tokio::test]
async fn same_request_has_one_effect_and_the_same_reply() {
    let api = bank_with_ann().await;
    let first = spend(&api, "k1", 10).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    for _ in 0..3 {
        let again = spend(&api, "k1", 10).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        assert_eq!(again.header("content-type"), first.header("content-type"));
        assert_eq!(again.event_ids(), first.event_ids());
        assert_eq!(again.header("idempotent-replayed"), Some("true"));
    }
    assert_eq!(api.balance("ann").await, 90);
    assert_eq!(api.landed_on_log("spent").await.len(), 1);
}

#[tokio::test]
async fn refusals_are_replayed_too() {
    let api = bank_with_ann().await;
    let first = spend(&api, "k1", 1000).await;
    first.is_problem(409, "poor");
    let again = spend(&api, "k1", 1000).await;
    again.is_problem(409, "poor");
    assert_eq!(again.body, first.body);
    assert_eq!(again.event_ids(), first.event_ids());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(api.landed_on_log("action_rejected").await.len(), 1);
}

#[tokio::test]
async fn other_parameters_under_the_same_key_are_422() {
    let api = bank_with_ann().await;
    spend(&api, "k1", 10).await;
    spend(&api, "k1", 11)
        .await
        .is_problem(422, "idempotency_key_reused");
    assert_eq!(api.balance("ann").await, 90);
}

#[tokio::test]
async fn key_is_scoped_to_its_action() {
    let api = bank_with_ann().await;
    spend(&api, "k1", 10).await;
    let body = json!({"name": "bob"}).to_string();
    let opened = api
        .send(
            "POST",
            "/v1/actions/open",
            &[JSON, ("idempotency-key", "k1")],
            body,
        )
        .await;
    assert_eq!(opened.status, 200, "{}", opened.text());
}

#[tokio::test]
async fn game_routes_know_keys_too() {
    let api = bank_with_ann().await;
    let key = [("idempotency-key", "k9")];
    let first = api.send("GET", "/spend?name=ann&amount=7", &key, "").await;
    let again = api.send("GET", "/spend?amount=7&name=ann", &key, "").await;
    assert_eq!(again.body, first.body);
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(api.balance("ann").await, 93);
}

#[tokio::test]
async fn another_player_is_never_given_the_reply_of_the_first() {
    let api = TestApi::bank().await;
    let whoami = async |host: &str| {
        api.send(
            "GET",
            "/whoami",
            &[("host", host), ("idempotency-key", "1")],
            "",
        )
        .await
    };
    assert_eq!(whoami("a.example").await.text(), "a.example");
    whoami("b.example")
        .await
        .is_problem(422, "idempotency_key_reused");
    assert_eq!(whoami("a.example:99").await.text(), "a.example");
}

#[tokio::test]
async fn unusable_keys_are_400() {
    let api = bank_with_ann().await;
    let too_long = "k".repeat(256);
    for key in ["", "a b", too_long.as_str()] {
        spend(&api, key, 1)
            .await
            .is_problem(400, "invalid_idempotency_key");
    }
    assert_eq!(spend(&api, &"k".repeat(255), 1).await.status, 200);
}

#[tokio::test]
async fn request_in_flight_is_409_and_replayed_when_it_is_done() {
    let api = Arc::new(bank_with_ann().await);
    api.state.held.store(true, Ordering::SeqCst);
    let first = tokio::spawn({
        let api = Arc::clone(&api);
        async move { spend(&api, "k1", 10).await }
    });
    until("the commit waits", async || {
        api.state.waiting.load(Ordering::SeqCst) == 1
    })
    .await;
    spend(&api, "k1", 10).await.is_problem(409, "in_flight");
    api.state.held.store(false, Ordering::SeqCst);
    api.state.permits.add_permits(1);
    let first = first.await.unwrap();
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(spend(&api, "k1", 10).await.body, first.body);
    assert_eq!(api.balance("ann").await, 90);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_at_once_have_one_effect_and_one_reply() {
    let api = Arc::new(bank_with_ann().await);
    for round in 0..5 {
        let key = format!("round-{round}");
        let racers: Vec<_> = (0..50)
            .map(|_| {
                let (api, key) = (Arc::clone(&api), key.clone());
                tokio::spawn(async move { spend(&api, &key, 10).await })
            })
            .collect();
        let mut bodies = Vec::new();
        let mut fresh = 0;
        for racer in racers {
            let reply = racer.await.unwrap();
            if reply.status == 409 {
                reply.is_problem(409, "in_flight");
                continue;
            }
            assert_eq!(reply.status, 200, "{}", reply.text());
            fresh += usize::from(reply.header("idempotent-replayed").is_none());
            bodies.push(reply.body);
        }
        assert_eq!(fresh, 1);
        bodies.dedup();
        assert_eq!(bodies.len(), 1);
        assert_eq!(api.balance("ann").await, 100 - 10 * (round + 1));
    }
    assert_eq!(api.landed_on_log("spent").await.len(), 5);
}

#[tokio::test]
async fn retry_after_an_open_outcome_does_not_act_twice() {
    let api = bank_with_ann().await;
    api.state.commits_unseen.store(true, Ordering::SeqCst);
    spend(&api, "k1", 10).await.is_problem(503, "unavailable");
    api.state.commits_unseen.store(false, Ordering::SeqCst);
    let again = spend(&api, "k1", 10).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(api.balance("ann").await, 90);
}

#[tokio::test]
async fn wrong_parameters_leave_the_key_free() {
    let api = bank_with_ann().await;
    spend(&api, "k1", 0).await.is_problem(400, "out_of_bounds");
    assert_eq!(spend(&api, "k1", 1).await.status, 200);
}
