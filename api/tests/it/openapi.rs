//! The OpenAPI document of each reference game, as committed.

use std::path::Path;

use gamepipe_api::openapi::{codes_reference, document};
use serde_json::Value;

use crate::harness::{BANK, TestApi, game, reference_game};

#[test]
fn documents_of_the_reference_games_are_as_committed() {
    for name in ["arena", "guild", "market", "quest", "trade"] {
        let mut document = document(&reference_game(name));
        // The version is a hash of the whole definition: its wording is not what this test is about.
        document["info"]["version"] = Value::from("v1+<hash>");
        insta::with_settings!({ sort_maps => true }, {
            insta::assert_json_snapshot!(format!("openapi_{name}"), document);
        });
    }
}

#[test]
fn every_reference_leads_somewhere_and_every_operation_has_its_own_id() {
    let document = document(&game(BANK));
    let mut references = Vec::new();
    collect(&document, "$ref", &mut references);
    assert!(references.len() > 20);
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    let mut ids = Vec::new();
    collect(&document, "operationId", &mut ids);
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

fn collect(value: &Value, wanted: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == wanted => found.push(text.clone()),
                    other => collect(other, wanted, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, wanted, found)),
        _ => {}
    }
}

#[test]
fn reference_of_codes_is_as_committed() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/api-codes.md");
    let current = codes_reference();
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        committed, current,
        "run this test with INSTA_UPDATE=always, and look at the difference"
    );
}

#[tokio::test]
async fn document_is_served() {
    let api = TestApi::bank().await;
    let served = api.get("/openapi.json").await;
    assert_eq!(served.header("content-type"), Some("application/json"));
    assert_eq!(served.json()["openapi"], "3.1.0");
    assert_eq!(served.json(), document(&game(BANK)));
}
