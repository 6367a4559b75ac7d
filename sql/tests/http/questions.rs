//! The questions of all reference games over small fixtures, whose answers were worked out by hand.

use std::collections::BTreeMap;
use std::path::Path;

use gamepipe_config::sql::SqlConfig;
use gamepipe_domain::definition::game::{Column, ColumnSource, Table};
use serde_json::{Map, Value};

use crate::support::{Endpoint, game};

const GAMES: [&str; 5] = ["arena", "guild", "market", "quest", "trade"];

fn fixture(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

fn cell(event: &Value, item: &Value, column: &Column) -> Value {
    match &column.source {
        ColumnSource::Property(name) => event[name].clone(),
        ColumnSource::RowItem(name) => item[name].clone(),
        ColumnSource::EventId => event["event_id"].clone(),
        ColumnSource::EventType => event["event_type"].clone(),
        ColumnSource::EventTime => {
            Value::from(event["event_time"].as_str().unwrap().trim_end_matches('Z'))
        }
        ColumnSource::Host => event["Host"].clone(),
        ColumnSource::UserAgent => event["User-Agent"].clone(),
        ColumnSource::Accept => event["Accept"].clone(),
        ColumnSource::RawEvent => Value::from(event.to_string()),
    }
}

/// The rows that an event makes in a table.
fn rows(event: &Value, table: &Table) -> Vec<Value> {
    let is_taken = |name: &String| event["event_type"] == name.as_str();
    if !table.events.iter().any(is_taken) {
        return Vec::new();
    }
    let items = match &table.rows {
        Some(list) => event[list].as_array().unwrap().clone(),
        None => Vec::new(),
    };
    let items = if items.is_empty() {
        vec![Value::Null]
    } else {
        items
    };
    let row = |item: &Value| -> Value {
        let cells = table
            .columns
            .iter()
            .map(|column| (column.name.clone(), cell(event, item, column)));
        Value::Object(cells.collect::<Map<_, _>>())
    };
    items.iter().map(row).collect()
}

/// Equal, numbers to 12 digits.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Number(one), Value::Number(other)) => {
            let (one, other) = (one.as_f64().unwrap(), other.as_f64().unwrap());
            (one - other).abs() <= 1e-12 * one.abs().max(other.abs())
        }
        _ => one == other,
    }
}

#[tokio::test]
async fn every_shipped_question_is_answered_as_by_hand() {
    let mut wrong = Vec::new();
    for name in GAMES {
        let game = game(name);
        let endpoint = Endpoint::start_game(game.clone(), SqlConfig::default()).await;
        let lines = fixture(&format!("{name}.ndjson"));
        let events: Vec<Value> = lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let tables: Vec<(&str, Vec<Value>)> = game
            .tables()
            .iter()
            .map(|table| {
                let rows = events.iter().flat_map(|event| rows(event, table)).collect();
                (table.name.as_str(), rows)
            })
            .collect();
        endpoint.land(&tables).await;
        let answers: BTreeMap<String, Value> =
            serde_json::from_str(&fixture(&format!("{name}.answers.json"))).unwrap();
        assert_eq!(answers.len(), game.queries().len(), "{name}");
        for (query, expected) in answers {
            let reply = endpoint.get(&format!("/queries/{query}")).await;
            let found = reply.json()["rows"].clone();
            if !same(&expected, &found) {
                wrong.push(format!(
                    "{name}: {query}: expected {expected}, got {}",
                    reply.text()
                ));
            }
        }
        endpoint.stop().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn every_shipped_question_has_an_answer_on_an_empty_lake() {
    for name in GAMES {
        let game = game(name);
        let endpoint = Endpoint::start_game(game.clone(), SqlConfig::default()).await;
        for query in game.queries() {
            let reply = endpoint.get(&format!("/queries/{}", query.name)).await;
            assert_eq!(
                reply.status,
                200,
                "{name}: {}: {}",
                query.name,
                reply.text()
            );
        }
        endpoint.stop().await;
    }
}
