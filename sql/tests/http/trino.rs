//! Trino's protocol, page by page.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Endpoint, Reply};

const PRECISE: (&str, &str) = ("x-trino-client-capabilities", "PARAMETRIC_DATETIME");

fn path_of(uri: &Value) -> String {
    let uri = uri.as_str().unwrap();
    uri[uri.find("/v1/").unwrap()..].to_owned()
}

async fn post(endpoint: &Endpoint, sql: &str, headers: &[(&str, &str)]) -> Value {
    let reply = endpoint
        .request("POST", "/v1/statement", headers, sql.as_bytes())
        .await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

/// All pages of a statement: its rows, the last page, and the reply that carried the last page.
async fn run(
    endpoint: &Endpoint,
    sql: &str,
    headers: &[(&str, &str)],
) -> (Vec<Value>, Value, Reply) {
    let mut page = post(endpoint, sql, headers).await;
    assert_eq!(page["stats"]["state"], "QUEUED");
    let mut rows = Vec::new();
    loop {
        let reply = endpoint.get(&path_of(&page["nextUri"])).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.headers["content-type"], "application/json");
        page = reply.json();
        assert!(
            page["stats"]["rootStage"]["subStages"].is_array(),
            "clients need a root stage: {page}"
        );
        if let Some(data) = page["data"].as_array() {
            assert!(page["columns"].is_array(), "rows come with columns");
            assert!(
                !page["nextUri"].is_null(),
                "rows never come on the last page"
            );
            rows.extend(data.iter().cloned());
        }
        if page["nextUri"].is_null() {
            return (rows, page, reply);
        }
    }
}

#[tokio::test]
async fn a_statement_is_paged_to_its_end() {
    let endpoint = Endpoint::start().await;
    let (rows, last, _) = run(&endpoint, "select value, cast(value as varchar) || 'xxxxxxxxxxxxxxxxxxxxxx' as t from generate_series(1, 100000)", &[PRECISE]).await;
    assert_eq!(rows.len(), 100_000);
    assert_eq!(last["stats"]["state"], "FINISHED");
    assert_eq!(
        last["columns"][0],
        json!({"name": "value", "type": "bigint", "typeSignature": {"rawType": "bigint", "arguments": []}})
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn a_page_can_be_asked_for_again_but_not_an_older_one() {
    let endpoint = Endpoint::start().await;
    let first = post(
        &endpoint,
        "select value, lpad('x', 100, 'y') from generate_series(1, 30000)",
        &[],
    )
    .await;
    let first_path = path_of(&first["nextUri"]);
    let one = endpoint.get(&first_path).await;
    let again = endpoint.get(&first_path).await;
    assert_eq!(one.body, again.body);
    let second_path = path_of(&one.json()["nextUri"]);
    assert_eq!(endpoint.get(&second_path).await.status, 200);
    assert_eq!(endpoint.get(&first_path).await.status, 410);
    let far = second_path.rsplit_once('/').unwrap().0.to_owned() + "/99";
    assert_eq!(endpoint.get(&far).await.status, 404);
    let wrong_slug = second_path.replace("/y", "/yf");
    assert_eq!(endpoint.get(&wrong_slug).await.status, 404);
    assert_eq!(
        endpoint
            .request("DELETE", &second_path, &[], b"")
            .await
            .status,
        204
    );
    assert_eq!(
        endpoint
            .request("DELETE", &second_path, &[], b"")
            .await
            .status,
        204
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn errors_are_pages_with_code_and_place() {
    let endpoint = Endpoint::start().await;
    let (_, page, _) = run(&endpoint, "select nope from player_events", &[]).await;
    let error = &page["error"];
    assert_eq!(
        (
            error["errorName"].as_str(),
            error["errorCode"].as_u64(),
            error["errorType"].as_str()
        ),
        (Some("COLUMN_NOT_FOUND"), Some(47), Some("USER_ERROR"))
    );
    assert_eq!(
        error["errorLocation"],
        json!({"lineNumber": 1, "columnNumber": 8})
    );
    assert_eq!(
        error["message"],
        "line 1:8: Column 'nope' cannot be resolved"
    );
    assert_eq!(page["stats"]["state"], "FAILED");
    endpoint.stop().await;
}

#[tokio::test]
async fn times_have_the_precision_that_the_client_knows() {
    let endpoint = Endpoint::start().await;
    let sql = "select cast(timestamp '2026-01-02 03:04:05.678901' as timestamp(6)) as t";
    let (precise, page, _) = run(&endpoint, sql, &[PRECISE]).await;
    assert_eq!(
        (&precise[0][0], &page["columns"][0]["type"]),
        (&json!("2026-01-02 03:04:05.678901"), &json!("timestamp(6)"))
    );
    let (old, page, _) = run(&endpoint, sql, &[("x-presto-user", "ann")]).await;
    assert_eq!(
        (&old[0][0], &page["columns"][0]["type"]),
        (&json!("2026-01-02 03:04:05.678"), &json!("timestamp"))
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn commands_tell_the_client_what_to_remember() {
    let endpoint = Endpoint::start().await;
    let (_, page, reply) = run(&endpoint, "use lake.arena", &[]).await;
    assert_eq!(page["updateType"], "USE");
    assert_eq!(
        (
            reply.headers["x-trino-set-catalog"].as_str(),
            reply.headers["x-trino-set-schema"].as_str()
        ),
        ("lake", "arena")
    );
    let (_, page, _) = run(&endpoint, "use lake.nope", &[]).await;
    assert_eq!(page["error"]["errorName"], "SCHEMA_NOT_FOUND");
    let (_, _, reply) = run(
        &endpoint,
        "set session query_max_run_time = '1h'",
        &[("x-presto-user", "ann")],
    )
    .await;
    assert_eq!(
        reply.headers["x-presto-set-session"],
        "query_max_run_time=1h"
    );
    let (_, page, reply) = run(&endpoint, "start transaction read only", &[]).await;
    assert_eq!(page["updateType"], "START TRANSACTION");
    assert!(reply.headers.contains_key("x-trino-started-transaction-id"));
    endpoint.stop().await;
}

#[tokio::test]
async fn prepared_statements_live_with_the_client() {
    let endpoint = Endpoint::start().await;
    let (_, _, reply) = run(&endpoint, "prepare s1 from select ? + 1, ?", &[]).await;
    let prepared = reply.headers["x-trino-added-prepare"].clone();
    let header = ("x-trino-prepared-statement", prepared.as_str());
    let (rows, _, _) = run(
        &endpoint,
        "execute s1 using bigint '41', 'it''s'",
        &[header],
    )
    .await;
    assert_eq!(rows, [json!([42, "it's"])]);
    let (rows, _, _) = run(
        &endpoint,
        "execute immediate 'select ?' using date '2026-01-02'",
        &[],
    )
    .await;
    assert_eq!(rows, [json!(["2026-01-02"])]);
    let (rows, _, _) = run(&endpoint, "describe input s1", &[header]).await;
    assert_eq!(rows, [json!([0, "unknown"]), json!([1, "unknown"])]);
    let (_, _, reply) = run(&endpoint, "deallocate prepare s1", &[header]).await;
    assert_eq!(reply.headers["x-trino-deallocated-prepare"], "s1");
    let (_, page, _) = run(&endpoint, "execute s2", &[]).await;
    assert_eq!(page["error"]["errorName"], "NOT_FOUND");
    endpoint.stop().await;
}

#[tokio::test]
async fn a_running_query_can_be_cancelled_and_killed() {
    let endpoint = Endpoint::start().await;
    let slow = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value + b.value = 3";
    let first = post(&endpoint, slow, &[]).await;
    let path = path_of(&first["nextUri"]);
    assert_eq!(
        endpoint.request("DELETE", &path, &[], b"").await.status,
        204
    );
    wait_for_state(&endpoint, first["id"].as_str().unwrap(), "FAILED").await;
    let second = post(&endpoint, slow, &[]).await;
    let id = second["id"].as_str().unwrap().to_owned();
    run(
        &endpoint,
        &format!("call system.runtime.kill_query(query_id => '{id}', message => 'enough')"),
        &[],
    )
    .await;
    wait_for_state(&endpoint, &id, "FAILED").await;
    let page = endpoint.get(&path_of(&second["nextUri"])).await.json();
    assert_eq!(
        page["error"]["errorName"], "ADMINISTRATIVELY_KILLED",
        "{page}"
    );
    endpoint.stop().await;
}

async fn wait_for_state(endpoint: &Endpoint, id: &str, state: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let page = endpoint.get(&format!("/v1/query/{id}")).await.json();
        if page["state"] == state {
            return;
        }
        assert!(Instant::now() < deadline, "{page}");
    }
}

#[tokio::test]
async fn a_stopping_server_finishes_what_it_has_and_takes_nothing_new() {
    let endpoint = Endpoint::start().await;
    let first = post(&endpoint, "select value from generate_series(1, 1000)", &[]).await;
    endpoint.begin_stop();
    let page = endpoint.get(&path_of(&first["nextUri"])).await.json();
    assert_eq!(page["data"].as_array().map(Vec::len), Some(1000), "{page}");
    let refused = endpoint.sql("select 1").await;
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (503, Some("SERVER_SHUTTING_DOWN"))
    );
    let last = endpoint.get(&path_of(&page["nextUri"])).await.json();
    assert_eq!(last["stats"]["state"], "FINISHED");
    endpoint.stop().await;
}
