//! What a group of appends will do, before any of it is done: duplicates, offsets, chunks, outbox positions.
//!
//! Every stored key is written once per group. The storage engine gives all items of a batch one sequence number, so
//! two writes of a key in one batch would have no order.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use gamepipe_domain::time::Timestamp;

use super::disk::Disk;
use super::format::chunk::{self, ChunkBuilder};
use super::format::meta::Marks;
use super::format::{dedupe, meta};
use crate::log::{Appended, LogError, OutboxBatch, Position, Record, partition_of};

/// A chunk takes no further record when its plain form has this size, in bytes: large enough to compress well, small
/// enough that a read from its middle is cheap.
const CHUNK_BYTES: usize = 256 << 10;

/// The largest record, in bytes: a request body's limit with room to spare, and a fraction of a memtable.
const MAX_RECORD_BYTES: usize = 8 << 20;

/// The longest event id of a client or id of an outbox, in bytes: UUIDs have 36, a hash in hexadecimal 128.
const MAX_ID_BYTES: usize = 1024;

/// A group's changes.
pub(super) struct Plan<'a> {
    disk: &'a Disk,
    now: Timestamp,
    window: Duration,
    max_bytes: u64,
    before: Vec<Marks>,
    partitions: Vec<Marks>,
    open: Vec<ChunkBuilder>,
    sealed: Vec<(u32, u64, ChunkBuilder)>,
    bytes: u64,
    ids: HashSet<String>,
    positions: HashMap<String, u64>,
}

impl<'a> Plan<'a> {
    /// An empty plan on top of what is stored.
    pub(super) fn new(
        disk: &'a Disk,
        partitions: Vec<Marks>,
        now: Timestamp,
        window: Duration,
        max_bytes: u64,
    ) -> Self {
        let bytes = partitions.iter().map(Marks::bytes).sum();
        let open = partitions.iter().map(|_| ChunkBuilder::default()).collect();
        Self {
            disk,
            now,
            window,
            max_bytes,
            before: partitions.clone(),
            partitions,
            open,
            sealed: Vec::new(),
            bytes,
            ids: HashSet::new(),
            positions: HashMap::new(),
        }
    }

    /// Takes in a call of `append`, wholly or not at all.
    pub(super) fn append(&mut self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        self.check_room(&records)?;
        let mut known = Vec::with_capacity(records.len());
        let mut new_ids = HashSet::new();
        for record in &records {
            known.push(match &record.dedupe_id {
                Some(id) => !new_ids.insert(id.as_str()) || self.is_known(id)?,
                None => false,
            });
        }
        let mut appended = Vec::with_capacity(records.len());
        for (record, known) in records.into_iter().zip(known) {
            if known {
                appended.push(Appended::Duplicate);
                continue;
            }
            appended.push(Appended::At(self.push(&record)));
            self.ids.extend(record.dedupe_id);
        }
        Ok(appended)
    }

    /// Takes in a call of `append_from_outbox`, wholly or not at all.
    pub(super) fn relay(&mut self, batch: OutboxBatch) -> Result<(), LogError> {
        let OutboxBatch {
            outbox_id,
            first,
            records,
        } = batch;
        check_id("an outbox's id", &outbox_id)?;
        let position = self.position(&outbox_id)?;
        if first == 0 || first > position.saturating_add(1) {
            return Err(LogError::Invalid(format!(
                "outbox {outbox_id} sends entries from {first} on, but the log has it up to {position} only"
            )));
        }
        let skip = usize::try_from(position + 1 - first).unwrap_or(usize::MAX);
        let Some(new) = records.get(skip..).filter(|new| !new.is_empty()) else {
            return Ok(());
        };
        self.check_room(new)?;
        for record in new {
            self.push(record);
        }
        self.positions
            .insert(outbox_id, position + new.len() as u64);
        Ok(())
    }

    /// True when there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        // A new id or position comes with a record.
        self.sealed.is_empty() && self.open.iter().all(|chunk| chunk.count() == 0)
    }

    /// Puts all of it into a batch; returns the partitions' marks after it.
    pub(super) fn fill(mut self, batch: &mut fjall::OwnedWriteBatch) -> Vec<Marks> {
        for partition in 0..self.disk.identity.partitions {
            self.seal(partition);
        }
        for (partition, base, builder) in self.sealed {
            let Some(marks) = self.partitions.get_mut(partition as usize) else {
                continue;
            };
            let key = chunk::encode_key(partition, base);
            let stored = chunk::encode_chunk(builder, &key, self.now, marks.appended_bytes);
            marks.appended_bytes += (key.len() + stored.len()) as u64;
            batch.insert(&self.disk.chunks, key, stored);
        }
        self.disk.put_marks(&self.before, &self.partitions, batch);
        let bucket = dedupe::bucket(self.now);
        for id in self.ids {
            let arrival = dedupe::encode_arrival(self.now);
            batch.insert(&self.disk.dedupe, dedupe::encode_key(bucket, &id), arrival);
        }
        for (outbox_id, position) in self.positions {
            let position = meta::encode_position(position);
            batch.insert(&self.disk.meta, meta::outbox_name(&outbox_id), position);
        }
        self.partitions
    }

    /// Gives a record its offset.
    fn push(&mut self, record: &Record) -> Position {
        let partition = partition_of(&record.key, self.disk.identity.partitions);
        let at = partition as usize;
        // `partition_of` stays below the number of partitions, and there are marks and a chunk for each.
        let mut offset = 0;
        if let (Some(marks), Some(open)) = (self.partitions.get_mut(at), self.open.get_mut(at)) {
            offset = marks.high;
            marks.high += 1;
            open.push(record.key.as_bytes(), &record.value);
            self.bytes += weight(record);
            if open.bytes() >= CHUNK_BYTES {
                self.seal(partition);
            }
        }
        Position { partition, offset }
    }

    /// Ends a partition's open chunk.
    fn seal(&mut self, partition: u32) {
        let at = partition as usize;
        let (Some(marks), Some(open)) = (self.partitions.get(at), self.open.get_mut(at)) else {
            return;
        };
        if open.count() > 0 {
            let builder = std::mem::take(open);
            self.sealed
                .push((partition, marks.high - u64::from(builder.count()), builder));
        }
    }

    fn check_room(&self, records: &[Record]) -> Result<(), LogError> {
        let mut used = self.bytes;
        for record in records {
            let bytes = record.key.len() + record.value.len();
            if bytes > MAX_RECORD_BYTES {
                let text =
                    format!("a record of {bytes} bytes is above the limit of {MAX_RECORD_BYTES}");
                return Err(LogError::Invalid(text));
            }
            if let Some(id) = &record.dedupe_id {
                check_id("an event id", id)?;
            }
            used = used.saturating_add(weight(record));
        }
        if used > self.max_bytes {
            return Err(LogError::Full {
                used,
                limit: self.max_bytes,
            });
        }
        Ok(())
    }

    /// True when a record with this id came within the window.
    fn is_known(&self, id: &str) -> Result<bool, LogError> {
        if self.ids.contains(id) {
            return Ok(true);
        }
        let oldest = oldest_known(self.now, self.window);
        for bucket in (dedupe::bucket(oldest)..=dedupe::bucket(self.now)).rev() {
            let key = dedupe::encode_key(bucket, id);
            let stored = self
                .disk
                .dedupe
                .get(key)
                .map_err(|error| self.disk.error(error))?;
            let Some(bytes) = stored else { continue };
            let arrival =
                dedupe::decode_arrival(&bytes).map_err(|error| self.disk.corrupt(error))?;
            if arrival > oldest {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn position(&self, outbox_id: &str) -> Result<u64, LogError> {
        if let Some(position) = self.positions.get(outbox_id) {
            return Ok(*position);
        }
        let stored = self.disk.meta.get(meta::outbox_name(outbox_id));
        match stored.map_err(|error| self.disk.error(error))? {
            Some(bytes) => meta::decode_position(&bytes).map_err(|error| self.disk.corrupt(error)),
            None => Ok(0),
        }
    }
}

/// Ids that arrived up to then are forgotten.
pub(super) fn oldest_known(now: Timestamp, window: Duration) -> Timestamp {
    let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(window))
}

/// What a record takes at most: its parts and their lengths.
pub(super) fn weight(record: &Record) -> u64 {
    (record.key.len() + record.value.len()) as u64 + 8
}

fn check_id(what: &str, id: &str) -> Result<(), LogError> {
    if id.is_empty() || id.len() > MAX_ID_BYTES {
        let start: String = id.chars().take(40).collect();
        return Err(LogError::Invalid(format!(
            "{what} must have 1 to {MAX_ID_BYTES} bytes, got {} bytes: {start:?}",
            id.len()
        )));
    }
    Ok(())
}
