//! Reading partitions: each that is read has a queue that librdkafka fills ahead; a read that goes on where the last one ended
//! only empties it.

mod cursor;
mod partition;
mod records;
mod repeats;
mod silence;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::watch;

use self::cursor::{Cursor, LOOK_BACK};
use self::partition::{Fetched, Partition, Slot};
use self::records::Records;
use self::silence::Silence;
use super::clients::Clients;
use super::context::take_end;
use super::problem::is_passing;
use crate::log::{LogError, PartitionOffsets, ReadBatch};

/// A partition that nobody reads for this long gives its memory back; its next read takes a few milliseconds more.
const IDLE: Duration = Duration::from_secs(60);

/// How often records are looked for that must come. The library's own wait ends by the wall clock.
const PAUSE: Duration = Duration::from_millis(1);

/// To go forward by less than this many records, reading them is quicker than fetching anew.
const SKIP: u64 = 1000;

/// Reads partitions and knows their ends.
#[derive(Debug)]
pub(super) struct Reader {
    clients: Arc<Clients>,
    partitions: Vec<Partition>,
    /// Counts whenever records may have come.
    news: watch::Sender<u64>,
}

impl Reader {
    /// A reader of so many partitions.
    pub(super) fn new(clients: Arc<Clients>, partitions: u32) -> Self {
        Self {
            clients,
            partitions: (0..partitions).map(|_| Partition::default()).collect(),
            news: watch::Sender::new(0),
        }
    }

    /// How many partitions there are.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.partitions.len()).unwrap_or(u32::MAX)
    }

    /// Notes that this process has appended a record.
    pub(super) fn note_written(&self, partition: u32, offset: u64) {
        if let Some(partition) = self.partitions.get(partition as usize) {
            partition.written.fetch_max(offset + 1, Ordering::AcqRel);
        }
    }

    /// Notes that a transaction of this process that has a record there has committed.
    pub(super) fn note_committed(&self, partition: u32, offset: u64) {
        self.note_written(partition, offset);
        if let Some(partition) = self.partitions.get(partition as usize) {
            partition.committed.fetch_max(offset + 1, Ordering::AcqRel);
        }
    }

    /// True when these highs have all that this process has committed. Brokers show it a moment after they have promised it.
    pub(super) fn shows_own(&self, offsets: &[PartitionOffsets]) -> bool {
        let mut pairs = self.partitions.iter().zip(offsets);
        pairs
            .all(|(partition, offsets)| offsets.high >= partition.committed.load(Ordering::Acquire))
    }

    /// Up to where this process knows that the log reaches.
    pub(super) fn written(&self) -> Vec<u64> {
        let written = |partition: &Partition| {
            let stable = partition.stable.load(Ordering::Acquire);
            partition.written.load(Ordering::Acquire).max(stable)
        };
        self.partitions.iter().map(written).collect()
    }

    /// Up to where each partition is known to be committed.
    pub(super) fn stable(&self) -> Vec<u64> {
        let stable = |partition: &Partition| partition.stable.load(Ordering::Acquire);
        self.partitions.iter().map(stable).collect()
    }

    /// The usual size of a record, in bytes, as far as it was seen.
    pub(super) fn usual_bytes(&self) -> Option<u64> {
        let sum = |of: fn(&Partition) -> &AtomicU64| -> u64 {
            self.partitions
                .iter()
                .map(|partition| of(partition).load(Ordering::Relaxed))
                .sum()
        };
        sum(|partition| &partition.bytes).checked_div(sum(|partition| &partition.records))
    }

    /// Says that records may have come.
    pub(super) fn wake(&self) {
        self.news
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Changes whenever records may have come.
    pub(super) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Asks for the highs of all partitions. Blocks.
    pub(super) fn highs(&self) -> Result<Vec<u64>, LogError> {
        let highs = self.clients.stable_highs(self.count())?;
        for (partition, high) in self.partitions.iter().zip(&highs) {
            partition.stable.fetch_max(*high, Ordering::AcqRel);
        }
        Ok(highs)
    }

    /// Asks for the offsets of all partitions. Blocks.
    pub(super) fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        let lows = self.clients.lows(self.count())?;
        let highs = self.highs()?;
        let mut offsets = Vec::with_capacity(lows.len());
        for (((number, partition), low), high) in (0..).zip(&self.partitions).zip(lows).zip(highs) {
            partition.low.fetch_max(low, Ordering::AcqRel);
            offsets.push(PartitionOffsets {
                partition: number,
                low,
                high,
            });
        }
        Ok(offsets)
    }

    /// [`crate::EventLog::read`]. Blocks.
    pub(super) fn read(
        &self,
        number: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        let Some(partition) = self.partitions.get(number as usize) else {
            return Err(LogError::Invalid(format!(
                "there is no partition {number}: the log has {}",
                self.partitions.len()
            )));
        };
        let mut slot = lock(&partition.slot);
        let at = slot.cursor.at;
        let is_read = self.is_read(&slot);
        if !is_read || at != from {
            self.check_range(number, partition, from)?;
            if is_read && (at..at + SKIP).contains(&from) {
                // What is in between is in the queue, or comes; it is passed over.
                slot.cursor.at = from;
                slot.cursor.has_ended = false;
            } else {
                self.begin(number, &mut slot, from)?;
            }
        }
        let taken = self.take(number, partition, &mut slot, max_bytes);
        slot.used = Some(Instant::now());
        if taken.is_err() {
            // Where the queue stands is not known any more; the next read begins anew.
            self.stop(number, &mut slot);
        }
        taken
    }

    /// True when the partition is read, and by the client that reads now.
    fn is_read(&self, slot: &Slot) -> bool {
        let fetched = slot.fetched.as_ref();
        fetched.is_some_and(|fetched| self.clients.reading.is_current(&fetched.client))
    }

    /// True when this record was lately passed over, as one that was there already.
    pub(super) fn has_passed_over(&self, number: u32, offset: u64, crc: u32) -> bool {
        let partition = self.partitions.get(number as usize);
        partition.is_some_and(|partition| lock(&partition.slot).cursor.has_passed_over(offset, crc))
    }

    fn check_range(&self, number: u32, partition: &Partition, from: u64) -> Result<(), LogError> {
        let is_known = from >= partition.low.load(Ordering::Acquire)
            && from <= partition.stable.load(Ordering::Acquire);
        if is_known {
            return Ok(());
        }
        self.check_offsets(number, from)
    }

    /// Asks whether the log has this offset.
    fn check_offsets(&self, number: u32, from: u64) -> Result<(), LogError> {
        let offsets = self.offsets()?;
        match offsets.get(number as usize) {
            Some(known) if from < known.low || from > known.high => Err(LogError::OutOfRange {
                partition: number,
                asked: from,
                low: known.low,
                high: known.high,
            }),
            _ => Ok(()),
        }
    }

    /// Has the partition fetched from this offset on, and from a little before it.
    fn begin(&self, number: u32, slot: &mut Slot, from: u64) -> Result<(), LogError> {
        self.stop(number, slot);
        let clients = &self.clients;
        let lows = clients.lows(self.count())?;
        let low = lows.get(number as usize).copied().unwrap_or(from);
        let begins = from.saturating_sub(LOOK_BACK).max(low).min(from);
        let fail = |error: KafkaError| clients.explain(&format!("read partition {number}"), &error);
        let topic = &clients.place.topic;
        let partition = i32::try_from(number).unwrap_or(-1);
        // The queue is taken before anything is in it: what is in it goes where it was sent.
        let client = clients.reading.client();
        let Some(mut queue) = client.split_partition_queue(topic, partition) else {
            return Err(fail(KafkaError::Canceled));
        };
        let news = self.news.clone();
        queue.set_nonempty_callback(move || {
            news.send_modify(|count| *count = count.wrapping_add(1))
        });
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(topic, partition, Offset::Offset(offset_of(begins)))
            .and_then(|()| client.incremental_assign(&list))
            .map_err(fail)?;
        slot.fetched = Some(Fetched { queue, client });
        slot.cursor = Cursor::new(begins, from);
        Ok(())
    }

    fn stop(&self, number: u32, slot: &mut Slot) {
        let Some(Fetched { queue, client }) = slot.fetched.take() else {
            return;
        };
        drop(queue);
        let mut list = TopicPartitionList::new();
        list.add_partition(
            &self.clients.place.topic,
            i32::try_from(number).unwrap_or(-1),
        );
        if let Err(error) = client.incremental_unassign(&list) {
            tracing::debug!(%error, log.partition = number, "a partition is not read any more, and wasn't before");
        }
    }

    fn take(
        &self,
        number: u32,
        partition: &Partition,
        slot: &mut Slot,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        let Slot {
            fetched, cursor, ..
        } = slot;
        let Some(Fetched { queue, .. }) = fetched else {
            return Err(self
                .clients
                .explain(&format!("read partition {number}"), &KafkaError::Canceled));
        };
        let deadline = Instant::now() + self.clients.place.timeout;
        let mut records = Records::default();
        // What is committed up to here must come, or that there is nothing of it.
        let mut due = partition.stable.load(Ordering::Acquire);
        let mut has_asked = false;
        let mut trouble = None;
        let is_silent = loop {
            let is_enough = !records.is_empty() || (cursor.has_ended && cursor.at >= due);
            match queue.poll(Duration::ZERO) {
                Some(Ok(message)) => {
                    if let Some(value) = cursor.meets(number, &message) {
                        records.push(&message, value);
                    }
                    if records.bytes() >= max_bytes {
                        break false;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    // More may be on its way; or the log was cut, and what comes before is all that there is.
                    if take_end().is_some_and(|end| !cursor.ends(end)) {
                        self.check_offsets(number, cursor.at)?;
                    }
                }
                Some(Err(error)) if is_passing(&error) => trouble = Some(error),
                Some(Err(error)) => return Err(self.read_error(number, cursor.at, &error)),
                None if is_enough && has_asked => break false,
                None if is_enough => {
                    let is_behind = cursor.at < partition.written.load(Ordering::Acquire);
                    if !records.is_empty() || !is_behind {
                        break false;
                    }
                    // This process has appended more, after the end was told: it may be committed by now.
                    has_asked = true;
                    due = self.highs()?.get(number as usize).copied().unwrap_or(due);
                }
                None if Instant::now() >= deadline => break true,
                None => std::thread::sleep(PAUSE),
            }
        };
        if is_silent {
            self.hear_nothing(number, partition, slot, Silence { due, trouble })?;
        } else {
            slot.silences = 0;
        }
        let cursor = &slot.cursor;
        partition.stable.fetch_max(cursor.at, Ordering::AcqRel);
        partition
            .bytes
            .fetch_add(records.bytes() as u64, Ordering::Relaxed);
        partition
            .records
            .fetch_add(records.count() as u64, Ordering::Relaxed);
        Ok(records.into_batch(cursor.at))
    }

    /// What it means that a partition can't be read from `at` on.
    fn read_error(&self, number: u32, at: u64, error: &KafkaError) -> LogError {
        let code = error.rdkafka_error_code();
        let is_outside = matches!(
            code,
            Some(RDKafkaErrorCode::OffsetOutOfRange | RDKafkaErrorCode::AutoOffsetReset)
        );
        if is_outside
            && let Ok(offsets) = self.offsets()
            && let Some(known) = offsets.get(number as usize)
            // Otherwise it was what lies before it that retention has taken meanwhile; it is read anew.
            && !(known.low..=known.high).contains(&at)
        {
            return LogError::OutOfRange {
                partition: number,
                asked: at,
                low: known.low,
                high: known.high,
            };
        }
        self.clients
            .explain(&format!("read partition {number}"), error)
    }

    /// Gives back the memory of partitions that nobody reads.
    pub(super) fn tidy(&self) {
        for (number, partition) in (0..).zip(&self.partitions) {
            // One that is locked is being read.
            let Ok(mut slot) = partition.slot.try_lock() else {
                continue;
            };
            if slot.used.is_some_and(|used| used.elapsed() > IDLE) {
                self.stop(number, &mut slot);
                slot.used = None;
            }
        }
    }

    /// Stops all reading.
    pub(super) fn close(&self) {
        for (number, partition) in (0..).zip(&self.partitions) {
            self.stop(number, &mut lock(&partition.slot));
        }
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

fn offset_of(at: u64) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}
