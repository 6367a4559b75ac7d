//! Routing: what is served where, and what is said where nothing is.

use gamepipe_config::api::ApiConfig;

use crate::harness::{BANK, TestApi, game};

#[tokio::test]
async fn unknown_path_is_404_with_similar_routes() {
    let api = TestApi::bank().await;
    let problem = api.get("/spent?x=1").await.is_problem(404, "unknown_route");
    assert_eq!(problem["near"][0], "GET /spend", "{problem}");
    let problem = api
        .get("/v1/log/1/2")
        .await
        .is_problem(404, "unknown_route");
    assert!(
        problem["near"]
            .as_array()
            .unwrap()
            .iter()
            .any(|route| route == "GET /v1/log"),
        "{problem}"
    );
    api.get("/zzzzzzzzzzzzzzzzzz")
        .await
        .is_problem(404, "unknown_route");
    api.send("POST", "/x", &[], "x")
        .await
        .is_problem(404, "unknown_route");
}

#[tokio::test]
async fn other_method_is_405_with_the_methods_that_are_allowed() {
    let api = TestApi::bank().await;
    for (method, path, allow) in [
        ("GET", "/open", "POST,OPTIONS"),
        ("DELETE", "/spend", "GET,POST,PUT,OPTIONS"),
        ("GET", "/v1/events", "POST"),
        ("GET", "/v1/actions/open", "POST"),
        ("POST", "/v1/log", "GET,HEAD"),
        ("BREW", "/v1/game", "GET,HEAD"),
    ] {
        let reply = api.send(method, path, &[], "").await;
        reply.is_problem(405, "method_not_allowed");
        assert_eq!(reply.header("allow"), Some(allow), "{method} {path}");
    }
}

#[tokio::test]
async fn options_names_the_methods() {
    let api = TestApi::bank().await;
    for (path, allow) in [
        ("/open", "POST,OPTIONS"),
        ("/v1/events", "POST"),
        ("/v1/game", "GET,HEAD"),
    ] {
        let reply = api.send("OPTIONS", path, &[], "").await;
        assert_eq!(reply.status, 204, "{path}");
        assert_eq!(reply.header("allow"), Some(allow), "{path}");
    }
}

#[tokio::test]
async fn head_reads_and_never_acts() {
    let api = TestApi::bank().await;
    api.post_json("/open", &serde_json::json!({"name": "ann"}))
        .await;
    let refused = api.send("HEAD", "/spend?name=ann&amount=50", &[], "").await;
    assert_eq!(refused.status, 405);
    assert_eq!(api.balance("ann").await, 100);
    let head = api.send("HEAD", "/v1/entities/account/ann", &[], "").await;
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    assert!(
        head.header("content-length")
            .is_some_and(|length| length != "0")
    );
}

#[tokio::test]
async fn game_is_described_with_its_definition() {
    let api = TestApi::bank().await;
    let game = api.get("/v1/game").await.json();
    assert_eq!(game["name"], "bank");
    assert_eq!(game["topic"], "bank_events");
    assert!(
        game["version"]
            .as_str()
            .is_some_and(|version| !version.is_empty())
    );
    assert_eq!(
        game["document"]["spec"]["actions"]["spend"]["routes"][0]["path"],
        "/spend"
    );
}

#[tokio::test]
async fn probes_answer_and_metrics_have_closed_labels() {
    let api = TestApi::bank().await;
    assert_eq!(api.get("/livez").await.text(), "ok\n");
    crate::harness::until("ready", async || api.get("/readyz").await.status == 200).await;
    for n in 0..20 {
        api.get(&format!("/no/such/{n}")).await;
        api.get(&format!("/v1/entities/account/a{n}")).await;
    }
    let metrics = api.get("/metrics").await.text().to_owned();
    let count = |line: &str| {
        let found = metrics
            .lines()
            .find_map(|found| found.strip_prefix(line))
            .unwrap_or_else(|| panic!("{line}\n{metrics}"));
        found.trim().parse::<f64>().unwrap()
    };
    assert_eq!(
        count(r#"gamepipe_api_requests_total{route="unmatched",status="4xx"}"#),
        20.0
    );
    assert_eq!(
        count(r#"gamepipe_api_requests_total{route="/v1/entities/{type}/{key}",status="4xx"}"#),
        20.0
    );
    assert_eq!(
        count(r#"gamepipe_api_request_seconds_count{route="unmatched"}"#),
        20.0
    );
    assert!(!metrics.contains("such/"));
    for name in [
        "gamepipe_outbox_depth",
        "gamepipe_relay_lag_seconds",
        "gamepipe_api_conflicts_total",
    ] {
        assert!(metrics.contains(name), "{name}");
    }
}

#[tokio::test]
async fn requests_beyond_the_limit_are_refused_and_probes_still_answer() {
    let api = TestApi::start(
        game(BANK),
        ApiConfig {
            max_in_flight: 0,
            ..ApiConfig::default()
        },
    )
    .await;
    api.get("/v1/game").await.is_problem(503, "overloaded");
    assert_eq!(api.get("/livez").await.status, 200);
    assert_eq!(api.get("/metrics").await.status, 200);
}
