//! Many at once on few keys (OV-1): no overspend, no gap, no request that starves.

use std::sync::Arc;

use serde_json::json;

use crate::harness::TestApi;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_purchases_never_overspend_and_the_events_add_up() {
    let api = Arc::new(TestApi::bank().await);
    api.post_json("/open", &json!({"name": "ann"})).await;
    // 64 racers on one account of 100, each spending 5 twice: 20 purchases are legal, 108 are not.
    let racers: Vec<_> = (0..64)
        .map(|_| {
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                let mut bought = 0;
                for _ in 0..2 {
                    let reply = api.get("/spend?name=ann&amount=5").await;
                    match reply.status.as_u16() {
                        200 => bought += 1,
                        _ => {
                            reply.is_problem(409, "poor");
                        }
                    }
                }
                bought
            })
        })
        .collect();
    let mut bought = 0;
    for racer in racers {
        bought += racer.await.unwrap();
    }
    assert_eq!(bought, 20);
    assert_eq!(api.balance("ann").await, 0);
    let spent = api.landed_on_log("spent").await;
    let total: i64 = spent
        .iter()
        .map(|event| event["amount"].as_i64().unwrap())
        .sum();
    assert_eq!((spent.len(), total), (20, 100));
    let mut left: Vec<i64> = spent
        .iter()
        .map(|event| event["left"].as_i64().unwrap())
        .collect();
    assert!(
        left.is_sorted_by(|before, after| before > after),
        "in the order in which it happened: {left:?}"
    );
    left.dedup();
    assert_eq!(left.len(), 20);
    assert_eq!(api.landed_on_log("action_rejected").await.len(), 108);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_name_is_taken_once_however_many_want_it() {
    let api = Arc::new(TestApi::bank().await);
    let racers: Vec<_> = (0..64)
        .map(|n| {
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                api.post_json("/open", &json!({"name": format!("n{}", n % 4)}))
                    .await
                    .status
                    .as_u16()
            })
        })
        .collect();
    let mut opened = 0;
    for racer in racers {
        match racer.await.unwrap() {
            200 => opened += 1,
            other => assert_eq!(other, 409),
        }
    }
    assert_eq!(opened, 4);
    assert_eq!(api.landed_on_log("opened").await.len(), 4);
}

#[tokio::test]
async fn lost_races_are_decided_again_and_given_up_as_contended() {
    use std::sync::atomic::Ordering;
    let config = gamepipe_config::api::ApiConfig {
        max_attempts: 4,
        ..Default::default()
    };
    let api = TestApi::start(crate::harness::game(crate::harness::BANK), config).await;
    api.post_json("/open", &json!({"name": "ann"})).await;
    api.state.conflicts.store(3, Ordering::SeqCst);
    assert_eq!(api.get("/spend?name=ann").await.status, 200);
    api.state.conflicts.store(4, Ordering::SeqCst);
    api.get("/spend?name=ann")
        .await
        .is_problem(503, "contended");
    assert_eq!(api.state.conflicts.load(Ordering::SeqCst), 0);
    assert_eq!(api.balance("ann").await, 95);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ids_of_trade_count_up_without_gaps() {
    let api =
        Arc::new(TestApi::start(crate::harness::reference_game("trade"), Default::default()).await);
    let racers: Vec<_> = (0..48)
        .map(|n| {
            let api = Arc::clone(&api);
            tokio::spawn(async move {
                let body =
                    json!({"player_class": "random", "username": format!("u{n}")}).to_string();
                let reply = api
                    .send(
                        "PUT",
                        "/create_player",
                        &[("content-type", "application/json")],
                        body,
                    )
                    .await;
                assert_eq!(reply.status, 200, "{}", reply.text());
                reply.json()["player_id"].as_i64().unwrap()
            })
        })
        .collect();
    let mut ids = Vec::new();
    for racer in racers {
        ids.push(racer.await.unwrap());
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..48).collect::<Vec<_>>());
}
