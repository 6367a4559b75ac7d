//! Places at the one log: a process's view of it, with the share of the partitions that the test hands out, and with errors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, Membership, OutboxBatch, PartitionOffsets, ReadBatch, Record,
    Share,
};
use tokio::sync::watch;

use crate::chance::{Heat, mixed};
use crate::log::MemoryLog;

/// One call in so many of the log fails while faults are on.
const ONE_IN: u64 = 40;

/// Who has which partitions. Shares may overlap, and a process that was not told believes in its old one: membership fences
/// nothing.
#[derive(Debug, Default)]
pub(crate) struct Group {
    seats: Mutex<BTreeMap<u64, watch::Sender<Share>>>,
}

impl Group {
    /// A new seat, with nothing yet.
    pub(crate) fn sit(&self) -> u64 {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let number = seats.last_key_value().map_or(0, |(last, _)| last + 1);
        seats.insert(
            number,
            watch::Sender::new(Share {
                turn: 1,
                partitions: Vec::new(),
            }),
        );
        number
    }

    /// Tells a seat of its new share, if it is another one.
    pub(crate) fn hand_out(&self, seat: u64, partitions: Vec<u32>) {
        self.share_of(seat).send_if_modified(|share| {
            if share.partitions == partitions {
                return false;
            }
            share.turn += 1;
            share.partitions = partitions;
            true
        });
    }

    fn share_of(&self, seat: u64) -> watch::Sender<Share> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        seats[&seat].clone()
    }
}

/// One process's place.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    log: Arc<MemoryLog>,
    share: watch::Sender<Share>,
    heat: Heat,
    seed: u64,
    calls: Arc<AtomicU64>,
    /// How many bytes a read gives at most, whatever was asked for.
    slice: usize,
}

impl Seat {
    pub(crate) fn new(
        log: &Arc<MemoryLog>,
        group: &Group,
        number: u64,
        heat: &Heat,
        seed: u64,
    ) -> Self {
        Self {
            log: Arc::clone(log),
            share: group.share_of(number),
            heat: heat.clone(),
            seed,
            calls: Arc::default(),
            slice: [1, 300, 1 << 20][(mixed(seed) % 3) as usize],
        }
    }

    /// Gives one record at a time.
    pub(crate) fn one_by_one(self) -> Self {
        Self { slice: 1, ..self }
    }

    /// True when this call fails.
    fn fails(&self) -> bool {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.heat.is_on() && mixed(self.seed ^ mixed(call)).is_multiple_of(ONE_IN)
    }

    fn check(&self) -> Result<(), LogError> {
        match self.fails() {
            true => Err(LogError::Unavailable("a fault of the test".to_owned())),
            false => Ok(()),
        }
    }
}

#[async_trait]
impl Membership for Seat {
    fn share(&self) -> Share {
        self.share.borrow().clone()
    }

    async fn changed(&self, turn: u64) {
        let mut share = self.share.subscribe();
        let _ = share.wait_for(|share| share.turn > turn).await;
    }

    fn settled(&self, _turn: u64) {}

    async fn leave(&self) {}
}

#[async_trait]
impl EventLog for Seat {
    fn partitions(&self) -> u32 {
        self.log.partitions()
    }

    fn generation(&self) -> &str {
        self.log.generation()
    }

    /// An error leaves the outcome open: half of the failed calls have appended all the same.
    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        if self.fails() {
            if records.len().is_multiple_of(2) {
                self.log.append(records).await?;
            }
            return Err(LogError::Unavailable("a fault of the test".to_owned()));
        }
        self.log.append(records).await
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        self.check()?;
        self.log.append_from_outbox(batch).await
    }

    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError> {
        self.log.outbox_position(outbox_id).await
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        self.check()?;
        self.log
            .read(partition, from, max_bytes.min(self.slice))
            .await
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        self.check()?;
        self.log.offsets().await
    }

    async fn changed(&self, seen: &[u64]) {
        EventLog::changed(self.log.as_ref(), seen).await;
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        self.check()?;
        self.log.release(landed).await
    }

    async fn join(&self) -> Result<Arc<dyn Membership>, LogError> {
        self.check()?;
        Ok(Arc::new(self.clone()))
    }
}
