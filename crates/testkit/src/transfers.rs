//! Money that moves between players, and the check that all of it was counted: what was acknowledged happened once,
//! what was not happened wholly or not at all, and every balance is the sum of its events.

#![expect(
    clippy::unwrap_used,
    reason = "these are checks of tests that happen to live in a library"
)]

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::EntityId;
use gamepipe_domain::time::Timestamp;
use gamepipe_state::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};

/// How many players there are, numbered from 0.
pub const PLAYERS: u64 = 6;

/// What each has at first.
pub const START_MONEY: i64 = 1000;

const FAR: Timestamp = Timestamp::from_micros(i64::MAX);

/// A player's entity.
pub fn player(number: u64) -> EntityId {
    EntityId {
        entity_type: "player".into(),
        key: format!("p{number}"),
    }
}

/// The idempotency key of the transfer `name`.
pub fn key(name: &str) -> IdempotencyKey {
    IdempotencyKey {
        action: "transfer".into(),
        key: name.into(),
    }
}

/// A player's version and money.
///
/// # Errors
/// When the store can't be read.
///
/// # Panics
/// When what is stored is not a player.
pub async fn try_money(store: &dyn StateStore, number: u64) -> Result<(u64, i64), StateError> {
    let found = store.load(&[player(number)]).await?;
    let Some(Some(entity)) = found.first() else {
        return Ok((0, START_MONEY));
    };
    match entity.state["money"].as_i64() {
        Some(money) => Ok((entity.version, money)),
        None => panic!("no money in {entity:?}"),
    }
}

/// The same of a store that can be read.
///
/// # Panics
/// When it can't.
pub async fn money(store: &dyn StateStore, number: u64) -> (u64, i64) {
    match try_money(store, number).await {
        Ok(found) => found,
        Err(error) => panic!("{error}"),
    }
}

fn state(money: i64) -> JsonMap {
    JsonMap::from_iter([("money".to_owned(), money.into())])
}

/// Moves one coin between two players, with an event for each and a record, all named `name`.
///
/// # Errors
/// When the store does not answer; the outcome is open then, and the same name may be tried again.
pub async fn transfer(
    store: &dyn StateStore,
    name: &str,
    from: u64,
    to: u64,
) -> Result<(), StateError> {
    loop {
        let (from_version, has) = try_money(store, from).await?;
        let (to_version, gets) = try_money(store, to).await?;
        let record = IdempotencyRecord {
            fingerprint: String::new(),
            status: 200,
            content_type: "text/plain".into(),
            body: name.into(),
            event_ids: Vec::new(),
            expires: FAR,
        };
        let commit = Commit {
            expected: vec![(player(from), from_version), (player(to), to_version)],
            writes: vec![
                (player(from), state(has - 1)),
                (player(to), state(gets + 1)),
            ],
            events: vec![
                (format!("p{from}"), Bytes::from(format!("{name} -1"))),
                (format!("p{to}"), Bytes::from(format!("{name} 1"))),
            ],
            idempotency: Some((key(name), record)),
            now: None,
        };
        match store.commit(commit).await? {
            CommitOutcome::Conflict => {}
            CommitOutcome::Committed | CommitOutcome::Replayed(_) => return Ok(()),
        }
    }
}

/// Two different players for the `number`th transfer of a writer.
pub fn pair(writer: u64, number: u64) -> (u64, u64) {
    let from = (writer + number) % PLAYERS;
    (from, (from + 1 + number % (PLAYERS - 1)) % PLAYERS)
}

/// What the outbox has told, from its begin.
#[derive(Debug, Default)]
pub struct Ledger {
    last: u64,
    balances: HashMap<String, i64>,
    /// Events and sum of changes, by transfer.
    transfers: BTreeMap<String, (usize, i64)>,
}

impl Ledger {
    /// The last entry that was taken.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// How many transfers there were.
    pub fn transfers(&self) -> usize {
        self.transfers.len()
    }

    /// Takes the next entries of the outbox.
    ///
    /// # Panics
    /// When there is a gap, or an entry is not of a transfer.
    pub fn take(&mut self, entries: Vec<OutboxEntry>) {
        for entry in entries {
            assert_eq!(
                entry.sequence,
                self.last + 1,
                "the outbox goes on without a gap"
            );
            self.last = entry.sequence;
            let text = String::from_utf8_lossy(&entry.value).into_owned();
            let parts = text.rsplit_once(' ');
            let Some((name, Ok(change))) =
                parts.map(|(name, change)| (name, change.parse::<i64>()))
            else {
                panic!("not a transfer: {text}");
            };
            *self.balances.entry(entry.key).or_insert(START_MONEY) += change;
            let (count, sum) = self.transfers.entry(name.to_owned()).or_default();
            *count += 1;
            *sum += change;
        }
    }

    /// Takes what is left in the outbox, and trims it.
    ///
    /// # Panics
    /// When the store does not answer, or [`Ledger::take`] does.
    pub async fn drain(&mut self, store: &dyn StateStore) {
        loop {
            let page = store.outbox(self.last, 1000).await.unwrap();
            if page.is_empty() {
                break;
            }
            self.take(page);
        }
        store.trim_outbox(self.last).await.unwrap();
        assert_eq!(store.outbox_depth().await.unwrap(), 0);
    }

    /// AT-1, OV-1: compares what was told with what was acknowledged and with what is stored. Call it after
    /// [`Ledger::drain`], while nobody writes.
    ///
    /// # Panics
    /// When they differ.
    pub async fn check(&self, store: &dyn StateStore, acknowledged: &[String]) {
        for name in acknowledged {
            assert!(self.transfers.contains_key(name), "{name} was acknowledged");
        }
        for (name, told) in &self.transfers {
            assert_eq!(*told, (2, 0), "{name} is there wholly and once");
            let record = store
                .idempotency_record(&key(name), Timestamp::from_micros(0))
                .await
                .unwrap();
            assert_eq!(record.unwrap().body, *name, "{name} has its record");
        }
        let mut sum = 0;
        for number in 0..PLAYERS {
            let (_, money) = money(store, number).await;
            let of_events = *self
                .balances
                .get(&format!("p{number}"))
                .unwrap_or(&START_MONEY);
            assert_eq!(
                money, of_events,
                "the events of p{number} add up to the balance"
            );
            sum += money;
        }
        assert_eq!(sum, START_MONEY * PLAYERS as i64);
    }
}
