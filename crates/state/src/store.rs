//! The port: what a state store promises, whatever it is made of.

use async_trait::async_trait;
use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{Entity, EntityId, Version};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;

/// Entities, idempotency records and the outbox in one atomic store. Cheap to share behind an `Arc`.
#[async_trait]
pub trait StateStore: Send + Sync + std::fmt::Debug {
    /// The entities, in the order of `ids`; `None` for one that does not exist.
    /// Sees every commit that was acknowledged before the call.
    async fn load(&self, ids: &[EntityId]) -> Result<Vec<Option<Entity>>, StateError>;

    /// The live idempotency record for `key`, if there is one.
    async fn idempotency_record(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StateError>;

    /// Does all of `commit` or nothing of it; durable when it returns [`CommitOutcome::Committed`].
    /// Order of checks: the idempotency record, then the versions.
    /// An error of kind [`StateError::Unavailable`] leaves the outcome open: it may have happened.
    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StateError>;

    /// Up to `max` outbox entries with a sequence number above `after`, in order. Only durable ones.
    async fn outbox(&self, after: u64, max: usize) -> Result<Vec<OutboxEntry>, StateError>;

    /// Forgets outbox entries up to and including `up_to`: they are on the log, and with that the store and the log agree.
    /// A store that may have lost its last commits refuses everything else but [`StateStore::outbox_marks`] until then.
    async fn trim_outbox(&self, up_to: u64) -> Result<(), StateError>;

    /// Waits until the outbox may hold an entry above `after`; ends at once when the store can't be asked.
    async fn outbox_changed(&self, after: u64);

    /// How far the outbox is.
    async fn outbox_marks(&self) -> Result<OutboxMarks, StateError>;

    /// How many entries wait in the outbox (metrics, readiness, drain).
    async fn outbox_depth(&self) -> Result<u64, StateError> {
        Ok(self.outbox_marks().await?.depth())
    }

    /// Some entities of a type in key order, after `after` (exclusive): for audits and exports.
    async fn scan(
        &self,
        entity_type: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(EntityId, Entity)>, StateError>;

    /// A stable id of this store's outbox. It changes when the store is made anew, so that a log never mistakes a new
    /// outbox's sequence numbers for an old one's.
    fn outbox_id(&self) -> &str;
}

/// One atomic change.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Every entity that the decision looked at, with the version it saw (0: did not exist).
    pub expected: Vec<(EntityId, Version)>,
    /// New states; each becomes its expected version + 1. Every written entity is in `expected`.
    pub writes: Vec<(EntityId, JsonMap)>,
    /// Events for the outbox, in order: the log's key and value.
    pub events: Vec<(String, Bytes)>,
    /// The idempotency record to keep with it.
    pub idempotency: Option<(IdempotencyKey, IdempotencyRecord)>,
    /// The time by which the store judges whether records have expired.
    pub now: Option<Timestamp>,
}

/// How a commit ended, when the store could answer.
#[derive(Debug, Clone, PartialEq)]
pub enum CommitOutcome {
    /// It is durable.
    Committed,
    /// An entity has another version than expected: load again and decide again.
    Conflict,
    /// The idempotency key is known: nothing was done. The caller compares fingerprints.
    Replayed(IdempotencyRecord),
}

/// An idempotency key, scoped to its action.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey {
    /// The action's name.
    pub action: String,
    /// What the client sent as `Idempotency-Key`.
    pub key: String,
}

/// What is kept for a key: enough to answer again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct IdempotencyRecord {
    /// What the request was, as text that is equal for equal requests: another request with the same key has another one,
    /// and must not be answered with this reply. The store compares nothing; it keeps what its caller made of surface,
    /// parameters and, where rules read it, host.
    pub fingerprint: String,
    /// The HTTP status that was sent.
    pub status: u16,
    /// The response's content type.
    pub content_type: String,
    /// The response's body.
    pub body: String,
    /// The ids of the events that were recorded.
    pub event_ids: Vec<String>,
    /// When it is forgotten.
    pub expires: Timestamp,
}

/// An event that waits for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// Its place in the outbox: from 1, without gaps.
    pub sequence: u64,
    /// The log's key.
    pub key: String,
    /// The log's value.
    pub value: Bytes,
}

/// Why a store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process holds the directory.
    #[error("{path} is in use by {holder}; stop it, or choose another data directory")]
    InUse {
        /// The directory.
        path: String,
        /// Who holds it, such as `process 1234 (started 2026-01-02T03:04:05Z)`.
        holder: String,
    },
    /// The store can't be reached or written now; nothing was acknowledged. The outcome of a commit is open.
    #[error("state store unavailable: {0}")]
    Unavailable(String),
    /// What is stored can't be read.
    #[error("state store corrupt: {0}")]
    Corrupt(String),
    /// A caller's mistake, such as a write without an expected version.
    #[error("invalid commit: {0}")]
    Invalid(String),
}
