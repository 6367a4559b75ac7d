//! A state store and an event log that do as the real ones inside them, until a test switches a fault on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use async_trait::async_trait;
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, OutboxBatch, PartitionOffsets, ReadBatch, Record,
};
use gamepipe_state::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};
use tokio::sync::Semaphore;

/// A state store that can lose races, lie about outcomes, hang and panic.
#[derive(Debug)]
pub(crate) struct FaultyStore {
    inner: Arc<dyn StateStore>,
    /// So many commits lose a race that nobody ran.
    pub(crate) conflicts: AtomicU32,
    /// Changes do nothing and say that they are unavailable.
    pub(crate) unavailable: AtomicBool,
    /// Commits happen, and then say that they are unavailable.
    pub(crate) commits_unseen: AtomicBool,
    /// Loads panic.
    pub(crate) panics: AtomicBool,
    /// Commits wait for a permit each while this is set.
    pub(crate) held: AtomicBool,
    pub(crate) permits: Semaphore,
    /// How many commits wait.
    pub(crate) waiting: AtomicU32,
}

impl FaultyStore {
    pub(crate) fn new(inner: Arc<dyn StateStore>) -> Self {
        Self {
            inner,
            conflicts: AtomicU32::new(0),
            unavailable: AtomicBool::new(false),
            commits_unseen: AtomicBool::new(false),
            panics: AtomicBool::new(false),
            held: AtomicBool::new(false),
            permits: Semaphore::new(0),
            waiting: AtomicU32::new(0),
        }
    }
}

fn down() -> StateError {
    StateError::Unavailable("switched off".to_owned())
}

#[async_trait]
impl StateStore for FaultyStore {
    async fn load(&self, ids: &[EntityId]) -> Result<Vec<Option<Entity>>, StateError> {
        assert!(
            !self.panics.load(Ordering::SeqCst),
            "this panic is part of a test"
        );
        self.inner.load(ids).await
    }

    async fn idempotency_record(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StateError> {
        self.inner.idempotency_record(key, now).await
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StateError> {
        if self.held.load(Ordering::SeqCst) {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            self.permits.acquire().await.unwrap().forget();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
        }
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(down());
        }
        let race = self
            .conflicts
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if race.is_ok() {
            return Ok(CommitOutcome::Conflict);
        }
        let outcome = self.inner.commit(commit).await;
        if self.commits_unseen.load(Ordering::SeqCst) {
            return Err(down());
        }
        outcome
    }

    async fn outbox(&self, after: u64, max: usize) -> Result<Vec<OutboxEntry>, StateError> {
        self.inner.outbox(after, max).await
    }

    async fn trim_outbox(&self, up_to: u64) -> Result<(), StateError> {
        if self.unavailable.load(Ordering::SeqCst) {
            return Err(down());
        }
        self.inner.trim_outbox(up_to).await
    }

    async fn outbox_changed(&self, after: u64) {
        self.inner.outbox_changed(after).await;
    }

    async fn outbox_marks(&self) -> Result<OutboxMarks, StateError> {
        self.inner.outbox_marks().await
    }

    async fn scan(
        &self,
        entity_type: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(EntityId, Entity)>, StateError> {
        self.inner.scan(entity_type, after, max).await
    }

    fn outbox_id(&self) -> &str {
        self.inner.outbox_id()
    }
}

/// An event log that can be down, or take a batch and not say so.
#[derive(Debug)]
pub(crate) struct FaultyLog {
    inner: Arc<dyn EventLog>,
    /// Nothing is appended.
    pub(crate) down: AtomicBool,
    /// What comes from the outbox is appended, and then said to have failed, so many times.
    pub(crate) relays_unseen: AtomicU32,
    /// It can't remember ids, like a log that several processes append to.
    pub(crate) is_shared: AtomicBool,
    /// Another process relays.
    pub(crate) relays_elsewhere: AtomicBool,
}

impl FaultyLog {
    pub(crate) fn new(inner: Arc<dyn EventLog>) -> Self {
        Self {
            inner,
            down: AtomicBool::new(false),
            relays_unseen: AtomicU32::new(0),
            is_shared: AtomicBool::new(false),
            relays_elsewhere: AtomicBool::new(false),
        }
    }

    fn check(&self) -> Result<(), LogError> {
        if self.down.load(Ordering::SeqCst) {
            return Err(LogError::Unavailable("switched off".to_owned()));
        }
        Ok(())
    }
}

#[async_trait]
impl EventLog for FaultyLog {
    fn partitions(&self) -> u32 {
        self.inner.partitions()
    }

    fn generation(&self) -> &str {
        self.inner.generation()
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        self.check()?;
        self.inner.append(records).await
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        self.check()?;
        // A batch without records is only a question.
        let is_question = batch.records.is_empty();
        self.inner.append_from_outbox(batch).await?;
        if is_question {
            return Ok(());
        }
        let unseen = self
            .relays_unseen
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if unseen.is_ok() {
            return Err(LogError::Unavailable(
                "switched off after the fact".to_owned(),
            ));
        }
        Ok(())
    }

    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError> {
        self.check()?;
        self.inner.outbox_position(outbox_id).await
    }

    async fn resume_outbox(&self, outbox_id: &str, marks: OutboxMarks) -> Result<u64, LogError> {
        self.check()?;
        self.inner.resume_outbox(outbox_id, marks).await
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        self.inner.read(partition, from, max_bytes).await
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        self.inner.offsets().await
    }

    async fn changed(&self, seen: &[u64]) {
        self.inner.changed(seen).await;
    }

    fn remembers_ids(&self) -> bool {
        !self.is_shared.load(Ordering::SeqCst)
    }

    async fn relays(&self, _outbox_id: &str) -> Result<bool, LogError> {
        self.check()?;
        Ok(!self.relays_elsewhere.load(Ordering::SeqCst))
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        self.inner.release(landed).await
    }
}
