//! What may go: landed chunks by age and size, and clients' event ids whose window is over. In small steps, oldest first.

use std::ops::Bound;

use fjall::OwnedWriteBatch;
use gamepipe_config::log::LogConfig;
use gamepipe_domain::time::Timestamp;

use super::disk::Disk;
use super::format::chunk;
use super::format::dedupe;
use super::format::meta::Marks;
use crate::log::LogError;

/// How many chunks, or ids, one step removes: a few milliseconds' work. A busy log takes many steps a second.
const STEP: usize = 512;

/// When landed chunks go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Landed chunks older than this go, in microseconds.
    pub(super) age_micros: i64,
    /// Landed chunks beyond this size go, in bytes.
    pub(super) landed_bytes: u64,
    /// Landed chunks go, however young, when the log has this size, in bytes.
    pub(super) total_bytes: u64,
}

impl Limits {
    /// The limits that a configuration asks for.
    pub(super) fn new(config: &LogConfig) -> Self {
        let age_micros = i64::try_from(config.retention_seconds).unwrap_or(i64::MAX);
        Self {
            age_micros: age_micros.saturating_mul(1_000_000),
            landed_bytes: config.retention_bytes,
            total_bytes: config.max_bytes,
        }
    }
}

/// A partition's first chunk.
#[derive(Debug, Clone, Copy)]
struct Head {
    end: u64,
    appended: Timestamp,
    bytes: u64,
    bytes_after: u64,
}

/// Remembers the first chunk of every partition, so that a look at what is due costs nothing when nothing is.
#[derive(Debug)]
pub(super) struct Retention {
    limits: Limits,
    heads: Vec<Option<Head>>,
    /// Where the last sweep of ids ended. What lies before is gone, and finding that out again would mean to read all its
    /// tombstones.
    swept: Vec<u8>,
}

impl Retention {
    /// Knows nothing yet.
    pub(super) fn new(limits: Limits, partitions: usize) -> Self {
        Self {
            limits,
            heads: vec![None; partitions],
            swept: Vec::new(),
        }
    }

    /// Forgets what it remembered: a batch that removed something was not written.
    pub(super) fn reset(&mut self) {
        self.heads.fill(None);
        self.swept.clear();
    }

    /// Puts a step of removals into `batch` and moves `marks` accordingly. `incoming` bytes are about to be appended.
    pub(super) fn step(
        &mut self,
        disk: &Disk,
        marks: &mut [Marks],
        incoming: u64,
        now: Timestamp,
        batch: &mut OwnedWriteBatch,
    ) -> Result<(), LogError> {
        let mut landed: u64 = marks.iter().map(Marks::landed_bytes).sum();
        let mut total: u64 = marks.iter().map(Marks::bytes).sum();
        for _ in 0..STEP {
            let Some((partition, head)) = self.oldest(disk, marks)? else {
                return Ok(());
            };
            let age = now.micros().saturating_sub(head.appended.micros());
            let is_due = age > self.limits.age_micros
                || landed > self.limits.landed_bytes
                || total.saturating_add(incoming) > self.limits.total_bytes;
            let (Some(marks), true) = (marks.get_mut(partition), is_due) else {
                return Ok(());
            };
            batch.remove(&disk.chunks, chunk::encode_key(partition as u32, marks.low));
            marks.low = head.end;
            marks.removed_bytes = head.bytes_after;
            landed = landed.saturating_sub(head.bytes);
            total = total.saturating_sub(head.bytes);
            if let Some(head) = self.heads.get_mut(partition) {
                *head = None;
            }
        }
        Ok(())
    }

    /// The oldest chunk that has landed wholly, with its partition.
    fn oldest(&mut self, disk: &Disk, marks: &[Marks]) -> Result<Option<(usize, Head)>, LogError> {
        let mut oldest: Option<(usize, Head)> = None;
        for (partition, (marks, head)) in marks.iter().zip(&mut self.heads).enumerate() {
            if marks.low >= marks.released {
                continue;
            }
            let head = match head {
                Some(known) => *known,
                None => *head.insert(read_head(disk, partition as u32, marks.low)?),
            };
            let is_older = oldest.is_none_or(|(_, other)| head.appended < other.appended);
            if head.end <= marks.released && is_older {
                oldest = Some((partition, head));
            }
        }
        Ok(oldest)
    }

    /// Puts a step of removals of ids into `batch`: whole buckets that no window reaches.
    pub(super) fn sweep_ids(
        &mut self,
        disk: &Disk,
        oldest: Timestamp,
        batch: &mut OwnedWriteBatch,
    ) -> Result<(), LogError> {
        let end = dedupe::encode_key(dedupe::bucket(oldest), "");
        if self.swept >= end {
            return Ok(());
        }
        let range = (
            Bound::Included(self.swept.clone()),
            Bound::Excluded(end.clone()),
        );
        let mut count = 0;
        for guard in disk.dedupe.range(range).take(STEP) {
            let key = guard.key().map_err(|error| disk.error(error))?;
            batch.remove(&disk.dedupe, key.clone());
            self.swept = key.to_vec();
            count += 1;
        }
        if count < STEP {
            self.swept = end;
        }
        Ok(())
    }
}

fn read_head(disk: &Disk, partition: u32, base: u64) -> Result<Head, LogError> {
    let key = chunk::encode_key(partition, base);
    let stored = disk.chunks.get(key).map_err(|error| disk.error(error))?;
    let stored = stored.ok_or_else(|| {
        let path = &disk.path;
        LogError::Corrupt(format!(
            "{path}: partition {partition} has no record at offset {base}"
        ))
    })?;
    let header = chunk::decode_header(&key, &stored)
        .map_err(|error| disk.corrupt_chunk(partition, base, &error))?;
    let bytes = (key.len() + stored.len()) as u64;
    Ok(Head {
        end: base.saturating_add(u64::from(header.count)),
        appended: header.appended,
        bytes,
        bytes_after: header.bytes_before.saturating_add(bytes),
    })
}

/// How many bytes lie in chunks wholly below `offset`, removed ones included.
pub(super) fn bytes_below(
    disk: &Disk,
    partition: u32,
    offset: u64,
    marks: &Marks,
) -> Result<u64, LogError> {
    if offset >= marks.high {
        return Ok(marks.appended_bytes);
    }
    let range = chunk::encode_key(partition, marks.low)..=chunk::encode_key(partition, offset);
    let Some(guard) = disk.chunks.range(range).next_back() else {
        return Ok(marks.removed_bytes);
    };
    let (key, stored) = guard.into_inner().map_err(|error| disk.error(error))?;
    let header = chunk::decode_header(&key, &stored)
        .map_err(|error| disk.corrupt_chunk(partition, offset, &error))?;
    Ok(header.bytes_before)
}
