//! Checks of `StateStore`. Each takes a function that opens the store of a place; opening again after a drop gives the
//! same store.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{EntityId, Version};
use gamepipe_domain::time::Timestamp;
use gamepipe_state::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, StateError, StateStore,
};
use serde_json::json;

use crate::place::Place;
use crate::wait;

/// A store to check.
pub type Store = Arc<dyn StateStore>;

/// Makes a test of every check. The argument is a function `async fn(&Place) -> Store`.
#[macro_export]
macro_rules! state_store_conformance {
    ($open:path) => {
        $crate::state_store_conformance! { $open:
            a_commit_is_wholly_visible_with_versions_counted_up
            a_conflicting_commit_does_nothing
            expecting_absence_and_presence_is_checked
            commits_of_one_group_see_one_another
            racing_writers_never_lose_an_update
            racing_transfers_keep_the_sum
            a_known_key_is_replayed_and_nothing_done_again
            racing_commits_with_one_key_have_one_effect
            an_expired_record_is_forgotten_and_its_key_free
            expired_records_are_swept_and_younger_ones_kept
            the_outbox_counts_from_one_without_gaps
            a_trimmed_outbox_stays_trimmed_and_counts_on_after_reopening
            a_trim_beyond_the_outbox_is_refused
            waiting_for_the_outbox_ends_with_a_new_entry
            everything_acknowledged_is_there_after_reopening
            every_value_survives_storage_bit_by_bit
            scan_pages_through_one_type_in_key_order
            a_write_without_expected_version_is_refused
            the_outbox_id_stays_and_differs_between_stores
        }
    };
    ($open:path: $($check:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn $check() {
                $crate::conformance::state::$check($open).await;
            }
        )*
    };
}

fn player(key: &str) -> EntityId {
    EntityId {
        entity_type: "player".into(),
        key: key.into(),
    }
}

fn money(amount: i64) -> JsonMap {
    JsonMap::from_iter([("money".to_owned(), json!(amount))])
}

fn write(id: &EntityId, expected: Version, state: JsonMap) -> Commit {
    Commit {
        expected: vec![(id.clone(), expected)],
        writes: vec![(id.clone(), state)],
        ..Commit::default()
    }
}

fn event(text: &str) -> (String, Bytes) {
    ("alice".into(), Bytes::from(text.to_owned()))
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey {
        action: "buy".into(),
        key: text.into(),
    }
}

fn record(body: &str, expires: Timestamp) -> IdempotencyRecord {
    IdempotencyRecord {
        fingerprint: "f".repeat(64),
        status: 200,
        content_type: "application/json".into(),
        body: body.into(),
        event_ids: vec!["one".into(), "two".into()],
        expires,
    }
}

fn later(place: &Place, seconds: u64) -> Timestamp {
    Timestamp::from_micros(place.clock().now().micros() + seconds as i64 * 1_000_000)
}

async fn committed(store: &Store, commit: Commit) {
    assert_eq!(
        store.commit(commit).await.unwrap(),
        CommitOutcome::Committed
    );
}

async fn balance(store: &Store, id: &EntityId) -> Option<(Version, i64)> {
    let mut found = store.load(std::slice::from_ref(id)).await.unwrap();
    let entity = found.pop().unwrap()?;
    Some((entity.version, entity.state["money"].as_i64().unwrap()))
}

/// Loads, decides, commits, and does so again after a conflict.
async fn add_money(store: &Store, id: &EntityId, amount: i64) {
    loop {
        let (version, before) = balance(store, id).await.unwrap_or((0, 0));
        let mut commit = write(id, version, money(before + amount));
        commit.events = vec![(id.key.clone(), Bytes::from(amount.to_string()))];
        match store.commit(commit).await.unwrap() {
            CommitOutcome::Committed => return,
            CommitOutcome::Conflict => {}
            CommitOutcome::Replayed(_) => panic!("replayed without a key"),
        }
    }
}

async fn all_events(store: &Store) -> Vec<(u64, String, String)> {
    let mut events: Vec<(u64, String, String)> = Vec::new();
    loop {
        let after = events.last().map_or(0, |(sequence, ..)| *sequence);
        let page = store.outbox(after, 7).await.unwrap();
        if page.is_empty() {
            return events;
        }
        for entry in page {
            let value = String::from_utf8(entry.value.to_vec()).unwrap();
            events.push((entry.sequence, entry.key, value));
        }
    }
}

/// Entities, events and the record of one commit appear together.
pub async fn a_commit_is_wholly_visible_with_versions_counted_up(
    open: impl AsyncFn(&Place) -> Store,
) {
    let place = Place::new();
    let store = open(&place).await;
    let (alice, bob) = (player("alice"), player("bob"));
    let commit = Commit {
        expected: vec![(alice.clone(), 0), (bob.clone(), 0)],
        writes: vec![(alice.clone(), money(1)), (bob.clone(), money(2))],
        events: vec![event("a"), event("b")],
        idempotency: Some((key("k"), record("done", later(&place, 60)))),
        now: Some(place.clock().now()),
    };
    committed(&store, commit).await;
    committed(&store, write(&alice, 1, money(3))).await;
    let loaded = store
        .load(&[bob.clone(), player("carol"), alice.clone()])
        .await
        .unwrap();
    let versions: Vec<_> = loaded
        .iter()
        .map(|found| found.as_ref().map(|found| found.version))
        .collect();
    assert_eq!(versions, [Some(1), None, Some(2)]);
    assert_eq!(balance(&store, &alice).await, Some((2, 3)));
    assert_eq!(store.outbox(0, 10).await.unwrap().len(), 2);
    assert_eq!(store.outbox_depth().await.unwrap(), 2);
    let known = store
        .idempotency_record(&key("k"), place.clock().now())
        .await
        .unwrap();
    assert_eq!(known, Some(record("done", later(&place, 60))));
}

/// No part of a commit happens when one expected version is wrong.
pub async fn a_conflicting_commit_does_nothing(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let (alice, bob) = (player("alice"), player("bob"));
    committed(&store, write(&alice, 0, money(1))).await;
    let commit = Commit {
        expected: vec![(bob.clone(), 0), (alice.clone(), 7)],
        writes: vec![(bob.clone(), money(5)), (alice.clone(), money(5))],
        events: vec![event("never")],
        idempotency: Some((key("k"), record("never", later(&place, 60)))),
        now: Some(place.clock().now()),
    };
    assert_eq!(store.commit(commit).await.unwrap(), CommitOutcome::Conflict);
    assert_eq!(balance(&store, &alice).await, Some((1, 1)));
    assert_eq!(balance(&store, &bob).await, None);
    assert_eq!(store.outbox_depth().await.unwrap(), 0);
    assert_eq!(
        store
            .idempotency_record(&key("k"), place.clock().now())
            .await
            .unwrap(),
        None
    );
}

/// Version 0 means that there is none; an entity that is only looked at is checked, too.
pub async fn expecting_absence_and_presence_is_checked(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let (alice, bob) = (player("alice"), player("bob"));
    committed(&store, write(&alice, 0, money(1))).await;
    assert_eq!(
        store.commit(write(&alice, 0, money(9))).await.unwrap(),
        CommitOutcome::Conflict
    );
    assert_eq!(
        store.commit(write(&bob, 1, money(9))).await.unwrap(),
        CommitOutcome::Conflict
    );
    let mut looks_at_bob = write(&alice, 1, money(2));
    looks_at_bob.expected.push((bob.clone(), 1));
    assert_eq!(
        store.commit(looks_at_bob.clone()).await.unwrap(),
        CommitOutcome::Conflict
    );
    committed(&store, write(&bob, 0, money(0))).await;
    committed(&store, looks_at_bob).await;
}

/// Commits that arrive together are decided one after the other.
pub async fn commits_of_one_group_see_one_another(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let alice = player("alice");
    for round in 0..20 {
        let tasks: Vec<_> = (0..16)
            .map(|amount| {
                let (store, commit) = (Arc::clone(&store), write(&alice, round, money(amount)));
                tokio::spawn(async move { store.commit(commit).await.unwrap() })
            })
            .collect();
        let mut winners = 0;
        for task in tasks {
            winners += usize::from(task.await.unwrap() == CommitOutcome::Committed);
        }
        assert_eq!(winners, 1, "round {round}");
        assert_eq!(balance(&store, &alice).await.unwrap().0, round + 1);
    }
}

/// OV-1. 64 writers of one entity: every update counts, and the events add up to the balance.
pub async fn racing_writers_never_lose_an_update(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let alice = player("alice");
    let tasks: Vec<_> = (0..64)
        .map(|writer| {
            let (store, alice) = (Arc::clone(&store), alice.clone());
            tokio::spawn(async move {
                for _ in 0..3 {
                    add_money(&store, &alice, writer).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let sum = 3 * (0..64).sum::<i64>();
    assert_eq!(balance(&store, &alice).await, Some((192, sum)));
    let events = all_events(&store).await;
    assert_eq!(events.len(), 192);
    let of_events: i64 = events
        .iter()
        .map(|(_, _, amount)| amount.parse::<i64>().unwrap())
        .sum();
    assert_eq!(of_events, sum);
}

/// Money moves between a few players from many sides at once: none appears, none goes, none is overspent.
pub async fn racing_transfers_keep_the_sum(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let players: Vec<EntityId> = (0..5).map(|number| player(&format!("p{number}"))).collect();
    for player in &players {
        committed(&store, write(player, 0, money(10))).await;
    }
    let tasks: Vec<_> = (0..32_usize)
        .map(|task| {
            let store = Arc::clone(&store);
            let (from, to) = (
                players[task % 5].clone(),
                players[(task * 3 + 1) % 5].clone(),
            );
            tokio::spawn(async move { transfer(&store, &from, &to, 1 + task as i64 % 4).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut from_events: HashMap<String, i64> = HashMap::new();
    for (_, key, change) in all_events(&store).await {
        *from_events.entry(key).or_insert(10) += change.parse::<i64>().unwrap();
    }
    let mut sum = 0;
    for player in &players {
        let (_, money) = balance(&store, player).await.unwrap();
        assert!(money >= 0, "{player:?} has {money}");
        assert_eq!(
            money,
            *from_events.get(&player.key).unwrap_or(&10),
            "{player:?}"
        );
        sum += money;
    }
    assert_eq!(sum, 50);
}

async fn transfer(store: &Store, from: &EntityId, to: &EntityId, amount: i64) {
    if from == to {
        return;
    }
    loop {
        let (from_version, has) = balance(store, from).await.unwrap();
        let (to_version, gets) = balance(store, to).await.unwrap();
        if has < amount {
            return;
        }
        let commit = Commit {
            expected: vec![(from.clone(), from_version), (to.clone(), to_version)],
            writes: vec![
                (from.clone(), money(has - amount)),
                (to.clone(), money(gets + amount)),
            ],
            events: vec![
                (from.key.clone(), Bytes::from((-amount).to_string())),
                (to.key.clone(), Bytes::from(amount.to_string())),
            ],
            ..Commit::default()
        };
        if store.commit(commit).await.unwrap() == CommitOutcome::Committed {
            return;
        }
    }
}

/// ID-1. The record decides before the versions do, and what comes with it is not done.
pub async fn a_known_key_is_replayed_and_nothing_done_again(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let alice = player("alice");
    let mut commit = write(&alice, 0, money(1));
    commit.events = vec![event("once")];
    commit.now = Some(place.clock().now());
    commit.idempotency = Some((key("k"), record("first", later(&place, 60))));
    committed(&store, commit.clone()).await;
    commit.idempotency = Some((key("k"), record("second", later(&place, 60))));
    let replayed = CommitOutcome::Replayed(record("first", later(&place, 60)));
    assert_eq!(store.commit(commit.clone()).await.unwrap(), replayed);
    let mut other_action = commit.clone();
    other_action.expected = vec![(alice.clone(), 1)];
    other_action.idempotency = Some((
        IdempotencyKey {
            action: "sell".into(),
            key: "k".into(),
        },
        record("other", later(&place, 60)),
    ));
    committed(&store, other_action).await;
    assert_eq!(balance(&store, &alice).await.unwrap().0, 2);
    drop(store);
    let store = open(&place).await;
    assert_eq!(store.commit(commit).await.unwrap(), replayed);
    assert_eq!(all_events(&store).await.len(), 2);
}

/// However many try at once, one commits and the others get its record.
pub async fn racing_commits_with_one_key_have_one_effect(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let tasks: Vec<_> = (0..32)
        .map(|task| {
            let store = Arc::clone(&store);
            let mut commit = write(&player(&format!("p{task}")), 0, money(1));
            commit.events = vec![event("once")];
            commit.idempotency = Some((key("k"), record(&format!("{task}"), later(&place, 60))));
            tokio::spawn(async move { store.commit(commit).await.unwrap() })
        })
        .collect();
    let mut bodies = Vec::new();
    let mut winners = 0;
    for task in tasks {
        match task.await.unwrap() {
            CommitOutcome::Committed => winners += 1,
            CommitOutcome::Replayed(record) => bodies.push(record.body),
            CommitOutcome::Conflict => panic!("nobody else writes these entities"),
        }
    }
    bodies.dedup();
    assert_eq!((winners, bodies.len()), (1, 1), "{bodies:?}");
    assert_eq!(all_events(&store).await.len(), 1);
    assert_eq!(store.scan("player", None, 100).await.unwrap().len(), 1);
}

/// From its expiry on a record is as if it had never been.
pub async fn an_expired_record_is_forgotten_and_its_key_free(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let alice = player("alice");
    let expires = later(&place, 60);
    let mut commit = write(&alice, 0, money(1));
    commit.idempotency = Some((key("k"), record("first", expires)));
    commit.now = Some(place.clock().now());
    committed(&store, commit).await;
    place.clock().advance(Duration::from_secs(59));
    assert!(
        store
            .idempotency_record(&key("k"), place.clock().now())
            .await
            .unwrap()
            .is_some()
    );
    place.clock().advance(Duration::from_secs(1));
    assert!(
        store
            .idempotency_record(&key("k"), place.clock().now())
            .await
            .unwrap()
            .is_none()
    );
    let mut again = write(&alice, 1, money(2));
    again.idempotency = Some((key("k"), record("second", later(&place, 60))));
    again.now = Some(place.clock().now());
    committed(&store, again).await;
    let known = store
        .idempotency_record(&key("k"), place.clock().now())
        .await
        .unwrap();
    assert_eq!(known.unwrap().body, "second");
}

/// Sweeping takes the expired, never a record that was renewed under the same key.
pub async fn expired_records_are_swept_and_younger_ones_kept(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    for round in 0..3 {
        for number in 0..20 {
            let lifetime = if number % 2 == 0 { 10 } else { 1000 };
            let commit = Commit {
                idempotency: Some((
                    key(&format!("k{number}")),
                    record(&format!("{round}"), later(&place, lifetime)),
                )),
                now: Some(place.clock().now()),
                ..Commit::default()
            };
            let expected = if round > 0 && number % 2 == 1 {
                CommitOutcome::Replayed(record("0", later(&place, 1000 - 10 * round)))
            } else {
                CommitOutcome::Committed
            };
            assert_eq!(
                store.commit(commit).await.unwrap(),
                expected,
                "{round} {number}"
            );
        }
        place.clock().advance(Duration::from_secs(10));
    }
    // Other commits give the store occasion to sweep.
    for number in 0..20 {
        add_money(&store, &player("alice"), number).await;
    }
    for number in 0..20 {
        let known = store
            .idempotency_record(&key(&format!("k{number}")), place.clock().now())
            .await;
        assert_eq!(known.unwrap().is_some(), number % 2 == 1, "{number}");
    }
}

/// Entries come in the order of commits, in pages, without a gap.
pub async fn the_outbox_counts_from_one_without_gaps(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    let tasks: Vec<_> = (0..8)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for number in 0..10 {
                    let events = (0..3).map(|part| event(&format!("{writer} {number} {part}")));
                    committed(
                        &store,
                        Commit {
                            events: events.collect(),
                            ..Commit::default()
                        },
                    )
                    .await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let events = all_events(&store).await;
    let sequences: Vec<u64> = events.iter().map(|(sequence, ..)| *sequence).collect();
    assert_eq!(sequences, (1..=240).collect::<Vec<_>>());
    for writer in 0..8 {
        let own: Vec<_> = events
            .iter()
            .filter(|(.., text)| text.starts_with(&format!("{writer} ")))
            .collect();
        let expected =
            (0..10).flat_map(|number| (0..3).map(move |part| format!("{writer} {number} {part}")));
        assert!(
            own.iter().map(|(.., text)| text.clone()).eq(expected),
            "{own:?}"
        );
        // The events of one commit stand together.
        for commit in own.chunks(3) {
            assert_eq!(commit[2].0 - commit[0].0, 2);
        }
    }
    assert_eq!(store.outbox(238, 100).await.unwrap().len(), 2);
    assert_eq!(store.outbox(240, 100).await.unwrap().len(), 0);
    assert_eq!(store.outbox(9999, 100).await.unwrap().len(), 0);
}

/// The sequence never begins again, not even when the outbox was empty.
pub async fn a_trimmed_outbox_stays_trimmed_and_counts_on_after_reopening(
    open: impl AsyncFn(&Place) -> Store,
) {
    let place = Place::new();
    let mut store = open(&place).await;
    for round in 0..4_u64 {
        let events = (0..5)
            .map(|number| event(&format!("{round} {number}")))
            .collect();
        committed(
            &store,
            Commit {
                events,
                ..Commit::default()
            },
        )
        .await;
        let entries = store.outbox(0, 100).await.unwrap();
        let sequences: Vec<u64> = entries.iter().map(|entry| entry.sequence).collect();
        assert_eq!(
            sequences,
            (round * 5 + 1..=round * 5 + 5).collect::<Vec<_>>()
        );
        store.trim_outbox(round * 5 + 3).await.unwrap();
        assert_eq!(store.outbox_depth().await.unwrap(), 2);
        assert_eq!(store.outbox(0, 100).await.unwrap().len(), 2);
        store.trim_outbox(round * 5 + 5).await.unwrap();
        store.trim_outbox(round * 5 + 1).await.unwrap();
        assert_eq!(store.outbox_depth().await.unwrap(), 0);
        assert_eq!(store.outbox(0, 100).await.unwrap(), []);
        drop(store);
        store = open(&place).await;
        assert_eq!(store.outbox_depth().await.unwrap(), 0);
    }
}

/// A log that has more than the store ever gave belongs to another history.
pub async fn a_trim_beyond_the_outbox_is_refused(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    committed(
        &store,
        Commit {
            events: vec![event("a")],
            ..Commit::default()
        },
    )
    .await;
    assert!(matches!(
        store.trim_outbox(2).await,
        Err(StateError::Invalid(_))
    ));
    assert_eq!(store.outbox(0, 10).await.unwrap().len(), 1);
}

/// Waiters wake for what is new to them, and at once for what is there already.
pub async fn waiting_for_the_outbox_ends_with_a_new_entry(open: impl AsyncFn(&Place) -> Store) {
    let place = Place::new();
    let store = open(&place).await;
    for after in 0..5 {
        let waiter = {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                store.outbox_changed(after).await;
                store.outbox(after, 10).await.unwrap().len()
            })
        };
        committed(&store, write(&player(&format!("{after}")), 0, money(1))).await;
        committed(
            &store,
            Commit {
                events: vec![event("a")],
                ..Commit::default()
            },
        )
        .await;
        assert_eq!(wait::ready("the waiter wakes", waiter).await.unwrap(), 1);
    }
    wait::ready("what is there is no wait", store.outbox_changed(2)).await;
}

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
