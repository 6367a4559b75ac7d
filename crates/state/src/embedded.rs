//! The store in one directory of this machine: fjall keyspaces, one atomic batch per group of commits, synced.
//!
//! Reads see one durable cut: a snapshot that the writer replaces after every sync. Nothing can be read that a power
//! cut could take back, and an idempotency record that is found is a promise that was kept.

mod disk;
mod plan;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fjall::Readable;
use gamepipe_config::state::StateConfig;
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;
use gamepipe_service::batcher::{BatchLimits, Batcher, Stopped};
use gamepipe_service::clock::SharedClock;
use tokio::sync::oneshot;

use self::disk::Disk;
use self::writer::{Request, Writer};
use crate::store::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};
use crate::{encode, format};

/// What the writer takes at once.
const LIMITS: BatchLimits = BatchLimits {
    // Four batches: enough to keep the writer busy, little enough that the last in the queue waits a few syncs only.
    queue: 2048,
    items: 512,
    // Far below the memtables' size, so that a batch never stalls on its own flush.
    weight: 4 << 20,
    tick: Duration::from_secs(1),
};

/// How long a caller waits for the writer's answer. A sync takes milliseconds; a disk that takes this long is down, and
/// the outcome is open.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// The embedded state store. Dropping it finishes what is queued, ends its threads and frees the directory.
pub struct EmbeddedStore {
    writer: Batcher<Request>,
    disk: Arc<Disk>,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("EmbeddedStore")
            .field("path", &self.disk.path)
            .field("outbox_id", &self.disk.identity.outbox_id)
            .finish_non_exhaustive()
    }
}

impl EmbeddedStore {
    /// Opens the store in `config.path`, making it when there is none.
    ///
    /// # Errors
    /// [`StateError::InUse`] when a running process holds the directory, [`StateError::Unavailable`] when it can't be
    /// written, [`StateError::Corrupt`] when what stands there is not a readable store.
    pub fn open(config: &StateConfig, clock: SharedClock) -> Result<Arc<Self>, StateError> {
        let disk = Arc::new(Disk::open(
            Path::new(&config.path),
            config.cache_bytes,
            &*clock,
        )?);
        let writer = Writer::new(Arc::clone(&disk), clock)?;
        let writer = Batcher::start("state-writer", LIMITS, writer).map_err(|error| {
            StateError::Unavailable(format!("can't start the writer thread: {error}"))
        })?;
        Ok(Arc::new(Self { writer, disk }))
    }

    async fn ask<T>(
        &self,
        request: Request,
        answer: oneshot::Receiver<Result<T, StateError>>,
    ) -> Result<T, StateError> {
        let stopped = |stopped: Stopped| StateError::Unavailable(stopped.to_string());
        self.writer.send(request).await.map_err(stopped)?;
        match tokio::time::timeout(ANSWER_TIMEOUT, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(stopped(Stopped)),
            Err(_) => Err(StateError::Unavailable(format!(
                "{} did not sync within {} s",
                self.disk.path,
                ANSWER_TIMEOUT.as_secs()
            ))),
        }
    }

    /// For reads of many entries: off the threads that serve requests.
    async fn read_aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Disk) -> Result<T, StateError> + Send + 'static,
    ) -> Result<T, StateError> {
        let disk = Arc::clone(&self.disk);
        tokio::task::spawn_blocking(move || read(&disk))
            .await
            .map_err(|error| StateError::Unavailable(format!("a read did not finish: {error}")))?
    }
}

#[async_trait]
impl StateStore for EmbeddedStore {
    // On the caller's thread: a point read takes microseconds from memory, and handing it to another thread takes longer.
    async fn load(&self, ids: &[EntityId]) -> Result<Vec<Option<Entity>>, StateError> {
        let view = self.disk.view();
        ids.iter()
            .map(|id| {
                let key = format::entity::encode_key(id).map_err(encode::invalid)?;
                let found = view.snapshot.get(&self.disk.entities, key);
                let Some(bytes) = found.map_err(|error| self.disk.error(error))? else {
                    return Ok(None);
                };
                format::entity::decode_entity(&bytes)
                    .map(Some)
                    .map_err(|error| self.disk.corrupt(error))
            })
            .collect()
    }

    async fn idempotency_record(
        &self,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<IdempotencyRecord>, StateError> {
        let key = format::idempotency::encode_key(key).map_err(encode::invalid)?;
        let found = self.disk.view().snapshot.get(&self.disk.idempotency, key);
        let Some(bytes) = found.map_err(|error| self.disk.error(error))? else {
            return Ok(None);
        };
        let record =
            format::idempotency::decode_record(&bytes).map_err(|error| self.disk.corrupt(error))?;
        Ok((record.expires > now).then_some(record))
    }

    async fn commit(&self, commit: Commit) -> Result<CommitOutcome, StateError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Commit(Box::new(commit), reply), answer)
            .await
    }

    async fn outbox(&self, after: u64, max: usize) -> Result<Vec<OutboxEntry>, StateError> {
        self.read_aside(move |disk| disk.outbox(after, max)).await
    }

    async fn trim_outbox(&self, up_to: u64) -> Result<(), StateError> {
        let (reply, answer) = oneshot::channel();
        self.ask(Request::Trim(up_to, reply), answer).await
    }

    async fn outbox_changed(&self, after: u64) {
        self.disk.wait_for_outbox(after).await;
    }

    async fn outbox_marks(&self) -> Result<OutboxMarks, StateError> {
        Ok(self.disk.view().marks)
    }

    async fn scan(
        &self,
        entity_type: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(EntityId, Entity)>, StateError> {
        let prefix = format::entity::type_prefix(entity_type).map_err(encode::invalid)?;
        let after = after.map(str::to_owned);
        self.read_aside(move |disk| disk.scan(prefix, after.as_deref(), max))
            .await
    }

    fn outbox_id(&self) -> &str {
        &self.disk.identity.outbox_id
    }
}
