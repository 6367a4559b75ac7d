//! `/v1/events`: every form, a result for each event, and nothing dropped (ND-1).

use std::io::Write;
use std::sync::atomic::Ordering;

use gamepipe_config::api::ApiConfig;
use gamepipe_domain::event::bad::BAD_EVENT;
use serde_json::{Value, json};

use crate::harness::{BANK, Reply, TestApi, game};

fn statuses(reply: &Reply) -> Vec<String> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let body = reply.json();
    let results = body["results"].as_array().unwrap();
    results
        .iter()
        .map(|result| result["status"].as_str().unwrap().to_owned())
        .collect()
}

async fn post(api: &TestApi, content_type: &str, body: impl Into<Vec<u8>>) -> Reply {
    api.send(
        "POST",
        "/v1/events",
        &[("content-type", content_type)],
        body,
    )
    .await
}

fn click(id: &str, times: u64) -> Value {
    json!({"event_id": id, "event_type": "clicked", "name": "ann", "times": times})
}

#[tokio::test]
async fn every_form_is_accepted_and_lands_as_the_same_event() {
    let api = TestApi::bank().await;
    let cloud = |id: &str| {
        json!({"specversion": "1.0", "id": id, "source": "/test", "type": "clicked", "time": "2026-01-02T03:04:05Z",
               "data": {"name": "ann", "times": 1}})
    };
    let cases = [
        ("application/json", click("1", 1).to_string(), 1),
        (
            "application/json",
            json!([click("2", 1), click("3", 1)]).to_string(),
            2,
        ),
        (
            "application/x-ndjson",
            format!("{}\n{}\n", click("4", 1), click("5", 1)),
            2,
        ),
        (
            "application/cloudevents+json; charset=utf-8",
            cloud("6").to_string(),
            1,
        ),
        (
            "application/cloudevents-batch+json",
            json!([cloud("7"), cloud("8")]).to_string(),
            2,
        ),
    ];
    for (content_type, body, count) in cases {
        let reply = post(&api, content_type, body.clone()).await;
        assert_eq!(
            statuses(&reply),
            vec!["accepted"; count],
            "{content_type}: {}",
            reply.text()
        );
    }
    let events = api.landed_on_log("clicked").await;
    let mut ids: Vec<&str> = events
        .iter()
        .map(|event| event["event_id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["1", "2", "3", "4", "5", "6", "7", "8"]);
    for event in &events {
        assert_eq!(
            (&event["name"], &event["times"]),
            (&json!("ann"), &json!(1)),
            "{event}"
        );
        assert_eq!(event["Host"], "test.example:80");
    }
    for (key, _) in api.logged().await {
        assert_eq!(key, "ann");
    }
}

#[tokio::test]
async fn results_are_in_order_and_one_bad_event_fails_alone() {
    let api = TestApi::bank().await;
    let batch = json!([
        click("a", 1),
        {"event_id": "b", "event_type": "clicked", "name": "ann", "times": -1},
        {"event_id": "c", "event_type": "spent", "name": "ann", "amount": 1, "left": 1},
        {"event_id": "d", "event_type": "no_such_event"},
        "not an object",
        click("a", 1),
        click("e", 2),
    ]);
    let reply = post(&api, "application/json", batch.to_string()).await;
    let expected = [
        "accepted",
        "rejected",
        "rejected",
        "rejected",
        "rejected",
        "duplicate",
        "accepted",
    ];
    assert_eq!(statuses(&reply), expected);
    let results = reply.json()["results"].clone();
    assert_eq!(results[0]["event_id"], "a");
    assert_eq!(
        (&results[1]["event_id"], &results[1]["pointer"]),
        (&json!("b"), &json!("/times"))
    );
    for n in 1..5 {
        for member in ["code", "detail"] {
            assert!(
                results[n][member]
                    .as_str()
                    .is_some_and(|text| !text.is_empty()),
                "{}",
                results[n]
            );
        }
    }
    let clicked = api.landed_on_log("clicked").await;
    assert_eq!(clicked.len(), 2);
    let bad = api.landed_on_log(BAD_EVENT).await;
    assert_eq!(bad.len(), 4);
    let mut payloads: Vec<&str> = bad
        .iter()
        .map(|event| event["_bad"]["payload"].as_str().unwrap())
        .collect();
    payloads.sort_unstable();
    assert_eq!(payloads[0], "\"not an object\"");
    assert!(bad.iter().all(|event| event["_bad"]["origin"] == "api"));
}

#[tokio::test]
async fn events_without_an_id_get_one_each() {
    let api = TestApi::bank().await;
    let nameless = json!({"event_type": "clicked", "name": "ann"});
    let reply = post(
        &api,
        "application/json",
        json!([nameless, nameless]).to_string(),
    )
    .await;
    assert_eq!(statuses(&reply), ["accepted", "accepted"]);
    let results = reply.json()["results"].clone();
    assert_ne!(results[0]["event_id"], results[1]["event_id"]);
    let logged: Vec<Value> = api
        .landed_on_log("clicked")
        .await
        .into_iter()
        .map(|event| event["event_id"].clone())
        .collect();
    assert!(logged.contains(&results[0]["event_id"]) && logged.contains(&results[1]["event_id"]));
}

#[tokio::test]
async fn event_sent_again_is_a_duplicate_and_is_on_the_log_once() {
    let api = TestApi::bank().await;
    for (round, expected) in ["accepted", "duplicate", "duplicate"]
        .into_iter()
        .enumerate()
    {
        let reply = post(&api, "application/json", click("same", 1).to_string()).await;
        assert_eq!(statuses(&reply), [expected], "{round}");
        assert_eq!(reply.json()["results"][0]["event_id"], "same");
    }
    assert_eq!(api.landed_on_log("clicked").await.len(), 1);
}

/// Where the log can't remember ids the outbox's store does.
#[tokio::test]
async fn events_with_ids_are_known_again_and_keep_their_order_on_a_shared_log() {
    let api = TestApi::bank().await;
    api.log.is_shared.store(true, Ordering::SeqCst);
    let mut batch: Vec<Value> = (0..40).map(|n| click(&format!("id {n}"), n)).collect();
    batch.insert(20, click("id 3", 3));
    batch.push(json!({"event_type": "clicked", "name": "ann", "times": 99}));
    let reply = post(
        &api,
        "application/json",
        Value::from(batch.clone()).to_string(),
    )
    .await;
    let mut expected = vec!["accepted"; 42];
    expected[20] = "duplicate";
    assert_eq!(statuses(&reply), expected);
    let reply = post(&api, "application/json", Value::from(batch).to_string()).await;
    let mut expected = vec!["duplicate"; 42];
    expected[41] = "accepted";
    assert_eq!(statuses(&reply), expected);
    let landed = api.landed_on_log("clicked").await;
    let times: Vec<u64> = landed
        .iter()
        .filter_map(|event| event["times"].as_u64())
        .filter(|times| *times < 99)
        .collect();
    assert_eq!(times, (0..40).collect::<Vec<_>>());
    assert_eq!(landed.len(), 42);
}

#[tokio::test]
async fn lines_are_judged_one_by_one() {
    let api = TestApi::bank().await;
    let body = format!("{}\n{{broken\n\n{}\n", click("1", 1), click("2", 1));
    let reply = post(&api, "application/x-ndjson", body).await;
    assert_eq!(statuses(&reply), ["accepted", "rejected", "accepted"]);
    assert_eq!(
        api.landed_on_log(BAD_EVENT).await[0]["_bad"]["payload"],
        "{broken"
    );
}

#[tokio::test]
async fn compressed_batches_are_taken() {
    let api = TestApi::bank().await;
    let batch = |prefix: &str| {
        json!(
            (0..100)
                .map(|n| click(&format!("{prefix}{n}"), n))
                .collect::<Vec<_>>()
        )
        .to_string()
    };
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(batch("g").as_bytes()).unwrap();
    let zstd = zstd::stream::encode_all(batch("z").as_bytes(), 3).unwrap();
    for (encoding, body) in [("gzip", gzip.finish().unwrap()), ("zstd", zstd)] {
        let headers = [
            ("content-type", "application/json"),
            ("content-encoding", encoding),
        ];
        let reply = api.send("POST", "/v1/events", &headers, body).await;
        assert_eq!(statuses(&reply), vec!["accepted"; 100], "{encoding}");
    }
    assert_eq!(api.landed_on_log("clicked").await.len(), 200);
}

#[tokio::test]
async fn whole_request_fails_only_for_size_encoding_or_syntax() {
    let config = ApiConfig {
        max_body_bytes: 10_000,
        max_decompressed_bytes: 20_000,
        max_batch_events: 3,
        ..ApiConfig::default()
    };
    let api = TestApi::start(game(BANK), config).await;
    post(&api, "application/json", "[{},")
        .await
        .is_problem(400, "invalid_json");
    post(&api, "application/json", "")
        .await
        .is_problem(400, "invalid_json");
    post(&api, "application/json", "[1,2,3,4]")
        .await
        .is_problem(413, "batch_too_large");
    post(&api, "application/json", vec![b' '; 10_001])
        .await
        .is_problem(413, "body_too_large");
    post(&api, "multipart/form-data; boundary=x", "--x")
        .await
        .is_problem(415, "unsupported_media_type");
    let bomb = zstd::stream::encode_all(&vec![b' '; 1 << 20][..], 19).unwrap();
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "zstd"),
    ];
    api.send("POST", "/v1/events", &headers, bomb)
        .await
        .is_problem(413, "body_too_large");
    let headers = [
        ("content-type", "application/json"),
        ("content-encoding", "br"),
    ];
    let refused = api.send("POST", "/v1/events", &headers, "x").await;
    refused.is_problem(415, "unsupported_encoding");
    assert_eq!(refused.header("accept-encoding"), Some("gzip, zstd"));
    assert!(api.logged().await.is_empty());
    let empty = post(&api, "application/json", "[]").await;
    assert_eq!(empty.json(), json!({"results": []}));
}

#[tokio::test]
async fn event_over_its_own_limit_or_too_deep_fails_alone() {
    let api = TestApi::bank().await;
    let large = json!({"event_type": "clicked", "name": "ann", "note": "x".repeat(64 << 10)});
    let deep = format!(
        "{{\"event_type\":\"clicked\",\"name\":\"ann\",\"x\":{}{}}}",
        "[".repeat(100),
        "]".repeat(100)
    );
    let body = format!("[{large},{deep},{}]", click("ok", 1));
    let reply = post(&api, "application/json", body).await;
    assert_eq!(statuses(&reply), ["rejected", "rejected", "accepted"]);
    let results = reply.json()["results"].clone();
    assert_eq!(results[0]["code"], "event_too_large");
    assert_eq!(results[1]["code"], "too_deep");
    let bad = api.landed_on_log(BAD_EVENT).await;
    assert!(bad.iter().any(|event| {
        event["_bad"]["payload"]
            .as_str()
            .unwrap()
            .ends_with("[truncated]")
    }));
}
