//! The writer thread: takes the appends that queued up, writes them as one batch, syncs once, answers all.

use std::sync::Arc;
use std::time::Duration;

use fjall::{OwnedWriteBatch, PersistMode};
use gamepipe_config::log::LogConfig;
use gamepipe_domain::time::Timestamp;
use gamepipe_service::batcher::BatchWork;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::failpoint;
use tokio::sync::oneshot;

use super::disk::Disk;
use super::format::meta::Marks;
use super::open::write_failure;
use super::plan::{Plan, oldest_known, weight};
use super::retention::{Limits, Retention, bytes_below};
use crate::log::{Appended, LogError, OutboxBatch, Record};

/// How many steps of removal an append to a full log waits for at most, before it is refused.
const STEPS_FOR_ROOM: usize = 64;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, LogError>>;

/// Answers that wait for the sync.
type Pending<T> = Vec<(Reply<T>, Result<T, LogError>)>;

/// What the writer is asked for.
pub(super) enum Request {
    /// See `EventLog::append`.
    Append(Vec<Record>, Reply<Vec<Appended>>),
    /// See `EventLog::append_from_outbox`.
    Relay(OutboxBatch, Reply<()>),
    /// See `EventLog::release`.
    Release(Vec<u64>, Reply<()>),
}

impl Request {
    fn refuse(self, reason: &str) {
        let error = LogError::Unavailable(reason.to_owned());
        // Whoever no longer waits has given up.
        match self {
            Self::Append(_, reply) => drop(reply.send(Err(error))),
            Self::Relay(_, reply) | Self::Release(_, reply) => drop(reply.send(Err(error))),
        }
    }
}

/// The one place that changes the log.
pub(super) struct Writer {
    disk: Arc<Disk>,
    clock: SharedClock,
    window: Duration,
    max_bytes: u64,
    partitions: Vec<Marks>,
    retention: Retention,
    /// The latest time there was: the log's time never runs backwards, whatever the clock does.
    latest: Timestamp,
    /// Why nothing can be written any more.
    broken: Option<String>,
}

/// Everything that was decided about a group, before it is durable.
#[derive(Default)]
struct Answers {
    appends: Pending<Vec<Appended>>,
    relays: Pending<()>,
}

impl Writer {
    /// A writer that goes on where the log stands.
    pub(super) fn new(disk: Arc<Disk>, config: &LogConfig, clock: SharedClock) -> Self {
        let partitions = disk.view().partitions.clone();
        Self {
            retention: Retention::new(Limits::new(config), partitions.len()),
            window: Duration::from_secs(config.dedupe_seconds),
            max_bytes: config.max_bytes,
            latest: Timestamp::from_micros(clock.now_micros()),
            disk,
            clock,
            partitions,
            broken: None,
        }
    }

    fn now(&mut self) -> Timestamp {
        self.latest = self
            .latest
            .max(Timestamp::from_micros(self.clock.now_micros()));
        self.latest
    }

    fn append_all(&mut self, requests: Vec<Request>) {
        // Before anything is planned on top of the marks: only durable offsets can have landed.
        let (releases, appends): (Vec<_>, Vec<_>) = requests
            .into_iter()
            .partition(|request| matches!(request, Request::Release(..)));
        for request in releases {
            if let Request::Release(landed, reply) = request {
                // Whoever no longer waits has given up.
                let _ = reply.send(self.release(&landed));
            }
        }
        let now = self.now();
        let disk = Arc::clone(&self.disk);
        let mut plan = Plan::new(
            &disk,
            self.partitions.clone(),
            now,
            self.window,
            self.max_bytes,
        );
        let mut answers = Answers::default();
        for request in appends {
            match request {
                Request::Append(records, reply) => {
                    answers.appends.push((reply, plan.append(records)));
                }
                Request::Relay(batch, reply) => answers.relays.push((reply, plan.relay(batch))),
                Request::Release(..) => {}
            }
        }
        let result = if plan.is_empty() {
            Ok(())
        } else {
            let mut batch = disk.db.batch();
            let marks = plan.fill(&mut batch);
            self.write(batch, marks)
        };
        answers.send(result.err().as_deref());
    }

    /// Writes and syncs a batch. After an error of the disk nothing more is written: what a file holds after a failed
    /// write or sync is unknown, and a record after a torn one would never be read again.
    fn write(&mut self, batch: OwnedWriteBatch, marks: Vec<Marks>) -> Result<(), String> {
        failpoint::hit("log.append.before").map_err(|error| error.to_string())?;
        let written = batch
            .durability(None)
            .commit()
            .map_err(|error| write_failure(&error));
        let synced = written
            .and_then(|()| failpoint::hit("log.append.written").map_err(|error| error.to_string()))
            .and_then(|()| {
                self.disk
                    .db
                    .persist(PersistMode::SyncData)
                    .map_err(|error| write_failure(&error))
            });
        if let Err(error) = synced {
            return Err(self.break_down(&error));
        }
        self.adopt(marks);
        // Durable all the same: only the answer is lost.
        failpoint::hit("log.append.synced").map_err(|error| error.to_string())
    }

    /// Writes a batch that nobody has to find again after a power cut, without a sync.
    fn write_aside(&mut self, batch: OwnedWriteBatch, marks: Vec<Marks>) -> Result<(), LogError> {
        if batch.is_empty() {
            return Ok(());
        }
        if let Err(error) = batch.commit() {
            return Err(LogError::Unavailable(
                self.break_down(&write_failure(&error)),
            ));
        }
        self.adopt(marks);
        Ok(())
    }

    fn adopt(&mut self, marks: Vec<Marks>) {
        self.partitions.clone_from(&marks);
        self.disk.publish(marks);
    }

    fn break_down(&mut self, error: &str) -> String {
        tracing::error!(log.path = %self.disk.path, error, "a write to the event log failed");
        let reason = format!(
            "{}: {error}; the log takes no more records until gamepipe is restarted, which is safe once the cause is gone: nothing acknowledged is lost",
            self.disk.path
        );
        self.broken = Some(reason.clone());
        reason
    }

    fn release(&mut self, landed: &[u64]) -> Result<(), LogError> {
        let mut marks = self.partitions.clone();
        if landed.len() != marks.len() {
            let (got, has) = (landed.len(), marks.len());
            return Err(LogError::Invalid(format!(
                "{got} offsets for {has} partitions"
            )));
        }
        for ((partition, marks), landed) in (0..).zip(&mut marks).zip(landed) {
            if *landed > marks.high {
                return Err(LogError::Invalid(format!(
                    "offset {landed} of partition {partition} can't have landed: the log ends at {}",
                    marks.high
                )));
            }
            if *landed > marks.released {
                marks.released_bytes = bytes_below(&self.disk, partition, *landed, marks)?;
                marks.released = *landed;
            }
        }
        let mut batch = self.disk.db.batch();
        self.disk.put_marks(&self.partitions, &marks, &mut batch);
        self.write_aside(batch, marks)
    }

    /// One step of removals; true when something went.
    fn remove_step(&mut self, incoming: u64) -> bool {
        if self.broken.is_some() {
            return false;
        }
        let now = self.now();
        let mut marks = self.partitions.clone();
        let mut batch = self.disk.db.batch();
        let oldest = oldest_known(now, self.window);
        let planned = self
            .retention
            .step(&self.disk, &mut marks, incoming, now, &mut batch)
            .and_then(|()| self.retention.sweep_ids(&self.disk, oldest, &mut batch));
        let moved = marks != self.partitions;
        self.disk.put_marks(&self.partitions, &marks, &mut batch);
        if let Err(error) = planned.and_then(|()| self.write_aside(batch, marks)) {
            self.retention.reset();
            tracing::warn!(%error, "landed records could not be removed");
            return false;
        }
        moved
    }

    /// Removes landed chunks before their time when the log is at its limit.
    fn make_room(&mut self, incoming: u64) {
        for _ in 0..STEPS_FOR_ROOM {
            let used: u64 = self.partitions.iter().map(Marks::bytes).sum();
            if used.saturating_add(incoming) <= self.max_bytes || !self.remove_step(incoming) {
                return;
            }
        }
    }
}

impl BatchWork for Writer {
    type Item = Request;

    fn weight(request: &Request) -> usize {
        let weights = |records: &[Record]| records.iter().map(weight).sum::<u64>() as usize;
        match request {
            Request::Append(records, _) => weights(records),
            Request::Relay(batch, _) => weights(&batch.records),
            Request::Release(..) => 0,
        }
    }

    fn run(&mut self, requests: &mut Vec<Request>) {
        if let Some(reason) = &self.broken {
            // Not even a duplicate is told: what a plan would look at may hold what was never synced.
            requests
                .drain(..)
                .for_each(|request| request.refuse(reason));
            return;
        }
        let requests = std::mem::take(requests);
        let incoming = requests.iter().map(Self::weight).sum::<usize>() as u64;
        self.make_room(incoming);
        self.append_all(requests);
        self.remove_step(0);
    }

    fn tick(&mut self) {
        self.remove_step(0);
    }
}

impl Answers {
    /// A refusal stands whatever became of the group; a promise does not. Whoever no longer waits has given up.
    fn send(self, failure: Option<&str>) {
        for (reply, outcome) in self.appends {
            let _ = reply.send(with_failure(outcome, failure));
        }
        for (reply, outcome) in self.relays {
            let _ = reply.send(with_failure(outcome, failure));
        }
    }
}

fn with_failure<T>(outcome: Result<T, LogError>, failure: Option<&str>) -> Result<T, LogError> {
    match failure {
        Some(reason) => outcome.and(Err(LogError::Unavailable(reason.to_owned()))),
        None => outcome,
    }
}
