//! What a reader keeps for each partition.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rdkafka::consumer::base_consumer::PartitionQueue;

use super::cursor::Cursor;
use crate::kafka::clients::Consume;
use crate::kafka::context::Context;

/// What is known of a partition, and how it is read.
#[derive(Default)]
pub(super) struct Partition {
    /// Locked while it is read.
    pub(super) slot: Mutex<Slot>,
    /// The lowest offset, when it was asked for last.
    pub(super) low: AtomicU64,
    /// An offset up to which all is committed.
    pub(super) stable: AtomicU64,
    /// An offset up to which this process has appended.
    pub(super) written: AtomicU64,
    /// An offset up to which this process's transactions have committed.
    pub(super) committed: AtomicU64,
    /// Bytes that were read, to know how large records are.
    pub(super) bytes: AtomicU64,
    /// The records of which there were so many bytes.
    pub(super) records: AtomicU64,
}

impl std::fmt::Debug for Partition {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Partition")
            .field("low", &self.low)
            .field("stable", &self.stable)
            .finish_non_exhaustive()
    }
}

/// How a partition is read.
#[derive(Default)]
pub(super) struct Slot {
    /// There while the partition is read.
    pub(super) fetched: Option<Fetched>,
    /// Where the queue is.
    pub(super) cursor: Cursor,
    /// When it was read last.
    pub(super) used: Option<Instant>,
    /// How many reads in a row have brought nothing in time.
    pub(super) silences: u32,
}

/// What a client fetches of a partition.
pub(super) struct Fetched {
    /// Filled by the client.
    pub(super) queue: PartitionQueue<Context>,
    /// Ends after its queue.
    pub(super) client: Arc<Consume>,
}
