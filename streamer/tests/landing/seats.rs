//! Several processes' places at one log in memory, with shares of the partitions that a test hands out.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, Membership, OutboxBatch, PartitionOffsets, ReadBatch, Record,
    Share,
};
use tokio::sync::watch;

use crate::memory_log::MemoryLog;

/// Who has which partitions, by seat; and what the seats have said.
#[derive(Debug)]
pub(crate) struct Group {
    shares: watch::Sender<(u64, Vec<Vec<u32>>)>,
    settled: Mutex<Vec<u64>>,
    left: Mutex<Vec<bool>>,
}

impl Group {
    pub(crate) fn new(shares: &[&[u32]]) -> Arc<Self> {
        Arc::new(Self {
            shares: watch::Sender::new((1, owned(shares))),
            settled: Mutex::new(vec![0; shares.len()]),
            left: Mutex::new(vec![false; shares.len()]),
        })
    }

    /// Hands out new shares; returns their turn.
    pub(crate) fn hand_out(&self, shares: &[&[u32]]) -> u64 {
        self.shares.send_modify(|current| {
            current.0 += 1;
            current.1 = owned(shares);
        });
        self.shares.borrow().0
    }

    /// The turn of which a seat has said that nothing older is worked on.
    pub(crate) fn settled(&self, seat: usize) -> u64 {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)[seat]
    }

    pub(crate) fn has_left(&self, seat: usize) -> bool {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)[seat]
    }
}

fn owned(shares: &[&[u32]]) -> Vec<Vec<u32>> {
    shares.iter().map(|share| share.to_vec()).collect()
}

/// One process's place.
#[derive(Debug, Clone)]
pub(crate) struct Seat {
    log: Arc<MemoryLog>,
    group: Arc<Group>,
    number: usize,
}

impl Seat {
    pub(crate) fn new(log: &Arc<MemoryLog>, group: &Arc<Group>, number: usize) -> Self {
        Self {
            log: Arc::clone(log),
            group: Arc::clone(group),
            number,
        }
    }
}

#[async_trait]
impl Membership for Seat {
    fn share(&self) -> Share {
        let shares = self.group.shares.borrow();
        Share {
            turn: shares.0,
            partitions: shares.1[self.number].clone(),
        }
    }

    async fn changed(&self, turn: u64) {
        let mut shares = self.group.shares.subscribe();
        let _ = shares.wait_for(|shares| shares.0 > turn).await;
    }

    fn settled(&self, turn: u64) {
        let mut settled = self
            .group
            .settled
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        settled[self.number] = turn;
    }

    async fn leave(&self) {
        let mut left = self
            .group
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        left[self.number] = true;
    }
}

#[async_trait]
impl EventLog for Seat {
    fn partitions(&self) -> u32 {
        self.log.partitions()
    }

    fn generation(&self) -> &str {
        self.log.generation()
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        self.log.append(records).await
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
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
        self.log.read(partition, from, max_bytes).await
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        self.log.offsets().await
    }

    async fn changed(&self, seen: &[u64]) {
        EventLog::changed(self.log.as_ref(), seen).await;
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        self.log.release(landed).await
    }

    async fn join(&self) -> Result<Arc<dyn Membership>, LogError> {
        Ok(Arc::new(self.clone()))
    }
}
