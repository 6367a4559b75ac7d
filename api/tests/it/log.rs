//! The event log over HTTP.

use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::EventLog;
use serde_json::{Value, json};

use crate::harness::{Reply, TestApi, until};

fn lines(reply: &Reply) -> Vec<Value> {
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some("application/x-ndjson"));
    reply
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

async fn api_with_clicks(count: usize) -> (TestApi, u64) {
    let api = TestApi::bank().await;
    let events: Vec<Value> = (0..count)
        .map(|n| json!({"event_type": "clicked", "name": "ann", "times": n}))
        .collect();
    api.post_json("/v1/events", &json!(events)).await;
    let offsets = api.get("/v1/log").await.json();
    let partition = offsets["partitions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|partition| partition["high"] == count)
        .unwrap_or_else(|| panic!("one key is one partition: {offsets}"));
    (api, partition["partition"].as_u64().unwrap())
}

#[tokio::test]
async fn offsets_are_listed_per_partition() {
    let (api, _) = api_with_clicks(3).await;
    let log = api.get("/v1/log").await.json();
    assert_eq!(log["topic"], "bank_events");
    assert_eq!(log["partitions"].as_array().unwrap().len(), 12);
    assert_eq!(log["outbox_depth"], 0);
    assert!(log["generation"].as_str().is_some_and(|id| !id.is_empty()));
}

#[tokio::test]
async fn records_are_read_page_by_page() {
    let (api, partition) = api_with_clicks(5).await;
    let whole = api.get(&format!("/v1/log/{partition}")).await;
    let records = lines(&whole);
    assert_eq!(records.len(), 5);
    assert_eq!(whole.header("gamepipe-next-offset"), Some("5"));
    for (offset, record) in records.iter().enumerate() {
        assert_eq!(record["partition"], partition);
        assert_eq!(record["offset"], offset);
        assert_eq!(record["key"], "ann");
        assert_eq!(record["event"]["times"], offset);
    }
    let page = api.get(&format!("/v1/log/{partition}?from=1&max=2")).await;
    assert_eq!(lines(&page), records[1..3]);
    assert_eq!(page.header("gamepipe-next-offset"), Some("3"));
    let end = api.get(&format!("/v1/log/{partition}?from=5")).await;
    assert!(lines(&end).is_empty());
    assert_eq!(end.header("gamepipe-next-offset"), Some("5"));
}

#[tokio::test]
async fn places_that_are_not_on_the_log_are_refused() {
    let (api, partition) = api_with_clicks(1).await;
    api.get("/v1/log/12")
        .await
        .is_problem(404, "unknown_partition");
    api.get("/v1/log/one")
        .await
        .is_problem(400, "invalid_number");
    api.get("/v1/log/-1")
        .await
        .is_problem(400, "invalid_number");
    api.get("/v1/log/99999999999")
        .await
        .is_problem(400, "invalid_number");
    api.get(&format!("/v1/log/{partition}?from=x"))
        .await
        .is_problem(400, "invalid_number");
    api.get(&format!("/v1/log/{partition}?max=10001"))
        .await
        .is_problem(400, "invalid_number");
}

#[tokio::test]
async fn offset_beyond_the_log_is_416_with_what_there_is() {
    let (api, partition) = api_with_clicks(2).await;
    for from in ["3", "18446744073709551615"] {
        let problem = api
            .get(&format!("/v1/log/{partition}?from={from}"))
            .await
            .is_problem(416, "offset_out_of_range");
        assert_eq!(
            (&problem["low"], &problem["high"]),
            (&json!(0), &json!(2)),
            "{problem}"
        );
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(from) && detail.contains("0..2"), "{detail}");
    }
}

#[tokio::test]
async fn offset_that_retention_took_is_416_and_reading_goes_on_at_low() {
    let api = TestApi::start_with_log(LogConfig {
        retention_seconds: 0,
        retention_bytes: 0,
        ..LogConfig::default()
    })
    .await;
    let click = json!([{"event_type": "clicked", "name": "ann"}]);
    api.post_json("/v1/events", &click).await;
    let log = api.get("/v1/log").await.json();
    let partitions = log["partitions"].as_array().unwrap().clone();
    let highs: Vec<u64> = partitions
        .iter()
        .map(|found| found["high"].as_u64().unwrap())
        .collect();
    let partition = highs.iter().position(|high| *high == 1).unwrap();
    // As the streamer does when all of it has landed.
    api.log.release(&highs).await.unwrap();
    until("retention has taken it", async || {
        let log = api.get("/v1/log").await.json();
        log["partitions"][partition]["low"] == 1
    })
    .await;
    let problem = api
        .get(&format!("/v1/log/{partition}?from=0"))
        .await
        .is_problem(416, "offset_out_of_range");
    assert_eq!((&problem["low"], &problem["high"]), (&json!(1), &json!(1)));
    api.post_json("/v1/events", &click).await;
    assert_eq!(
        lines(&api.get(&format!("/v1/log/{partition}?from=1")).await).len(),
        1
    );
}
