//! Bad input gets a clear error, has no effect, and the service lives on (LI-1, RO-1).

use anyhow::Result;
use gamepipe_tests::{Backends, Start};

gamepipe_tests::on_both_backends! {
    bad_requests_get_their_status_and_a_problem_document
}

/// Method, path, content type, body, expected status. Routes of arena.
const BAD_REQUESTS: [(&str, &str, &str, &str, u16); 16] = [
    ("GET", "/no_such_route", "", "", 404),
    ("GET", "/initialize", "", "", 400),
    (
        "GET",
        "/purchase_weapon?username=nobody&weapon=knife",
        "",
        "",
        404,
    ),
    (
        "GET",
        "/purchase_weapon?username=ann&weapon=spoon",
        "",
        "",
        409,
    ),
    ("GET", "/initialize?username=ann", "", "", 409),
    ("GET", "/attack?username=ann&enemy=ann", "", "", 409),
    ("PUT", "/initialize", "application/json", "{}", 405),
    (
        "POST",
        "/initialize",
        "application/json",
        "{\"username\": 7}",
        400,
    ),
    (
        "POST",
        "/initialize",
        "application/json",
        "{\"username\": ",
        400,
    ),
    ("POST", "/initialize", "application/json", "[1, 2]", 400),
    ("POST", "/initialize", "text/csv", "username", 415),
    (
        "POST",
        "/v1/actions/no_such_action",
        "application/json",
        "{}",
        404,
    ),
    (
        "POST",
        "/v1/actions/initialize",
        "application/json",
        "{\"username\": \"zoe\", \"colour\": \"red\"}",
        400,
    ),
    (
        "POST",
        "/v1/events",
        "application/json",
        "{\"event_type\": ",
        400,
    ),
    ("POST", "/v1/events", "application/xml", "<event/>", 415),
    ("GET", "/v1/entities/player/nobody", "", "", 404),
];

fn bad_requests_get_their_status_and_a_problem_document(backends: Backends) -> Result<()> {
    let platform = Start::game("arena").on(backends).up()?;
    let api = platform.api()?;
    assert_eq!(api.get("/initialize?username=ann")?.status, 200);
    for (method, path, content_type, body, expected) in BAD_REQUESTS {
        let reply = match method {
            "GET" => api.get(path)?,
            _ => api.send(
                method,
                path,
                &[("content-type", content_type)],
                body.as_bytes(),
            )?,
        };
        let shown = format!("{method} {path} {body}: {} {}", reply.status, reply.text());
        assert_eq!(reply.status, expected, "{shown}");
        assert_eq!(
            reply.header("content-type"),
            Some("application/problem+json"),
            "{shown}"
        );
        let problem = reply.json()?;
        assert!(
            problem["code"].is_string() && problem["detail"].is_string(),
            "{shown}"
        );
        assert!(!reply.text().to_lowercase().contains("panicked"), "{shown}");
    }
    let player = api.get("/v1/entities/player/ann")?.json()?;
    assert_eq!(
        (
            player["version"].as_u64(),
            player["state"]["money"].as_i64()
        ),
        (Some(1), Some(100)),
        "bad requests had an effect"
    );
    Ok(())
}

/// Statements that must be refused, and what the refusal names.
const HOSTILE_SQL: [&str; 12] = [
    "COPY (SELECT 1) TO '/tmp/gamepipe-hostile.csv'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/gamepipe-hostile.csv'",
    "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
    "SELECT * FROM '/etc/passwd'",
    "INSERT INTO player_events VALUES (1)",
    "DROP TABLE player_events",
    "CREATE VIEW v AS SELECT 1",
    "SET datafusion.execution.batch_size = 1",
    "SELECT 1; SELECT 2",
    "SELECT repeat('x', 500000000)",
    "SELEC 1",
    "",
];

#[test]
fn hostile_sql_is_refused_and_the_endpoint_lives() -> Result<()> {
    let platform = Start::game("arena").up()?;
    let sql = platform.sql()?;
    for statement in HOSTILE_SQL {
        let reply = sql.post("/sql", "text/plain", statement.as_bytes())?;
        assert!(
            (400..600).contains(&reply.status),
            "{statement}: {} {}",
            reply.status,
            reply.text()
        );
        assert!(
            reply.json()?["code"].is_string(),
            "{statement}: {}",
            reply.text()
        );
    }
    let deep = format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000));
    let long = format!("SELECT 1{}", "+1".repeat(20_000));
    for statement in [deep, long] {
        let reply = sql.post("/sql", "text/plain", statement.as_bytes())?;
        assert!((400..600).contains(&reply.status), "{}", reply.status);
    }
    assert_eq!(sql.value("select 40 + 2")?, 42);
    assert!(!std::path::Path::new("/tmp/gamepipe-hostile.csv").exists());
    Ok(())
}
