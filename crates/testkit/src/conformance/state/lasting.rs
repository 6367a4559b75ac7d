//! What stays when a store is opened again, and how it is read.

use super::{Store, add_money, all_events, balance, committed, money, player, write};
use crate::place::Place;
use gamepipe_domain::entity::EntityId;
use gamepipe_state::StateError;
use serde_json::json;
use std::sync::Arc;

/// A new process finds all of it.
pub async fn everything_acknowledged_is_there_after_reopening(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let mut store = open(&place).await;
    let mut expected = 0;
    for round in 0..3 {
        let tasks: Vec<_> = (0..40)
            .map(|number| {
                let store = Arc::clone(&store);
                let id = player(&format!("{round} {number}"));
                tokio::spawn(async move { add_money(&store, &id, number).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        expected += 40;
        drop(store);
        store = open(&place).await;
        assert_eq!(
            store.scan("player", None, 1000).await.unwrap().len(),
            expected
        );
        assert_eq!(all_events(&store).await.len(), expected);
    }
    for round in 0..3 {
        for number in 0..40 {
            let found = balance(&store, &player(&format!("{round} {number}"))).await;
            assert_eq!(found, Some((1, number)));
        }
    }
}

/// Numbers keep their kind and every bit, text every character.
pub async fn every_value_survives_storage_bit_by_bit(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let state = json!({
        "third": 1.0 / 3.0, "tiny": 5e-324, "large": f64::MAX, "whole": 1.0, "integer": 1, "least": i64::MIN,
        "most": u64::MAX, "text": "naïve \u{0} \u{1F3AE} \"quoted\"", "none": null, "yes": true,
        "list": [1, 2.5, "x", [], {}], "bag": {"gold": 3, "": {"deep": [null]}},
        "awkward": 0.1 + 0.2, "digits": 123_456_789.123_456_79,
    });
    let state = state.as_object().unwrap().clone();
    let id = EntityId {
        entity_type: "_counter".into(),
        key: "kéy/with \u{1F3AE}\u{0}zero".into(),
    };
    committed(&store, write(&id, 0, state.clone())).await;
    drop(store);
    let store = open(&place).await;
    let loaded = store
        .load(std::slice::from_ref(&id))
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert_eq!(loaded.state, state);
    assert!(loaded.state["whole"].is_f64() && loaded.state["integer"].is_u64());
    assert_eq!(store.scan("_counter", None, 10).await.unwrap()[0].0, id);
}

/// A page begins after the last key of the one before; other types don't show.
pub async fn scan_pages_through_one_type_in_key_order(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let mut keys: Vec<String> = (0..25)
        .map(|number| format!("k{}", number * 7919 % 1000))
        .collect();
    keys.extend(["k".into(), "é".into(), "k\u{0}1".into()]);
    for key in &keys {
        for entity_type in ["guild", "player", "player2", "playe"] {
            let id = EntityId {
                entity_type: entity_type.into(),
                key: key.clone(),
            };
            committed(&store, write(&id, 0, money(1))).await;
        }
    }
    keys.sort();
    let mut found: Vec<String> = Vec::new();
    loop {
        let page = store
            .scan("player", found.last().map(String::as_str), 4)
            .await
            .unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 4);
        assert!(
            page.iter()
                .all(|(id, entity)| id.entity_type == "player" && entity.version == 1)
        );
        found.extend(page.into_iter().map(|(id, _)| id.key));
    }
    assert_eq!(found, keys);
    assert_eq!(store.scan("dragon", None, 10).await.unwrap(), []);
}

/// Callers' mistakes are refused before anything happens.
pub async fn a_write_without_expected_version_is_refused(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let (alice, bob) = (player("alice"), player("bob"));
    let mut unexpected = write(&alice, 0, money(1));
    unexpected.writes.push((bob.clone(), money(1)));
    assert!(matches!(
        store.commit(unexpected).await,
        Err(StateError::Invalid(_))
    ));
    let mut twice = write(&alice, 0, money(1));
    twice.writes.push((alice.clone(), money(2)));
    assert!(matches!(
        store.commit(twice).await,
        Err(StateError::Invalid(_))
    ));
    let endless = player(&"x".repeat(100_000));
    assert!(matches!(
        store.commit(write(&endless, 0, money(1))).await,
        Err(StateError::Invalid(_))
    ));
    assert_eq!(balance(&store, &alice).await, None);
    committed(&store, write(&alice, 0, money(1))).await;
}

/// The id tells one store's sequence numbers from another's.
pub async fn the_outbox_id_stays_and_differs_between_stores(open: impl AsyncFn(&Place) -> Store) {
    let (here, there) = (Place::new(), Place::new());
    let store = open(&here).await;
    let id = store.outbox_id().to_owned();
    assert!(!id.is_empty());
    drop(store);
    assert_eq!(open(&here).await.outbox_id(), id);
    assert_ne!(open(&there).await.outbox_id(), id);
}
