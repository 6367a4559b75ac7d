//! Checks of `StateStore`. Each takes a function that opens the store of a place; opening again after a drop gives the
//! same store.

use std::sync::Arc;

use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{EntityId, Version};
use gamepipe_domain::time::Timestamp;
use gamepipe_state::{Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, StateStore};
use serde_json::json;

use crate::place::Place;

mod commits;
mod idempotency;
mod lasting;
mod outbox;

pub use commits::*;
pub use idempotency::*;
pub use lasting::*;
pub use outbox::*;

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
