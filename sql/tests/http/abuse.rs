//! Hostile statements: each must be refused or fail with a clear error, and the service must answer the next one.

use std::time::{Duration, Instant};

use gamepipe_config::sql::SqlConfig;
use serde_json::json;

use crate::support::Endpoint;

async fn assert_alive(endpoint: &Endpoint, after: &str) {
    assert_eq!(
        endpoint.rows("select 40 + 2").await,
        json!([[42]]),
        "after {after}"
    );
}

#[tokio::test]
async fn nothing_can_be_written_and_nothing_but_the_lake_can_be_read() {
    let endpoint = Endpoint::start().await;
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("evil.csv").display().to_string();
    for sql in [
        format!("COPY (SELECT 1) TO '{target}'"),
        format!("EXPLAIN ANALYZE COPY (SELECT 1) TO '{target}'"),
        "CREATE EXTERNAL TABLE ev STORED AS CSV LOCATION '/etc/passwd'".to_owned(),
        "SELECT * FROM '/etc/passwd'".to_owned(),
        "SELECT * FROM \"/etc/passwd\"".to_owned(),
        "SELECT * FROM \"file:///etc/passwd\"".to_owned(),
        "SELECT * FROM read_csv('/etc/passwd')".to_owned(),
        "CREATE TABLE ct AS SELECT 1".to_owned(),
        "CREATE VIEW vv AS SELECT 1".to_owned(),
        "INSERT INTO player_events SELECT * FROM player_events".to_owned(),
        "WITH x AS (SELECT 1) INSERT INTO player_events SELECT * FROM player_events".to_owned(),
        "EXPLAIN INSERT INTO player_events SELECT * FROM player_events".to_owned(),
        "DELETE FROM player_events".to_owned(),
        "UPDATE player_events SET username = 'x'".to_owned(),
        "DROP TABLE player_events".to_owned(),
        "SET datafusion.execution.batch_size = 1".to_owned(),
        "SELECT * FROM information_schema.df_settings".to_owned(),
        "SHOW ALL".to_owned(),
        "SELECT 1 INTO ct".to_owned(),
        "SELECT 1; DROP TABLE player_events".to_owned(),
        "EXECUTE IMMEDIATE 'DROP TABLE player_events'".to_owned(),
    ] {
        let reply = endpoint.sql(&sql).await;
        assert!(
            (400..500).contains(&reply.status),
            "{sql}: {} {}",
            reply.status,
            reply.text()
        );
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    assert_alive(&endpoint, "writes").await;
    endpoint.stop().await;
}

#[tokio::test]
async fn bombs_fail_alone() {
    let endpoint = Endpoint::start().await;
    let long = |part: &str, count: usize| part.repeat(count);
    let columns = |part: &str, count: usize| {
        let columns: Vec<String> = (0..count).map(|n| format!("{part} c{n}")).collect();
        columns.join(",")
    };
    for sql in [
        format!("SELECT 1{}", long("+1", 1_900)),
        format!("SELECT 1{}", long("+1", 100_000)),
        format!("SELECT {}1{}", long("(", 100_000), long(")", 100_000)),
        format!("SELECT {}1{}", long("(", 90), long(")", 90)),
        format!("SELECT {}1{}", long("abs(", 90), long(")", 90)),
        format!("SELECT 1 {}", long("UNION ALL SELECT 1 ", 1_500)),
        format!("SELECT {}", vec!["1"; 20_000].join(",")),
        format!("SELECT 1 WHERE 1 IN ({})", (0..100_000).map(|n| n.to_string()).collect::<Vec<_>>().join(",")),
        format!("SELECT * FROM {}", long("(SELECT * FROM ", 90) + "player_events" + &long(")", 90)),
        "SELECT repeat('x', 500000000)".to_owned(),
        "SELECT length(repeat(repeat('x', 1000000), 100000))".to_owned(),
        "SELECT lpad('x', 2000000000, 'y')".to_owned(),
        "SELECT rpad('x', 2000000000, 'y')".to_owned(),
        "SELECT cardinality(range(0, 300000000))".to_owned(),
        "SELECT cardinality(sequence(0, 300000000))".to_owned(),
        "SELECT array_repeat(1, 1000000000)".to_owned(),
        "SELECT array_resize(array[1], 1000000000, 2)".to_owned(),
        "SELECT value, repeat('x', 1000000) FROM generate_series(1, 4000)".to_owned(),
        "SELECT length(replace(lpad('', 1000000, 'a'), 'a', lpad('', 1000000, 'b')))".to_owned(),
        "SELECT length(regexp_replace(lpad('', 1000000, 'a'), 'a', lpad('', 1000000, 'b')))".to_owned(),
        "SELECT length(array_join(sequence(1, 100000), lpad('', 1000000, 'b')))".to_owned(),
        "WITH a AS (SELECT lpad('', 4000000, 'x') AS v), b AS (SELECT v||v||v||v AS v FROM a), c AS (SELECT v||v||v||v AS v FROM b) SELECT length(v||v||v||v) FROM c".to_owned(),
        format!("SELECT concat({})", vec!["'a'"; 50_000].join(",")),
        format!("SELECT 1{}", long("-1*1", 900)),
        format!("SELECT 'a'{}", long("||'b'", 1_900)),
        format!("WITH a AS (SELECT lpad('', 60000, 'x') AS v) SELECT {} FROM a, generate_series(1, 8192)", columns("v", 200)),
        format!("WITH a AS (SELECT '{}' AS v) SELECT {} FROM a, generate_series(1, 8192)", long("x", 60_000), columns("v", 400)),
        format!("WITH a AS (SELECT '{}' AS v) SELECT {} FROM a", long("x", 500_000), columns("v", 100_000)),
        format!("SELECT {} FROM generate_series(1, 100000)", columns("repeat('x', 250)", 3_000)),
        format!("SELECT {} FROM generate_series(1, 100000)", columns("repeat(cast(value as varchar), 200)", 2_000)),
        format!("WITH a AS (SELECT repeat('x', 100000) AS v) SELECT cardinality(array[{}]) FROM a", vec!["v"; 50_000].join(",")),
        "WITH RECURSIVE r(v, n) AS (SELECT 'x', 1 UNION ALL SELECT v||v, n + 1 FROM r WHERE n < 60) SELECT max(length(v)) FROM r".to_owned(),
        "SELECT count(DISTINCT repeat(cast(value AS varchar), 100000)) FROM generate_series(1, 100000)".to_owned(),
        "SELECT length(array_join(array_agg(repeat('x', 100000)), '')) FROM generate_series(1, 100000)".to_owned(),
        "SELECT * FROM generate_series(1, 9223372036854775807, 0)".to_owned(),
        "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b, generate_series(1, 100000) c".to_owned(),
        "SELECT max(a.value + e.value) FROM generate_series(1, 100000) a, generate_series(1, 100000) b, generate_series(1, 100000) c, generate_series(1, 100000) d, generate_series(1, 100000) e".to_owned(),
        "SELECT count(*) FROM (SELECT unnest(sequence(1, 100000)) FROM generate_series(1, 100000)), generate_series(1, 100000)".to_owned(),
    ] {
        let shown: String = sql.chars().take(60).collect();
        let started = Instant::now();
        let reply = endpoint.ask(&json!({"sql": sql, "timeout_ms": 3_000, "max_rows": 10})).await;
        assert!(reply.status != 500, "{shown}: {}", reply.text());
        assert!(started.elapsed() < Duration::from_secs(8), "{shown} took {:?}", started.elapsed());
        assert_alive(&endpoint, &shown).await;
    }
    endpoint.stop().await;
}

#[tokio::test]
async fn the_deadline_holds_and_health_stays_quick_meanwhile() {
    let endpoint = Endpoint::start().await;
    let sql = "SELECT count(*) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b WHERE a.value + b.value = 3";
    let body = json!({"sql": sql, "timeout_ms": 700});
    let asked = endpoint.ask(&body);
    let probed = async {
        let started = Instant::now();
        let reply = endpoint.get("/livez").await;
        (reply.status, started.elapsed())
    };
    let started = Instant::now();
    let (reply, probe) = tokio::join!(asked, probed);
    assert_eq!(
        (reply.status, reply.json()["code"].as_str()),
        (504, Some("EXCEEDED_TIME_LIMIT")),
        "{}",
        reply.text()
    );
    // Unhindered, the query would take hours, and the probe would wait for it.
    let took = started.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    assert!(probe.0 == 200 && probe.1 < took, "{probe:?} {took:?}");
    endpoint.stop().await;
}

#[tokio::test]
async fn limits_have_codes_of_their_own() {
    let config = SqlConfig {
        threads: 2,
        max_rows: 100,
        max_sql_bytes: 200,
        memory_bytes: 4 << 20,
        spill_bytes: 1 << 20,
        max_concurrent: 1,
        max_queued: 0,
        ..SqlConfig::default()
    };
    let endpoint = Endpoint::start_with(config).await;
    assert_eq!(
        endpoint
            .error("select * from generate_series(1, 101)")
            .await
            .0,
        "EXCEEDED_ROW_LIMIT"
    );
    assert_eq!(
        endpoint
            .error(&format!("select '{}'", "x".repeat(300)))
            .await
            .0,
        "QUERY_TEXT_TOO_LARGE"
    );
    let sort = "select value, cast(value as varchar) from generate_series(1, 3000000) order by 2 desc limit 1 offset 2999990";
    let code = endpoint.error(sort).await.0;
    assert!(
        code == "EXCEEDED_LOCAL_MEMORY_LIMIT" || code == "EXCEEDED_SPILL_LIMIT",
        "{code}"
    );
    // What the library would start a second time, and panic.
    let joins = "SELECT count(*) FROM generate_series(1, 50000) a, generate_series(1, 50000) b, generate_series(1, 50000) c WHERE a.value + b.value + c.value = 2";
    assert_eq!(endpoint.error(joins).await.0, "EXCEEDED_LOCAL_MEMORY_LIMIT");
    let slow = json!({"sql": "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a.value * b.value + a.value < 0", "timeout_ms": 1500});
    // Either of the two may come first and have the only place; the other is refused. The slow one asks again until it
    // runs, the quick one until it is refused.
    let first = async {
        for _ in 0..1000 {
            let reply = endpoint.ask(&slow).await;
            if reply.status != 429 {
                return reply.status;
            }
        }
        0
    };
    let second = async {
        for _ in 0..10_000 {
            let reply = endpoint.sql("select 1").await;
            if reply.status == 429 {
                return (
                    reply.json()["code"].as_str().unwrap().to_owned(),
                    reply.headers.contains_key("retry-after"),
                );
            }
        }
        ("never refused".to_owned(), false)
    };
    let (ran, refused) = tokio::join!(first, second);
    assert_eq!(ran, 504);
    assert_eq!(refused, ("QUERY_QUEUE_FULL".to_owned(), true));
    endpoint.stop().await;
}
