//! An event log in memory that keeps the whole contract of the port ([`super::log_contract`] runs the conformance suite over
//! it), forgets what was released as early as it may, and remembers for the test everything that ever was on it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::{
    Appended, EventLog, LogError, LogRecord, OutboxBatch, PartitionOffsets, Position, ReadBatch,
    Record, partition_of,
};
use gamepipe_service::clock::SharedClock;
use tokio::sync::watch;

/// The largest record, in bytes, as in the embedded log.
const MAX_RECORD_BYTES: usize = 8 << 20;
/// What a record takes besides its key and value.
const OVERHEAD_BYTES: u64 = 32;

/// When records go, and how much there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) retention_seconds: u64,
    pub(crate) retention_bytes: u64,
    pub(crate) max_bytes: u64,
    pub(crate) dedupe_seconds: u64,
}

impl Limits {
    /// What was released is gone at once: whoever releases too much loses it.
    pub(crate) const FORGETFUL: Self = Self {
        retention_seconds: 0,
        retention_bytes: 0,
        max_bytes: u64::MAX,
        dedupe_seconds: 0,
    };
}

/// The log.
#[derive(Debug)]
pub(crate) struct MemoryLog {
    generation: String,
    limits: Limits,
    clock: SharedClock,
    state: Mutex<State>,
    appended: watch::Sender<u64>,
}

#[derive(Debug, Clone, Default)]
struct State {
    partitions: Vec<Partition>,
    /// Event id -> when it was appended.
    ids: HashMap<String, i64>,
    outboxes: HashMap<String, u64>,
}

#[derive(Debug, Clone, Default)]
struct Partition {
    low: u64,
    released: u64,
    kept: VecDeque<Option<LogRecord>>,
    /// Everything that ever was here; `None` for an offset without a record.
    ever: Vec<Option<Bytes>>,
}

impl Partition {
    fn high(&self) -> u64 {
        self.low + self.kept.len() as u64
    }

    fn bytes(&self) -> u64 {
        self.kept.iter().map(size).sum()
    }

    fn landed_bytes(&self) -> u64 {
        let landed = usize::try_from(self.released - self.low).unwrap_or(0);
        self.kept.iter().take(landed).map(size).sum()
    }
}

fn size(record: &Option<LogRecord>) -> u64 {
    let bytes = record
        .as_ref()
        .map_or(0, |record| record.key.len() + record.value.len());
    bytes as u64 + OVERHEAD_BYTES
}

impl MemoryLog {
    pub(crate) fn new(
        generation: &str,
        partitions: u32,
        limits: Limits,
        clock: SharedClock,
    ) -> Self {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        Self {
            generation: generation.to_owned(),
            limits,
            clock,
            state: Mutex::new(State {
                partitions,
                ..State::default()
            }),
            appended: watch::Sender::new(0),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Another log with the same content.
    pub(crate) fn copy(&self) -> Self {
        self.altered(&self.generation, |_| {})
    }

    /// A log of another generation with the same content.
    pub(crate) fn made_anew(&self) -> Self {
        self.altered("made anew", |_| {})
    }

    /// The log without the last offset of each partition, and without what was before it.
    pub(crate) fn without_its_end(&self) -> Self {
        self.altered(&self.generation, |partition| {
            partition.kept.clear();
            partition.low = (partition.ever.len() as u64).saturating_sub(1);
            partition.released = partition.low;
        })
    }

    /// The log as if records that came after the last had been there, and gone before anybody read them.
    pub(crate) fn with_a_gap(&self) -> Self {
        self.altered(&self.generation, |partition| {
            partition.kept.clear();
            partition.low = partition.ever.len() as u64 + 1;
        })
    }

    fn altered(&self, generation: &str, change: impl Fn(&mut Partition)) -> Self {
        let mut state = self.state().clone();
        state.partitions.iter_mut().for_each(change);
        Self {
            generation: generation.to_owned(),
            limits: self.limits,
            clock: self.clock.clone(),
            state: Mutex::new(state),
            appended: watch::Sender::new(0),
        }
    }

    /// Takes an offset without a record, as the end of a transaction does.
    pub(crate) fn push_hole(&self, partition: u32) {
        if let Some(partition) = self.state().partitions.get_mut(partition as usize) {
            partition.kept.push_back(None);
            partition.ever.push(None);
        }
        self.appended.send_modify(|count| *count += 1);
    }

    /// By partition: every value that ever was on the log, by offset.
    pub(crate) fn ever(&self) -> Vec<Vec<Option<Bytes>>> {
        let state = self.state();
        state.partitions.iter().map(|p| p.ever.clone()).collect()
    }

    pub(crate) fn highs(&self) -> Vec<u64> {
        let state = self.state();
        state.partitions.iter().map(Partition::high).collect()
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    fn push(&self, state: &mut State, record: Record) -> Position {
        let count = u32::try_from(state.partitions.len()).unwrap_or(1);
        let number = partition_of(&record.key, count);
        let partition = &mut state.partitions[number as usize];
        let offset = partition.high();
        partition.ever.push(Some(record.value.clone()));
        partition.kept.push_back(Some(LogRecord {
            offset,
            appended: self.now(),
            key: Bytes::from(record.key),
            value: record.value,
        }));
        Position {
            partition: number,
            offset,
        }
    }

    /// Refuses what no log takes, and what does not fit.
    fn check_room(&self, state: &mut State, records: &[Record]) -> Result<(), LogError> {
        let sizes = records.iter().map(|record| record.value.len());
        if sizes.clone().any(|size| size > MAX_RECORD_BYTES) {
            return Err(LogError::Invalid("a record is too large".to_owned()));
        }
        let keys = records.iter().map(|record| record.key.len());
        let incoming: u64 = sizes
            .zip(keys)
            .map(|(value, key)| (value + key) as u64 + OVERHEAD_BYTES)
            .sum();
        self.retain(state, incoming);
        let used = incoming + state.partitions.iter().map(Partition::bytes).sum::<u64>();
        let limit = self.limits.max_bytes;
        if used > limit {
            return Err(LogError::Full { used, limit });
        }
        Ok(())
    }

    /// Lets go of what was released and is old, or too much; the oldest first.
    fn retain(&self, state: &mut State, incoming: u64) {
        let limits = self.limits;
        let sum = |state: &State, bytes: fn(&Partition) -> u64| -> u64 {
            state.partitions.iter().map(bytes).sum()
        };
        let (mut landed, mut all) = (
            sum(state, Partition::landed_bytes),
            sum(state, Partition::bytes).saturating_add(incoming),
        );
        let oldest_kept =
            self.now().micros() - i64::try_from(limits.retention_seconds).unwrap_or(0) * 1_000_000;
        loop {
            let with_landed = state.partitions.iter_mut().filter(|p| p.released > p.low);
            let age = |partition: &Partition| match partition.kept.front() {
                Some(Some(record)) => record.appended.micros(),
                _ => i64::MIN,
            };
            let Some(oldest) = with_landed.min_by_key(|partition| age(partition)) else {
                return;
            };
            let is_due = age(oldest) < oldest_kept
                || landed > limits.retention_bytes
                || all > limits.max_bytes;
            if !is_due {
                return;
            }
            let bytes = oldest.kept.pop_front().as_ref().map_or(0, size);
            oldest.low += 1;
            landed -= bytes;
            all -= bytes;
        }
    }
}

#[async_trait]
impl EventLog for MemoryLog {
    fn partitions(&self) -> u32 {
        u32::try_from(self.state().partitions.len()).unwrap_or(0)
    }

    fn generation(&self) -> &str {
        &self.generation
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        let mut state = self.state();
        self.check_room(&mut state, &records)?;
        let now = self.now().micros();
        let window = i64::try_from(self.limits.dedupe_seconds).unwrap_or(0) * 1_000_000;
        let mut appended = Vec::with_capacity(records.len());
        let mut own = HashSet::new();
        for record in records {
            if let Some(id) = &record.dedupe_id {
                let is_known = state.ids.get(id).is_some_and(|at| now - at < window);
                if is_known || !own.insert(id.clone()) {
                    appended.push(Appended::Duplicate);
                    continue;
                }
                state.ids.insert(id.clone(), now);
            }
            appended.push(Appended::At(self.push(&mut state, record)));
        }
        drop(state);
        self.appended.send_modify(|count| *count += 1);
        Ok(appended)
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        let mut state = self.state();
        let known = state.outboxes.get(&batch.outbox_id).copied().unwrap_or(0);
        if batch.first == 0 || batch.first > known + 1 {
            return Err(LogError::Invalid(format!(
                "outbox {} sends entries from {} on, but the log has it up to {known} only",
                batch.outbox_id, batch.first
            )));
        }
        let skip = usize::try_from(known + 1 - batch.first).unwrap_or(usize::MAX);
        let new: Vec<Record> = batch.records.into_iter().skip(skip).collect();
        self.check_room(&mut state, &new)?;
        let position = known + new.len() as u64;
        for record in new {
            self.push(&mut state, record);
        }
        state.outboxes.insert(batch.outbox_id, position);
        drop(state);
        self.appended.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError> {
        Ok(self.state().outboxes.get(outbox_id).copied().unwrap_or(0))
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        let state = self.state();
        let Some(found) = state.partitions.get(partition as usize) else {
            return Err(LogError::Invalid(format!(
                "there is no partition {partition}"
            )));
        };
        if from < found.low || from > found.high() {
            return Err(LogError::OutOfRange {
                partition,
                asked: from,
                low: found.low,
                high: found.high(),
            });
        }
        let mut read = ReadBatch {
            records: Vec::new(),
            next: from,
        };
        let mut bytes = 0;
        let skip = usize::try_from(from - found.low).unwrap_or(usize::MAX);
        for record in found.kept.iter().skip(skip) {
            if bytes >= max_bytes.max(1) {
                break;
            }
            if let Some(record) = record {
                bytes += record.value.len() + 1;
                read.records.push(record.clone());
            }
            read.next += 1;
        }
        Ok(read)
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        let mut state = self.state();
        self.retain(&mut state, 0);
        let offsets = (0..).zip(&state.partitions);
        Ok(offsets
            .map(|(partition, found)| PartitionOffsets {
                partition,
                low: found.low,
                high: found.high(),
            })
            .collect())
    }

    async fn changed(&self, seen: &[u64]) {
        let mut appended = self.appended.subscribe();
        loop {
            appended.mark_unchanged();
            if self
                .highs()
                .iter()
                .zip(seen)
                .any(|(high, seen)| high > seen)
            {
                return;
            }
            if appended.changed().await.is_err() {
                return;
            }
        }
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        let mut state = self.state();
        let fits = landed.len() == state.partitions.len()
            && state
                .partitions
                .iter()
                .zip(landed)
                .all(|(p, to)| *to <= p.high());
        if !fits {
            return Err(LogError::Invalid(format!("{landed:?} can't have landed")));
        }
        for (partition, to) in state.partitions.iter_mut().zip(landed) {
            partition.released = partition.released.max(*to);
        }
        self.retain(&mut state, 0);
        Ok(())
    }
}
