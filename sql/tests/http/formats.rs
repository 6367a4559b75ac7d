//! `/sql` in all its formats, with its limits.

use serde_json::json;

use crate::support::Endpoint;

async fn with_players() -> Endpoint {
    let endpoint = Endpoint::start().await;
    let players = (0..5).map(|n| json!({"username": format!("p{n}"), "host": if n == 0 { json!(null) } else { json!("a,\"b\"") }}));
    endpoint.land(&[("player_events", players.collect())]).await;
    endpoint
}

#[tokio::test]
async fn json_says_all_about_its_result() {
    let endpoint = with_players().await;
    let reply = endpoint.ask(&json!({"sql": "select username as U, 1.5e0 from player_events where username > ? order by 1", "params": ["p2"]})).await;
    assert_eq!(
        (reply.status, reply.headers["content-type"].as_str()),
        (200, "application/json"),
        "{}",
        reply.text()
    );
    let body = reply.json();
    assert_eq!(
        body["columns"],
        json!([{"name": "U", "type": "varchar"}, {"name": "_col1", "type": "double"}])
    );
    assert_eq!(body["rows"], json!([["p3", 1.5], ["p4", 1.5]]));
    assert_eq!(
        (body["row_count"].as_u64(), body["truncated"].as_bool()),
        (Some(2), Some(false))
    );
    assert_eq!(
        body["query_id"].as_str(),
        reply.headers.get("x-query-id").map(String::as_str)
    );
    assert!(
        body["stats"]["elapsed_ms"].is_u64() && body["stats"]["scanned_bytes"].as_u64() > Some(0),
        "{body}"
    );
    assert_eq!(reply.headers["x-query-rows"], "2");
    assert!(!reply.headers.contains_key("gamepipe-truncated"));
    endpoint.stop().await;
}

#[tokio::test]
async fn more_rows_than_asked_for_are_cut_and_said_so() {
    let endpoint = with_players().await;
    let cut = endpoint
        .ask(&json!({"sql": "select username from player_events", "max_rows": 2}))
        .await;
    assert_eq!(
        cut.headers.get("gamepipe-truncated").map(String::as_str),
        Some("true")
    );
    assert_eq!(
        (
            cut.json()["row_count"].as_u64(),
            cut.json()["truncated"].as_bool()
        ),
        (Some(2), Some(true))
    );
    let all = endpoint
        .ask(&json!({"sql": "select username from player_events", "max_rows": 5}))
        .await;
    assert_eq!(all.json()["truncated"], json!(false));
    assert!(!all.headers.contains_key("gamepipe-truncated"));
    endpoint.stop().await;
}

#[tokio::test]
async fn csv_and_ndjson_keep_null_apart_from_text() {
    let endpoint = with_players().await;
    let query =
        "/sql?query=select%20username%2Chost%20from%20player_events%20order%20by%201%20limit%202";
    let csv = endpoint.get(&format!("{query}&format=csv")).await;
    assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
    assert_eq!(csv.text(), "username,host\r\np0,\r\np1,\"a,\"\"b\"\"\"\r\n");
    let ndjson = endpoint
        .request("GET", query, &[("accept", "application/x-ndjson")], b"")
        .await;
    assert_eq!(
        ndjson.text(),
        "{\"username\":\"p0\",\"host\":null}\n{\"username\":\"p1\",\"host\":\"a,\\\"b\\\"\"}\n"
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn arrow_and_parquet_hold_the_same_rows() {
    let endpoint = with_players().await;
    let query = "/sql?query=select%20username%2Ccount(*)%20from%20player_events%20group%20by%201%20order%20by%201";
    let arrow = endpoint.get(&format!("{query}&format=arrow")).await;
    let read = arrow::ipc::reader::StreamReader::try_new(arrow.body.as_slice(), None).unwrap();
    let batches: Vec<_> = read.map(Result::unwrap).collect();
    assert_eq!(
        batches.iter().map(|batch| batch.num_rows()).sum::<usize>(),
        5
    );
    assert_eq!(batches[0].schema().field(1).name(), "_col1");
    let parquet = endpoint.get(&format!("{query}&format=parquet")).await;
    let bytes = parquet::file::serialized_reader::SerializedFileReader::new(bytes::Bytes::from(
        parquet.body,
    ));
    let metadata = parquet::file::reader::FileReader::metadata(&bytes.unwrap()).clone();
    assert_eq!(metadata.file_metadata().num_rows(), 5);
    endpoint.stop().await;
}

#[tokio::test]
async fn large_results_are_streamed_with_their_totals_behind_them() {
    let endpoint = with_players().await;
    let sql = "select value, 'some text to make it long' as t from generate_series(1, 300000)";
    let reply = endpoint.sql(sql).await;
    assert!(
        reply.whole
            && reply
                .headers
                .get("transfer-encoding")
                .is_some_and(|coding| coding == "chunked")
    );
    assert_eq!(
        reply.headers.get("x-query-rows").map(String::as_str),
        Some("300000"),
        "{:?}",
        reply.headers
    );
    assert_eq!(reply.json()["row_count"], json!(300_000));
    endpoint.stop().await;
}

#[tokio::test]
async fn an_error_after_the_first_byte_can_be_seen() {
    let endpoint = with_players().await;
    // The division fails far behind what fits before the head of the reply.
    let sql =
        "select 10 / (200000 - value), 'some text to make it long' from generate_series(1, 300000)";
    let json = endpoint.sql(sql).await;
    assert_eq!(json.status, 200);
    assert_eq!(
        json.json()["error"]["code"],
        json!("DIVISION_BY_ZERO"),
        "{}",
        json.text().len()
    );
    let ndjson = endpoint.ask(&json!({"sql": sql, "format": "ndjson"})).await;
    let last: serde_json::Value =
        serde_json::from_str(ndjson.text().lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], json!("DIVISION_BY_ZERO"));
    for format in ["csv", "arrow", "parquet"] {
        let cut = endpoint.ask(&json!({"sql": sql, "format": format})).await;
        assert!(!cut.whole || cut.status >= 400, "{format}");
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_told_what_is_wrong() {
    let endpoint = with_players().await;
    assert_eq!(endpoint.get("/sql").await.status, 400);
    assert_eq!(
        endpoint
            .get("/sql?query=select%201&format=xml")
            .await
            .status,
        400
    );
    assert_eq!(
        endpoint
            .request(
                "GET",
                "/sql?query=select%201",
                &[("accept", "image/png")],
                b""
            )
            .await
            .status,
        406
    );
    assert_eq!(endpoint.ask(&json!({"sq": "select 1"})).await.status, 400);
    let reply = endpoint
        .sql("select username,\n nope from player_events")
        .await;
    let problem = reply.json();
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    assert_eq!(
        (reply.status, problem["code"].as_str()),
        (400, Some("COLUMN_NOT_FOUND"))
    );
    assert_eq!(
        (problem["line"].as_u64(), problem["column"].as_u64()),
        (Some(2), Some(2)),
        "{problem}"
    );
    assert!(problem["query_id"].is_string());
    let near = endpoint.error("select * from player_event").await;
    assert_eq!(
        near.1,
        "line 1:15: Table 'hive.default.player_event' does not exist; did you mean 'player_events'?"
    );
    endpoint.stop().await;
}

#[tokio::test]
async fn named_queries_are_listed_and_answered() {
    let endpoint = with_players().await;
    let listed = endpoint.get("/queries").await.json();
    assert!(
        listed
            .as_array()
            .unwrap()
            .iter()
            .any(|query| query["name"] == "players" && query["sql"].is_string())
    );
    let answer = endpoint.get("/queries/players").await.json();
    assert_eq!(answer["rows"], json!([[5]]));
    assert_eq!(endpoint.get("/queries/player").await.status, 404);
    endpoint.stop().await;
}
