//! Events wait in order, without gaps, until they are trimmed.

use super::{Store, all_events, committed, event, money, player, write};
use crate::place::Place;
use crate::wait;
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_state::Commit;
use gamepipe_state::StateError;
use std::sync::Arc;

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
        // Numbers never begin again.
        let all = round * 5 + 5;
        let marks = OutboxMarks {
            last: all,
            trimmed: all,
        };
        assert_eq!(store.outbox_marks().await.unwrap(), marks);
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
