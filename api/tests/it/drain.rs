//! Shutdown (DR-1): what is in flight is finished, what is committed reaches the log, and nothing new is taken.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gamepipe_config::api::ApiConfig;
use serde_json::json;

use gamepipe_state::StateStore;

use crate::harness::{BANK, DEADLINE, TestApi, game, until};

#[tokio::test]
async fn drain_finishes_the_request_in_flight_and_relays_its_events() {
    let mut api = TestApi::bank().await;
    api.state.held.store(true, Ordering::SeqCst);
    let state = Arc::clone(&api.state);
    let (address, shutdown) = (api.address, api.shutdown.clone());
    let in_flight = async {
        let reply = api.post_json("/open", &json!({"name": "ann"})).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("connection"), Some("close"));
    };
    let ending = async {
        until("the commit waits", async || {
            state.waiting.load(Ordering::SeqCst) == 1
        })
        .await;
        shutdown.cancel();
        until("nothing new is accepted", async || {
            tokio::net::TcpStream::connect(address).await.is_err()
        })
        .await;
        state.permits.add_permits(1);
    };
    tokio::join!(in_flight, ending);
    assert!(
        api.probes
            .problems()
            .iter()
            .any(|problem| problem == "api: draining")
    );
    api.stop().await;
    assert_eq!(api.state.outbox_depth().await.unwrap(), 0);
    assert_eq!(api.logged().await.len(), 1);
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_drain() {
    let config = ApiConfig {
        drain_ms: 600_000,
        ..ApiConfig::default()
    };
    let mut api = TestApi::start(game(BANK), config).await;
    let idle = tokio::net::TcpStream::connect(api.address).await.unwrap();
    api.get("/livez").await;
    let drained = tokio::time::timeout(DEADLINE, api.stop()).await;
    assert!(drained.is_ok(), "it waits for the idle connection");
    drop(idle);
}

#[tokio::test]
async fn drain_ends_in_time_when_the_log_is_down_and_what_is_left_stays_in_the_outbox() {
    let mut api = TestApi::start(
        game(BANK),
        ApiConfig {
            drain_ms: 200,
            ..ApiConfig::default()
        },
    )
    .await;
    api.log.down.store(true, Ordering::SeqCst);
    assert_eq!(
        api.post_json("/open", &json!({"name": "ann"})).await.status,
        200
    );
    api.stop().await;
    assert_eq!(api.state.outbox_depth().await.unwrap(), 1);
}
