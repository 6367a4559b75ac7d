//! An event log in memory, for tests: what is appended is there, in order, for as long as the process lives.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, LogRecord, OutboxBatch, PartitionOffsets, Position, ReadBatch,
    Record, partition_of,
};
use tokio::sync::{oneshot, watch};

/// When every record of a [`MemoryLog`] was appended: 2026-01-02T03:04:05Z.
pub(crate) const APPENDED: Timestamp = Timestamp::from_micros(1_767_323_045_000_000);

/// The log.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    generation: String,
    partitions: Mutex<Vec<Partition>>,
    appended: watch::Sender<u64>,
    released: Mutex<Vec<u64>>,
    read_records: usize,
    trouble: Mutex<Option<oneshot::Receiver<()>>>,
}

#[derive(Debug, Default)]
struct Partition {
    low: u64,
    // An offset without a record is one that the log took for itself.
    records: Vec<Option<(Bytes, Bytes)>>,
}

impl MemoryLog {
    pub(crate) fn new(generation: &str, partitions: u32) -> Self {
        Self {
            generation: generation.to_owned(),
            partitions: Mutex::new((0..partitions).map(|_| Partition::default()).collect()),
            appended: watch::Sender::new(0),
            released: Mutex::new(vec![0; partitions as usize]),
            read_records: usize::MAX,
            trouble: Mutex::default(),
        }
    }

    /// Gives at most this many records at a time.
    pub(crate) fn giving_at_most(self, read_records: usize) -> Self {
        Self {
            read_records,
            ..self
        }
    }

    /// Has the next read fail, when this comes.
    pub(crate) fn fail_at(&self, moment: oneshot::Receiver<()>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(moment);
    }

    /// True until a read has met what [`Self::fail_at`] has set up.
    pub(crate) fn is_to_fail(&self) -> bool {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.is_some()
    }

    fn take_trouble(&self) -> Option<oneshot::Receiver<()>> {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.take()
    }

    /// Appends a record to the partition of its key.
    pub(crate) fn push(&self, key: &str, value: impl Into<Bytes>) -> Position {
        let mut partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let number = partition_of(key, u32::try_from(partitions.len()).unwrap_or(1));
        let partition = &mut partitions[number as usize];
        partition
            .records
            .push(Some((Bytes::copy_from_slice(key.as_bytes()), value.into())));
        let offset = partition.low + partition.records.len() as u64 - 1;
        drop(partitions);
        self.appended.send_modify(|count| *count += 1);
        Position {
            partition: number,
            offset,
        }
    }

    /// Takes an offset of a partition without a record, as the end of a transaction does.
    pub(crate) fn push_hole(&self, partition: u32) {
        let mut partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        partitions[partition as usize].records.push(None);
        drop(partitions);
        self.appended.send_modify(|count| *count += 1);
    }

    /// Forgets the first records of a partition, as retention does.
    pub(crate) fn forget(&self, partition: u32, records: usize) {
        let mut partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let partition = &mut partitions[partition as usize];
        partition.records.drain(..records);
        partition.low += records as u64;
    }

    /// What landing has released, by partition.
    pub(crate) fn released(&self) -> Vec<u64> {
        self.released
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn partitions(&self) -> u32 {
        u32::try_from(
            self.partitions
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .len(),
        )
        .unwrap_or(0)
    }

    fn generation(&self) -> &str {
        &self.generation
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        Ok(records
            .into_iter()
            .map(|record| Appended::At(self.push(&record.key, record.value)))
            .collect())
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        self.append(batch.records).await.map(|_| ())
    }

    async fn outbox_position(&self, _outbox_id: &str) -> Result<u64, LogError> {
        Ok(0)
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        if let Some(moment) = self.take_trouble() {
            let _ = moment.await;
            return Err(LogError::Unavailable("no broker answers".to_owned()));
        }
        let partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let found = &partitions[partition as usize];
        let high = found.low + found.records.len() as u64;
        if from < found.low || from > high {
            return Err(LogError::OutOfRange {
                partition,
                asked: from,
                low: found.low,
                high,
            });
        }
        let mut left = max_bytes;
        let mut next = from;
        let mut records = Vec::new();
        for record in found.records.iter().skip((from - found.low) as usize) {
            if records.len() == self.read_records || left == 0 {
                break;
            }
            if let Some((key, value)) = record {
                left = left.saturating_sub(value.len());
                records.push(LogRecord {
                    offset: next,
                    appended: APPENDED,
                    key: key.clone(),
                    value: value.clone(),
                });
            }
            next += 1;
        }
        Ok(ReadBatch { records, next })
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        let partitions = self
            .partitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        Ok((0..)
            .zip(partitions.iter())
            .map(|(partition, found)| PartitionOffsets {
                partition,
                low: found.low,
                high: found.low + found.records.len() as u64,
            })
            .collect())
    }

    async fn changed(&self, seen: &[u64]) {
        let mut appended = self.appended.subscribe();
        appended.mark_unchanged();
        if self
            .offsets()
            .await
            .is_ok_and(|now| now.iter().zip(seen).any(|(now, seen)| now.high > *seen))
        {
            return;
        }
        let _ = appended.changed().await;
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        *self.released.lock().unwrap_or_else(PoisonError::into_inner) = landed.to_vec();
        Ok(())
    }
}
