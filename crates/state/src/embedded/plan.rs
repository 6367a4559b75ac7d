//! What a group of commits will do, before any of it is done: checks against what is stored and what the group has
//! already decided, so that commits of one group see one another.
//!
//! Every stored key is written once per group. The storage engine gives all items of a batch one sequence number, so
//! two writes of a key in one batch would have no order.

use std::collections::HashMap;

use gamepipe_domain::entity::Version;
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;

use super::disk::Disk;
use crate::encode::{self, EncodedWrite, Expected, invalid};
use crate::format::{entity, idempotency, outbox};
use crate::store::{Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, StateError};

/// A group's changes.
pub(super) struct Plan<'a> {
    disk: &'a Disk,
    entities: HashMap<Vec<u8>, (Version, Vec<u8>)>,
    records: HashMap<Vec<u8>, IdempotencyRecord>,
    /// Stored keys of new entries of the expiry index.
    expiries: Vec<Vec<u8>>,
    events: Vec<Vec<u8>>,
    marks: OutboxMarks,
    first_event: u64,
}

/// One commit's changes, checked and encoded.
#[derive(Default)]
struct Changes {
    entities: Vec<EncodedWrite>,
    record: Option<(Vec<u8>, IdempotencyRecord)>,
    events: Vec<Vec<u8>>,
}

impl<'a> Plan<'a> {
    /// An empty plan on top of what is stored.
    pub(super) fn new(disk: &'a Disk, marks: OutboxMarks) -> Self {
        Self {
            disk,
            entities: HashMap::new(),
            records: HashMap::new(),
            expiries: Vec::new(),
            events: Vec::new(),
            marks,
            first_event: marks.last.saturating_add(1),
        }
    }

    /// Checks a commit and takes it in, wholly or not at all.
    pub(super) fn add(
        &mut self,
        commit: Commit,
        now: Timestamp,
    ) -> Result<CommitOutcome, StateError> {
        let now = commit.now.unwrap_or(now);
        let mut changes = Changes::default();
        if let Some((key, record)) = commit.idempotency {
            match self.known_record(&key, now)? {
                Ok(known) => return Ok(CommitOutcome::Replayed(known)),
                Err(stored_key) => changes.record = Some((stored_key, record)),
            }
        }
        let expected = encode::expected(commit.expected)?;
        changes.entities = encode::writes(&expected, &commit.writes)?;
        for Expected { key, version, .. } in &expected {
            if self.version(key)? != *version {
                return Ok(CommitOutcome::Conflict);
            }
        }
        changes.events = commit
            .events
            .iter()
            .map(|(key, value)| outbox::encode_entry(key, value))
            .collect();
        changes.check_size()?;
        self.apply(changes);
        Ok(CommitOutcome::Committed)
    }

    /// Takes in that everything up to `up_to` is on the log.
    pub(super) fn trim(&mut self, up_to: u64) -> Result<(), StateError> {
        // Entries of this group are not durable yet: nobody can have seen them.
        let durable = self.first_event.saturating_sub(1);
        if up_to > durable {
            return Err(StateError::Invalid(format!(
                "the log has outbox entry {up_to}, but this store gave no number above {durable}; \
                 was it restored from an old copy?"
            )));
        }
        self.marks.trimmed = self.marks.trimmed.max(up_to);
        Ok(())
    }

    /// True when a caller waits for something that must be durable first.
    pub(super) fn must_sync(&self) -> bool {
        !self.entities.is_empty() || !self.records.is_empty() || !self.events.is_empty()
    }

    /// The outbox marks after it.
    pub(super) fn marks(&self) -> OutboxMarks {
        self.marks
    }

    /// True when it writes the idempotency record under this stored key.
    pub(super) fn writes_record(&self, key: &[u8]) -> bool {
        self.records.contains_key(key)
    }

    /// The stored keys of its new entries of the expiry index.
    pub(super) fn expiries(&self) -> &[Vec<u8>] {
        &self.expiries
    }

    /// Puts all of it into a batch.
    pub(super) fn fill(self, batch: &mut fjall::OwnedWriteBatch) {
        for (key, (_, value)) in self.entities {
            batch.insert(&self.disk.entities, key, value);
        }
        for (key, record) in self.records {
            batch.insert(
                &self.disk.idempotency,
                key,
                idempotency::encode_record(&record),
            );
        }
        for key in self.expiries {
            batch.insert(&self.disk.expiry, key, Vec::new());
        }
        for (sequence, value) in (self.first_event..).zip(self.events) {
            batch.insert(&self.disk.outbox, outbox::encode_sequence(sequence), value);
        }
    }

    /// The live record for a key, or the stored key when there is none.
    fn known_record(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Result<IdempotencyRecord, Vec<u8>>, StateError> {
        let key = idempotency::encode_key(key).map_err(invalid)?;
        let known = match self.records.get(&key) {
            Some(record) => Some(record.clone()),
            None => {
                let stored = self
                    .disk
                    .idempotency
                    .get(&key)
                    .map_err(|error| self.disk.error(error))?;
                let record = stored
                    .map(|bytes| idempotency::decode_record(&bytes))
                    .transpose();
                record.map_err(|error| self.disk.corrupt(error))?
            }
        };
        Ok(known.filter(|record| record.expires > now).ok_or(key))
    }

    fn version(&self, key: &[u8]) -> Result<Version, StateError> {
        if let Some((version, _)) = self.entities.get(key) {
            return Ok(*version);
        }
        match self
            .disk
            .entities
            .get(key)
            .map_err(|error| self.disk.error(error))?
        {
            Some(bytes) => entity::decode_version(&bytes).map_err(|error| self.disk.corrupt(error)),
            None => Ok(0),
        }
    }

    fn apply(&mut self, changes: Changes) {
        self.entities.extend(changes.entities);
        if let Some((key, record)) = changes.record {
            self.expiries
                .push(idempotency::encode_expiry(record.expires, &key));
            self.records.insert(key, record);
        }
        self.marks.last = self.marks.last.saturating_add(changes.events.len() as u64);
        self.events.extend(changes.events);
    }
}

impl Changes {
    fn check_size(&self) -> Result<(), StateError> {
        let entities = self
            .entities
            .iter()
            .map(|(key, (_, value))| key.len() + value.len());
        let events = self.events.iter().map(Vec::len);
        let record = self
            .record
            .iter()
            .map(|(key, record)| key.len() + record.body.len());
        let bytes: usize = entities.chain(events).chain(record).sum();
        encode::check_size(bytes)
    }
}
