//! SQL as Trino understands it: each line of `cases/*.tsv` is a statement and the answer that Trino gives.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::Endpoint;

/// Rows that the cases ask about.
async fn fill(endpoint: &Endpoint) {
    let attack = |attacker: &str, weapon: &str, killed: bool, health: i64| {
        json!({"attacker": attacker, "defender": "zed", "weapon_used": weapon, "defender_killed": killed,
            "defender_has_shield": !killed, "defender_health_after": health, "user-agent": "curl/8"})
    };
    endpoint
        .land(&[
            ("player_events", vec![
                json!({"username": "ann", "host": "a.example", "timestamp": "2026-01-01T00:00:00.000001"}),
                json!({"username": "bob", "host": "b.example"}),
                json!({"username": "ann", "host": null}),
            ]),
            ("successful_attack_events", vec![
                attack("ann", "gun", true, 0),
                attack("ann", "sword", false, 7),
                attack("bob", "gun", true, 0),
            ]),
        ])
        .await;
}

/// Runs a file of cases: `statement <tab> expected`. Expected is the rows as JSON, `columns: [names]`, or `error: CODE`.
async fn check(endpoint: &Endpoint, file: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/http/cases")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut failures = Vec::new();
    let mut count = 0;
    for line in text
        .lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
    {
        let (sql, expected) = line
            .split_once('\t')
            .unwrap_or_else(|| panic!("no tab in {line:?}"));
        let reply = endpoint.sql(sql).await;
        let body = reply.json();
        let seen = match expected.split_once(": ") {
            Some(("error", _)) => format!("error: {}", body["code"].as_str().unwrap_or("none")),
            Some(("columns", _)) => {
                let names: Vec<&Value> = body["columns"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|c| &c["name"])
                    .collect();
                format!("columns: {}", json!(names))
            }
            Some(("types", _)) => {
                let types: Vec<&Value> = body["columns"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|c| &c["type"])
                    .collect();
                format!("types: {}", json!(types))
            }
            _ if body["rows"].is_array() => body["rows"].to_string(),
            _ => body.to_string(),
        };
        if seen != expected.trim() {
            failures.push(format!(
                "{sql}\n  expected {expected}\n  got      {seen} {}",
                if body["detail"].is_null() {
                    String::new()
                } else {
                    body["detail"].to_string()
                }
            ));
        }
        count += 1;
    }
    assert!(
        failures.is_empty(),
        "{} of {count} cases differ:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[tokio::test]
async fn the_games_kind_of_sql_runs_as_it_stood() {
    let endpoint = Endpoint::start().await;
    fill(&endpoint).await;
    check(&endpoint, "games.tsv").await;
    endpoint.stop().await;
}

#[tokio::test]
async fn everyday_sql_answers_as_trino_does() {
    let endpoint = Endpoint::start().await;
    fill(&endpoint).await;
    check(&endpoint, "everyday.tsv").await;
    endpoint.stop().await;
}

#[tokio::test]
async fn what_would_be_silently_wrong_answers_as_trino_does() {
    let endpoint = Endpoint::start().await;
    fill(&endpoint).await;
    check(&endpoint, "silent.tsv").await;
    endpoint.stop().await;
}

#[tokio::test]
async fn what_the_guide_says_of_differences_is_so() {
    let endpoint = Endpoint::start().await;
    fill(&endpoint).await;
    check(&endpoint, "differs.tsv").await;
    endpoint.stop().await;
}

#[tokio::test]
async fn every_named_query_runs_on_an_empty_lake() {
    let endpoint = Endpoint::start().await;
    for query in crate::support::arena().queries() {
        let reply = endpoint.get(&format!("/queries/{}", query.name)).await;
        assert_eq!(reply.status, 200, "{}: {}", query.name, reply.text());
    }
    endpoint.stop().await;
}
