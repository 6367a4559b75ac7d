//! The port: what an event log promises, whatever it is made of.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_domain::time::Timestamp;

use crate::share::{Membership, WholeLog};

/// How many partitions a new log has: enough for a dozen streamers, few enough for one.
pub const DEFAULT_PARTITIONS: u32 = 12;

/// A partitioned, ordered, durable log. Cheap to share behind an `Arc`.
#[async_trait]
pub trait EventLog: Send + Sync + std::fmt::Debug {
    /// How many partitions it has.
    fn partitions(&self) -> u32;

    /// A stable id of this log. It changes when the log is made anew and offsets begin at 0 again.
    fn generation(&self) -> &str;

    /// Appends records; durable when it returns. Results are in the order of `records`.
    /// Records of one key keep their order. A record whose `dedupe_id` was appended within the window is not appended again.
    /// On an error the outcome is open: some may have been appended (a retry with `dedupe_id` is safe).
    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError>;

    /// Appends what a relay read from an outbox, and its position, in one atomic step. Entries at or below the position
    /// that the log has for this outbox are skipped: a batch that is sent twice lands once. A batch without records changes
    /// nothing, and its error says whether the log takes any.
    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError>;

    /// The highest sequence number of that outbox that is on the log; 0 when none is.
    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError>;

    /// The same for the process that is about to relay the outbox. What a log of others has left in doubt is settled by the
    /// outbox's marks, asked for just before: entries that it has forgotten are on the log, those that it holds are sent again.
    async fn resume_outbox(&self, outbox_id: &str, _marks: OutboxMarks) -> Result<u64, LogError> {
        self.outbox_position(outbox_id).await
    }

    /// Up to about `max_bytes` of records of a partition from offset `from` on, in order; empty when there is none yet.
    /// Offsets may be without a record (a transaction's end takes one): `next` may be beyond the last record, also of none.
    /// An offset below the partition's low is [`LogError::OutOfRange`]: retention took it.
    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError>;

    /// The offsets of all partitions, in order of partition.
    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError>;

    /// Waits until some partition's high may be above the one in `seen` (one offset per partition).
    async fn changed(&self, seen: &[u64]);

    /// Lets retention take what is below these offsets (one per partition): all of it has landed.
    /// Nothing above them is ever removed: a log that is full of what has not landed refuses appends instead.
    async fn release(&self, landed: &[u64]) -> Result<(), LogError>;

    /// True when [`Self::append`] heeds `dedupe_id`. A log that several processes append to can't know in time what the
    /// others took; the events that bring an id then go through the outbox, whose store remembers them.
    fn remembers_ids(&self) -> bool {
        true
    }

    /// True while this process is the one that moves that outbox's events. In a log that several processes share one does
    /// at a time; another takes over when it is gone.
    async fn relays(&self, _outbox_id: &str) -> Result<bool, LogError> {
        Ok(true)
    }

    /// Joins the processes that land the log together.
    async fn join(&self) -> Result<Arc<dyn Membership>, LogError> {
        Ok(Arc::new(WholeLog::new(self.partitions())))
    }
}

/// The partition of a key: FNV-1a (64 bits) of its bytes, modulo the number of partitions.
/// Persisted in every log: keep stable.
pub fn partition_of(key: &str, partitions: u32) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in key.as_bytes() {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(0x0100_0000_01b3);
    }
    u32::try_from(hash % u64::from(partitions.max(1))).unwrap_or(0)
}

/// A record to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Decides the partition.
    pub key: String,
    /// The event as JSON text.
    pub value: Bytes,
    /// The client's own event id, when it sent one: appended once within the window.
    pub dedupe_id: Option<String>,
}

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Appended {
    /// It is on the log, here.
    At(Position),
    /// A record with its `dedupe_id` is on the log already.
    Duplicate,
}

/// A place on the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The partition, from 0.
    pub partition: u32,
    /// The offset in it, from 0; later records have higher ones.
    pub offset: u64,
}

/// Events from an outbox, in order and without gaps.
#[derive(Debug, Clone)]
pub struct OutboxBatch {
    /// Which outbox.
    pub outbox_id: String,
    /// The sequence number of the first record.
    pub first: u64,
    /// The events.
    pub records: Vec<Record>,
}

/// A record as it is on the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its offset.
    pub offset: u64,
    /// When the log took it.
    pub appended: Timestamp,
    /// Its key.
    pub key: Bytes,
    /// Its value. Nothing on the log is trusted to be JSON or UTF-8.
    pub value: Bytes,
}

/// What a read found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadBatch {
    /// The records, in order of offset.
    pub records: Vec<LogRecord>,
    /// Where to read on: beyond the last record and beyond offsets that hold none, or the offset asked for.
    pub next: u64,
}

/// The offsets of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct PartitionOffsets {
    /// The partition.
    pub partition: u32,
    /// The lowest offset that can be read.
    pub low: u64,
    /// The offset of the next record.
    pub high: u64,
}

/// Why a log could not answer.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// Another process holds the directory.
    #[error("{path} is in use by {holder}; stop it, or choose another data directory")]
    InUse {
        /// The directory.
        path: String,
        /// Who holds it.
        holder: String,
    },
    /// The log can't be reached or written now; nothing was acknowledged.
    #[error("event log unavailable: {0}")]
    Unavailable(String),
    /// The log has reached its hard size limit: land or remove something first.
    #[error(
        "event log full: {used} of {limit} bytes; the streamer must land events before more are taken"
    )]
    Full {
        /// Bytes in use.
        used: u64,
        /// The limit.
        limit: u64,
    },
    /// The offset asked for was removed by retention, or lies beyond the end.
    #[error("offset {asked} of partition {partition} is outside {low}..{high}")]
    OutOfRange {
        /// The partition.
        partition: u32,
        /// What was asked for.
        asked: u64,
        /// The lowest offset there is.
        low: u64,
        /// The offset of the next record.
        high: u64,
    },
    /// What is stored can't be read.
    #[error("event log corrupt: {0}")]
    Corrupt(String),
    /// A caller's mistake, such as a partition that does not exist or a gap in an outbox's numbers.
    #[error("invalid call of the event log: {0}")]
    Invalid(String),
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    #[test]
    fn partitions_of_known_keys_never_change() {
        // FNV-1a test vectors: "" is cbf29ce484222325, "a" is af63dc4c8601ec8c.
        assert_eq!(
            partition_of("", 12),
            (0xcbf2_9ce4_8422_2325_u64 % 12) as u32
        );
        assert_eq!(
            partition_of("a", 12),
            (0xaf63_dc4c_8601_ec8c_u64 % 12) as u32
        );
    }
}
