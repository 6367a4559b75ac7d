//! The log in one directory of this machine: chunks of records in fjall, one atomic batch per group of appends, synced.
//!
//! Reads see one durable cut: offsets and a snapshot that the writer replaces together after every sync.

mod disk;
mod format;
mod open;
mod plan;
mod retention;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fjall::Readable;
use gamepipe_config::log::LogConfig;
use gamepipe_service::batcher::{BatchLimits, Batcher, Stopped};
use gamepipe_service::clock::SharedClock;
use tokio::sync::oneshot;

use self::disk::Disk;
use self::format::meta;
use self::writer::{Request, Writer};
use crate::log::{Appended, EventLog, LogError, OutboxBatch, PartitionOffsets, ReadBatch, Record};

/// What the writer takes at once.
const LIMITS: BatchLimits = BatchLimits {
    // Callers bring many records each: enough to keep the writer busy, little enough memory in wait.
    queue: 256,
    items: 256,
    // Half a memtable, so that a batch never stalls on its own flush.
    weight: 8 << 20,
    tick: Duration::from_secs(1),
};

/// How long a caller waits for the writer's answer. A sync takes milliseconds; a disk that takes this long is down, and
/// the outcome is open.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The embedded event log. Dropping it finishes what is queued, ends its threads and frees the directory.
pub struct EmbeddedLog {
    writer: Batcher<Request>,
    disk: Arc<Disk>,
}

impl std::fmt::Debug for EmbeddedLog {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EmbeddedLog")
            .field("path", &self.disk.path)
            .field("generation", &self.disk.identity.generation)
            .finish_non_exhaustive()
    }
}

impl EmbeddedLog {
    /// Opens the log in `config.path`, making it with `config.partitions` when there is none.
    ///
    /// # Errors
    /// [`LogError::InUse`] when a running process holds the directory, [`LogError::Unavailable`] when it can't be
    /// written, [`LogError::Corrupt`] when what stands there is not a readable log, [`LogError::Invalid`] for a number
    /// of partitions that no log can have.
    pub fn open(config: &LogConfig, clock: SharedClock) -> Result<Arc<Self>, LogError> {
        let path = Path::new(&config.path);
        let disk = Arc::new(Disk::open(
            path,
            config.partitions,
            config.cache_bytes,
            &*clock,
        )?);
        let writer = Writer::new(Arc::clone(&disk), config, clock);
        let writer = Batcher::start("log-writer", LIMITS, writer).map_err(|error| {
            LogError::Unavailable(format!("can't start the writer thread: {error}"))
        })?;
        Ok(Arc::new(Self { writer, disk }))
    }

    async fn ask<T>(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<T, LogError>>,
    ) -> Result<T, LogError> {
        let stopped = |stopped: Stopped| LogError::Unavailable(stopped.to_string());
        self.writer.send(request).await.map_err(stopped)?;
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(stopped(Stopped)),
            Err(_) => Err(LogError::Unavailable(format!(
                "{} did not sync within {} s",
                self.disk.path,
                ANSWER_TIMEOUT.as_secs()
            ))),
        }
    }
}

#[async_trait]
impl EventLog for EmbeddedLog {
    fn partitions(&self) -> u32 {
        self.disk.identity.partitions
    }

    fn generation(&self) -> &str {
        &self.disk.identity.generation
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Append(records, reply), answer).await
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Relay(batch, reply), answer).await
    }

    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError> {
        let stored = self
            .disk
            .view()
            .snapshot
            .get(&self.disk.meta, meta::outbox_name(outbox_id));
        match stored.map_err(|error| self.disk.error(error))? {
            Some(bytes) => meta::decode_position(&bytes).map_err(|error| self.disk.corrupt(error)),
            None => Ok(0),
        }
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        if !self.disk.view().has_records(partition, from)? {
            return Ok(ReadBatch {
                records: Vec::new(),
                next: from,
            });
        }
        // Off the threads that serve requests: a read decompresses up to megabytes.
        let disk = Arc::clone(&self.disk);
        let read = tokio::task::spawn_blocking(move || disk.read(partition, from, max_bytes));
        read.await
            .map_err(|error| LogError::Unavailable(format!("a read did not finish: {error}")))?
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        Ok(self.disk.view().offsets())
    }

    async fn changed(&self, seen: &[u64]) {
        self.disk.wait_for_records(seen).await;
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Release(landed.to_vec(), reply), answer)
            .await
    }
}
