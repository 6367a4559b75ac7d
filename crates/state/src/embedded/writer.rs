//! The writer thread: takes the commits that queued up, writes them as one batch, syncs once, answers all.

use std::ops::Bound;
use std::sync::Arc;

use fjall::{OwnedWriteBatch, PersistMode};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;
use gamepipe_service::batcher::BatchWork;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::failpoint;
use tokio::sync::oneshot;

use super::disk::{Disk, write_failure};
use super::plan::Plan;
use crate::format::meta;
use crate::format::{idempotency, outbox};
use crate::store::{Commit, CommitOutcome, StateError};

/// How many expired idempotency records a batch removes at least: more than it can add, so that they never pile up.
const SWEEP_STEP: usize = 1024;

/// How many trimmed outbox entries a batch removes: a few milliseconds' work at most.
const TRIM_STEP: u64 = 4096;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StateError>>;

/// What the writer is asked for.
pub(super) enum Request {
    /// See `StateStore::commit`.
    Commit(Box<Commit>, Reply<CommitOutcome>),
    /// See `StateStore::trim_outbox`.
    Trim(u64, Reply<()>),
}

impl Request {
    fn refuse(self, reason: &str) {
        let error = StateError::Unavailable(reason.to_owned());
        // Whoever no longer waits has given up.
        match self {
            Self::Commit(_, reply) => drop(reply.send(Err(error))),
            Self::Trim(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// The one place that changes the store.
pub(super) struct Writer {
    disk: Arc<Disk>,
    clock: SharedClock,
    marks: OutboxMarks,
    /// Trimmed outbox entries are removed up to here.
    removed: u64,
    /// Where the last sweep of expired records ended: a stored key of the expiry index. What lies before it is gone,
    /// and finding that out again would mean to read all its tombstones.
    swept: Vec<u8>,
    /// Why nothing can be written any more.
    broken: Option<String>,
}

/// A batch that did not come through.
struct Failure {
    reason: String,
    /// It is durable all the same: only the answer is lost.
    applied: bool,
}

impl Writer {
    /// A writer that goes on where the store stands.
    pub(super) fn new(disk: Arc<Disk>, clock: SharedClock) -> Result<Self, StateError> {
        let marks = disk.view().marks;
        let first = disk
            .outbox
            .first_key_value()
            .map(fjall::Guard::key)
            .transpose();
        let first = first.map_err(|error| disk.error(error))?;
        let removed = match first {
            Some(key) => {
                let first = outbox::decode_sequence(&key).map_err(|error| disk.corrupt(error))?;
                first.saturating_sub(1)
            }
            None => marks.trimmed,
        };
        Ok(Self {
            disk,
            clock,
            marks,
            removed,
            swept: Vec::new(),
            broken: None,
        })
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    /// Writes and syncs a batch. After an error of the disk nothing more is written: what a file holds after a failed
    /// write or sync is unknown, and a record after a torn one would never be read again.
    fn write(&mut self, batch: OwnedWriteBatch) -> Result<(), Failure> {
        let not_begun = |error: failpoint::FailpointError| Failure {
            reason: error.to_string(),
            applied: false,
        };
        failpoint::hit("state.commit.before").map_err(not_begun)?;
        let written = batch
            .durability(None)
            .commit()
            .map_err(|error| write_failure(&error));
        let synced = written
            .and_then(|()| {
                failpoint::hit("state.commit.written").map_err(|error| error.to_string())
            })
            .and_then(|()| {
                self.disk
                    .db
                    .persist(PersistMode::SyncData)
                    .map_err(|error| write_failure(&error))
            });
        if let Err(error) = synced {
            return Err(Failure {
                reason: self.break_down(&error),
                applied: false,
            });
        }
        failpoint::hit("state.commit.synced").map_err(|error| Failure {
            reason: error.to_string(),
            applied: true,
        })
    }

    fn break_down(&mut self, error: &str) -> String {
        tracing::error!(state.path = %self.disk.path, error, "a write to the state store failed");
        let reason = format!(
            "{}: {error}; the store takes no more changes until it is restarted, nothing acknowledged is lost",
            self.disk.path
        );
        self.broken = Some(reason.clone());
        reason
    }

    /// Removes expired records. One that was replaced by a younger one stays; only its old index entry goes.
    fn sweep(
        &mut self,
        plan: &Plan<'_>,
        batch: &mut OwnedWriteBatch,
        now: Timestamp,
    ) -> Result<(), StateError> {
        let disk = Arc::clone(&self.disk);
        if let Some(earliest) = plan.expiries().iter().min()
            && *earliest < self.swept
        {
            self.swept.clone_from(earliest);
        }
        let from = Bound::Included(self.swept.clone());
        for guard in disk.expiry.range((from, Bound::Unbounded)).take(SWEEP_STEP) {
            let entry = guard.key().map_err(|error| disk.error(error))?;
            let (expires, key) =
                idempotency::decode_expiry(&entry).map_err(|error| disk.corrupt(error))?;
            if expires > now || plan.expiries().iter().any(|new| **new == *entry) {
                break;
            }
            if !plan.writes_record(key) {
                let stored = disk
                    .idempotency
                    .get(key)
                    .map_err(|error| disk.error(error))?;
                let record = stored
                    .map(|bytes| idempotency::decode_record(&bytes))
                    .transpose();
                let record = record.map_err(|error| disk.corrupt(error))?;
                if record.is_some_and(|record| record.expires == expires) {
                    batch.remove(&disk.idempotency, key);
                }
            }
            batch.remove(&disk.expiry, entry.clone());
            self.swept = entry.to_vec();
        }
        Ok(())
    }

    /// Removes a step of trimmed outbox entries; returns how far it got.
    fn remove_trimmed(&self, marks: OutboxMarks, batch: &mut OwnedWriteBatch) -> u64 {
        let up_to = marks
            .trimmed
            .min(self.removed.saturating_add(TRIM_STEP))
            .max(self.removed);
        for sequence in self.removed.saturating_add(1)..=up_to {
            batch.remove(&self.disk.outbox, outbox::encode_sequence(sequence));
        }
        up_to
    }

    /// Adds to a batch what is due besides commits. Failing to find out what is due fails no commit.
    fn keep_house(&mut self, plan: &Plan<'_>, batch: &mut OwnedWriteBatch) -> u64 {
        let now = self.now();
        if let Err(error) = self.sweep(plan, batch, now) {
            tracing::warn!(%error, "expired idempotency records could not be removed");
        }
        self.remove_trimmed(plan.marks(), batch)
    }

    fn put_marks(&self, marks: OutboxMarks, batch: &mut OwnedWriteBatch) {
        if marks != self.marks {
            batch.insert(&self.disk.meta, meta::OUTBOX, meta::encode_marks(marks));
        }
    }
}

impl BatchWork for Writer {
    type Item = Request;

    fn weight(request: &Request) -> usize {
        match request {
            Request::Commit(commit, _) => {
                let events: usize = commit
                    .events
                    .iter()
                    .map(|(key, value)| key.len() + value.len())
                    .sum();
                // States are not encoded yet; a few hundred bytes each is what games have.
                events + 256 * (commit.writes.len() + 1)
            }
            Request::Trim(..) => 64,
        }
    }

    fn run(&mut self, requests: &mut Vec<Request>) {
        if let Some(reason) = &self.broken {
            // Not even a replay is answered: what a plan would look at may hold what was never synced.
            requests
                .drain(..)
                .for_each(|request| request.refuse(reason));
            return;
        }
        let disk = Arc::clone(&self.disk);
        let mut plan = Plan::new(&disk, self.marks);
        let now = self.now();
        let mut commits = Vec::with_capacity(requests.len());
        let mut trims = Vec::new();
        for request in requests.drain(..) {
            match request {
                Request::Commit(commit, reply) => commits.push((reply, plan.add(*commit, now))),
                Request::Trim(up_to, reply) => trims.push((reply, plan.trim(up_to))),
            }
        }
        let mut batch = disk.db.batch().durability(None);
        let removed = self.keep_house(&plan, &mut batch);
        let (marks, must_sync) = (plan.marks(), plan.must_sync());
        self.put_marks(marks, &mut batch);
        plan.fill(&mut batch);
        let result = if must_sync {
            self.write(batch)
        } else {
            self.write_aside(batch)
        };
        let (failure, applied) = match result {
            Ok(()) => (None, true),
            Err(Failure { reason, applied }) => (Some(reason), applied),
        };
        if applied {
            (self.marks, self.removed) = (marks, removed);
            disk.publish(marks);
        } else {
            // What was swept is still there.
            self.swept.clear();
        }
        for (reply, outcome) in commits {
            // Whoever no longer waits has given up: the outcome is open to them.
            let _ = reply.send(with_failure(outcome, failure.as_deref()));
        }
        for (reply, outcome) in trims {
            let _ = reply.send(with_failure(outcome, failure.as_deref()));
        }
    }

    fn tick(&mut self) {
        if self.broken.is_some() {
            return;
        }
        let disk = Arc::clone(&self.disk);
        let plan = Plan::new(&disk, self.marks);
        let mut batch = disk.db.batch();
        let removed = self.keep_house(&plan, &mut batch);
        if self.write_aside(batch).is_ok() {
            self.removed = removed;
        }
    }
}

impl Writer {
    /// Writes a batch that nobody has to find again after a power cut, without a sync.
    fn write_aside(&mut self, batch: OwnedWriteBatch) -> Result<(), Failure> {
        if batch.is_empty() {
            return Ok(());
        }
        batch.commit().map_err(|error| Failure {
            reason: self.break_down(&write_failure(&error)),
            applied: false,
        })
    }
}

/// A refusal stands whatever became of the batch; a promise does not.
fn with_failure<T>(outcome: Result<T, StateError>, failure: Option<&str>) -> Result<T, StateError> {
    match failure {
        Some(reason) => outcome.and(Err(StateError::Unavailable(reason.to_owned()))),
        None => outcome,
    }
}
