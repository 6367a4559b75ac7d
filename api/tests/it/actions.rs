//! Actions on both surfaces: what they take, what they answer, what they record.

use gamepipe_domain::entity::EntityId;
use gamepipe_state::{Commit, CommitOutcome, StateStore};
use serde_json::json;

use crate::harness::TestApi;

#[tokio::test]
async fn game_route_takes_query_form_and_json_and_answers_as_the_game_says() {
    let api = TestApi::bank().await;
    let opened = api.post_json("/open", &json!({"name": "ann"})).await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    assert_eq!(
        opened.header("content-type"),
        Some("text/plain; charset=utf-8")
    );
    assert_eq!(opened.text(), "welcome ann");
    assert_eq!(opened.event_ids().len(), 1);

    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (method, target, headers, body, left) in [
        ("GET", "/spend?name=ann", &[] as &[_], "", 95),
        ("GET", "/spend?name=ann&amount=1&stranger=x", &[], "", 94),
        (
            "POST",
            "/spend?name=ann",
            &form,
            "amount=2&note=a+b%26c",
            92,
        ),
        (
            "POST",
            "/spend?name=ann&amount=9",
            &[("content-type", "application/json; charset=utf-8")],
            "{\"amount\":3}",
            89,
        ),
        ("PUT", "/spend", &[], "{\"name\":\"ann\",\"amount\":4}", 85),
    ] {
        let reply = api.send(method, target, headers, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.header("content-type"), Some("application/json"));
        assert_eq!(
            reply.json(),
            json!({"left": left}),
            "{method} {target} {body}"
        );
    }
}

#[tokio::test]
async fn action_answers_with_events_reply_and_entities() {
    let api = TestApi::bank().await;
    let opened = api
        .post_json("/v1/actions/open", &json!({"name": "bob"}))
        .await;
    assert_eq!(opened.status, 200, "{}", opened.text());
    let body = opened.json();
    assert_eq!(body["action"], "open");
    assert_eq!(body["reply"], "welcome bob");
    assert_eq!(body["event_ids"], json!(opened.event_ids()));
    let account = json!({"type": "account", "key": "bob", "version": 1, "state": {"balance": 100}});
    assert_eq!(body["entities"], json!({"account": account}));
    assert_eq!(api.get("/v1/entities/account/bob").await.json(), account);

    let spent = api
        .post_json("/v1/actions/spend", &json!({"name": "bob", "amount": 30}))
        .await
        .json();
    assert_eq!(spent["entities"]["account"]["version"], 2);
    assert_eq!(spent["entities"]["account"]["state"]["balance"], 70);
}

#[tokio::test]
async fn wrong_parameters_are_400_and_not_recorded() {
    let api = TestApi::bank().await;
    for (body, code, pointer) in [
        (json!({}), "missing_parameter", "/name"),
        (json!({"name": 5}), "wrong_type", "/name"),
        (json!({"name": "a", "amount": "5"}), "wrong_type", "/amount"),
        (
            json!({"name": "a", "amount": 0}),
            "out_of_bounds",
            "/amount",
        ),
        (
            json!({"name": "a", "stranger": 1}),
            "unknown_parameter",
            "/stranger",
        ),
    ] {
        let problem = api
            .post_json("/v1/actions/spend", &body)
            .await
            .is_problem(400, code);
        assert_eq!(problem["pointer"], pointer, "{body}");
    }
    api.get("/spend").await.is_problem(400, "missing_parameter");
    api.get("/spend?name=a&amount=many")
        .await
        .is_problem(400, "wrong_type");
    api.get("/spend?name=%ff")
        .await
        .is_problem(400, "invalid_query");
    assert!(api.landed_on_log("action_rejected").await.is_empty());
}

#[tokio::test]
async fn refusals_have_their_status_and_are_recorded_with_the_same_ids() {
    let api = TestApi::bank().await;
    api.post_json("/open", &json!({"name": "ann"})).await;
    let mut ids = Vec::new();
    for (target, status, code) in [
        ("/v1/actions/open", 409, "name_taken"),
        ("/v1/actions/spend", 409, "poor"),
    ] {
        let body = if code == "poor" {
            json!({"name": "ann", "amount": 101})
        } else {
            json!({"name": "ann"})
        };
        let reply = api.post_json(target, &body).await;
        reply.is_problem(status, code);
        ids.extend(reply.event_ids());
    }
    let unknown = api.get("/spend?name=nobody").await;
    unknown.is_problem(404, "unknown_entity");
    ids.extend(unknown.event_ids());

    let rejected = api.landed_on_log("action_rejected").await;
    assert_eq!(rejected.len(), 3);
    let mut logged: Vec<&str> = rejected
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect();
    logged.sort_unstable();
    ids.sort();
    assert_eq!(logged, ids);
    assert_eq!(api.balance("ann").await, 100);
}

#[tokio::test]
async fn unknown_names_are_404_and_say_what_was_meant() {
    let api = TestApi::bank().await;
    let problem = api
        .post_json("/v1/actions/spent", &json!({}))
        .await
        .is_problem(404, "unknown_action");
    assert_eq!(problem["near"], json!(["spend"]));
    api.get("/v1/entities/player/a")
        .await
        .is_problem(404, "unknown_entity_type");
    api.get("/v1/entities/_counter/account")
        .await
        .is_problem(404, "unknown_entity_type");
    api.get("/v1/entities/account/nobody")
        .await
        .is_problem(404, "unknown_entity");
}

#[tokio::test]
async fn player_is_the_host_without_its_port() {
    let api = TestApi::bank().await;
    for host in ["user1.example:8000", "user1.example"] {
        let reply = api.send("GET", "/whoami", &[("host", host)], "").await;
        assert_eq!(reply.text(), "user1.example");
    }
    let found = api.get("/v1/entities/account/user1.example").await;
    assert_eq!(found.json()["key"], "user1.example");
    let seen = api.landed_on_log("seen").await;
    assert_eq!(seen.len(), 2);
    assert!(
        seen.iter()
            .any(|event| event["Host"] == "user1.example:8000"),
        "{seen:?}"
    );
}

#[tokio::test]
async fn credentials_never_reach_the_log() {
    let api = TestApi::bank().await;
    let headers = [
        ("cookie", "secret-1"),
        ("authorization", "Bearer secret-2"),
        ("user-agent", "curl/8"),
    ];
    let reply = api.send("GET", "/whoami", &headers, "").await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    let seen = api.landed_on_log("seen").await;
    assert_eq!(seen[0]["User-Agent"], "curl/8");
    assert!(!format!("{seen:?}").contains("secret"));
}

#[tokio::test]
async fn keys_with_escapes_are_found_again() {
    let api = TestApi::bank().await;
    let name = "a/b c?é%";
    assert_eq!(
        api.post_json("/open", &json!({"name": name})).await.status,
        200
    );
    let escaped: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
    assert_eq!(
        api.get(&format!("/v1/entities/account/{escaped}"))
            .await
            .json()["key"],
        name
    );
}

#[tokio::test]
async fn state_is_shown_with_the_fields_that_the_definition_has_today() {
    let api = TestApi::bank().await;
    // Stored when the definition had `color` and no `balance` yet.
    let id = EntityId {
        entity_type: "account".to_owned(),
        key: "old".to_owned(),
    };
    let stored = serde_json::from_value(json!({"color": "red"})).unwrap();
    let commit = Commit {
        expected: vec![(id.clone(), 0)],
        writes: vec![(id, stored)],
        events: Vec::new(),
        idempotency: None,
        now: None,
    };
    assert_eq!(
        api.state.commit(commit).await.unwrap(),
        CommitOutcome::Committed
    );
    let shown = api.get("/v1/entities/account/old").await.json();
    assert_eq!(shown["state"], json!({"balance": 100}));
    let body = br#"{"name":"old","amount":1}"#.to_vec();
    let json = [("content-type", "application/json")];
    let reply = api
        .send("POST", "/v1/actions/spend", &json, body)
        .await
        .json();
    assert_eq!(
        reply["entities"]["account"]["state"],
        json!({"balance": 99})
    );
}

#[tokio::test]
async fn a_parameter_given_twice_in_json_is_refused_on_every_route() {
    let api = TestApi::bank().await;
    for target in ["/v1/actions/open", "/open"] {
        let body = br#"{"name":"dora","name":"eve"}"#.to_vec();
        let json = [("content-type", "application/json")];
        let reply = api.send("POST", target, &json, body).await;
        assert_eq!(reply.status, 400, "{target}");
        assert_eq!(reply.json()["code"], "duplicate_parameter");
    }
    assert_eq!(api.get("/v1/entities/account/eve").await.status, 404);
}

#[tokio::test]
async fn the_start_page_says_what_can_be_called() {
    let api = TestApi::bank().await;
    let reply = api.get("/").await;
    assert_eq!(reply.status, 200);
    let text = reply.text();
    for part in [
        "the game bank",
        "GET    /spend  amount, name, note",
        "/v1/events",
        "account",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
