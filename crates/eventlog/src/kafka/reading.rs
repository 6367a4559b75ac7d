//! The client that reads what is committed. One that has fallen silent, though the brokers answer others, is replaced.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientConfig;
use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaResult;

use super::clients::{Consume, drop_when_unused};
use super::context::Context;
use super::place::Place;

/// How much of a partition one answer brings at most; more only delays the first record of it.
const MAX_FETCH_BYTES: usize = 1 << 20;

/// And at least, however small the settings are: an answer has a cost of its own.
const MIN_FETCH_BYTES: usize = 64 << 10;

/// A client is replaced once in this time at most: each has threads and connections until it has ended, which one that hangs may never do.
const REPLACED_EVERY: Duration = Duration::from_secs(60);

/// The client that reads. It is asked nothing and tells nothing: brokers answer a connection's requests in turn, and one that waits for records holds up those
/// behind it; and librdkafka begins to read no partition while it has offsets to commit.
pub(super) struct ReadingClient {
    config: ClientConfig,
    topic: String,
    timeout: Duration,
    context: Context,
    current: Mutex<Current>,
}

struct Current {
    client: Arc<Consume>,
    replaced: Option<Instant>,
}

impl ReadingClient {
    /// Makes it. `partitions` is how many share the memory for reading ahead.
    pub(super) fn new(place: &Place, context: &Context, partitions: u32) -> KafkaResult<Self> {
        let config = config(place, partitions);
        let client = config.create_with_context(context.beside())?;
        Ok(Self {
            config,
            topic: place.topic.clone(),
            timeout: place.timeout,
            context: context.beside(),
            current: Mutex::new(Current {
                client: Arc::new(client),
                replaced: None,
            }),
        })
    }

    /// The one that reads now.
    pub(super) fn client(&self) -> Arc<Consume> {
        Arc::clone(&self.lock().client)
    }

    /// True for the one that reads now.
    pub(super) fn is_current(&self, client: &Arc<Consume>) -> bool {
        Arc::ptr_eq(&self.lock().client, client)
    }

    /// Looks where the partitions are before they are read: a consumer that learns of a topic later waits a second for it. Blocks.
    pub(super) fn prepare(&self) -> KafkaResult<()> {
        let found = self
            .client()
            .fetch_metadata(Some(&self.topic), self.timeout);
        found.map(|_| ())
    }

    /// Puts a new client in the place of one that has fallen silent, unless that was done a short while ago; true when it was done. What the old
    /// one reads still is to be given to the new one; it ends when nothing is left of it. Blocks.
    pub(super) fn replace(&self, silent: &Arc<Consume>) -> KafkaResult<bool> {
        let mut current = self.lock();
        let is_recent = current
            .replaced
            .is_some_and(|at| at.elapsed() < REPLACED_EVERY);
        if is_recent || !Arc::ptr_eq(&current.client, silent) {
            return Ok(false);
        }
        let client = self.config.create_with_context(self.context.beside())?;
        let old = std::mem::replace(&mut current.client, Arc::new(client));
        current.replaced = Some(Instant::now());
        drop(current);
        drop_when_unused(old);
        self.prepare()?;
        Ok(true)
    }

    fn lock(&self) -> MutexGuard<'_, Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn config(place: &Place, partitions: u32) -> ClientConfig {
    let share = place.prefetch_bytes / (partitions.max(1) as usize);
    let fetch = (share / 2).clamp(MIN_FETCH_BYTES, MAX_FETCH_BYTES);
    let mut config = place.consumer();
    config
        .set("fetch.message.max.bytes", fetch.to_string())
        .set(
            "queued.max.messages.kbytes",
            (share / 1024).max(1).to_string(),
        )
        // The bytes are the limit.
        .set("queued.min.messages", "1000000")
        // A reader that has emptied its queue does not wait a second for the next records.
        .set("fetch.queue.backoff.ms", "5")
        .set("fetch.error.backoff.ms", "100")
        // Partitions of a broker share one request that waits for records, and one that is read anew waits for its end.
        .set("fetch.wait.max.ms", "50");
    config
}
