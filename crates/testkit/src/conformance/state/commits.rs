//! A commit happens wholly or not at all, and never over the head of another.

use super::{
    Store, add_money, all_events, balance, committed, event, key, later, money, player, record,
    write,
};
use crate::place::Place;
use bytes::Bytes;
use gamepipe_domain::entity::EntityId;
use gamepipe_state::Commit;
use gamepipe_state::CommitOutcome;
use std::collections::HashMap;
use std::sync::Arc;

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
