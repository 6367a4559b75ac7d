//! A known key is answered again, and nothing done again.

use super::{
    Store, add_money, all_events, balance, committed, event, key, later, money, player, record,
    write,
};
use crate::place::Place;
use gamepipe_state::Commit;
use gamepipe_state::CommitOutcome;
use gamepipe_state::IdempotencyKey;
use std::sync::Arc;
use std::time::Duration;

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
