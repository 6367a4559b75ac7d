//! Epochs: what one landing round committed. The contract between landing, audits and queries.
//!
//! Every commit to the table `_epochs` carries an [`EpochRecord`] twice: as the row, and as JSON in the commit's
//! `commitInfo` under [`COMMIT_INFO_KEY`], so that a reader finds the newest cut by reading the newest log entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The key in `commitInfo` of `_epochs` under which the record stands, as JSON text.
pub const COMMIT_INFO_KEY: &str = "gamepipe.epoch";

/// One landing round, or one round of maintenance (which changes versions and no rows).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Its number, from 1, without gaps.
    pub epoch: u64,
    /// The log's generation.
    pub generation: String,
    /// For each partition of the log in order: the slice `[from, to)` that this epoch landed (`from == to` when none).
    pub ranges: Vec<OffsetRange>,
    /// Every table of the lake but `_epochs` -> its Delta version after this epoch: the consistent cut.
    pub versions: BTreeMap<String, u64>,
    /// Table -> rows that this epoch added. Tables without new rows are absent.
    pub rows: BTreeMap<String, u64>,
    /// How many log records this epoch took.
    pub records: u64,
    /// When it was committed, microseconds since the Unix epoch.
    pub committed_micros: i64,
}

/// A slice of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffsetRange {
    /// The partition.
    pub partition: u32,
    /// The first offset in it.
    pub from: u64,
    /// The offset after the last.
    pub to: u64,
    /// How many of its offsets hold no record: what a log takes for itself, such as a transaction's end.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub holes: u64,
}

impl OffsetRange {
    /// A slice in which every offset holds a record.
    pub fn new(partition: u32, from: u64, to: u64) -> Self {
        Self {
            partition,
            from,
            to,
            holes: 0,
        }
    }

    /// How many records it holds.
    pub fn records(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_sub(self.holes)
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference to the field"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}
