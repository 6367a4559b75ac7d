//! Why the lake could not do what was asked.

use std::io;

use gamepipe_service::failpoint::FailpointError;

mod bucket;

pub use bucket::BucketError;
pub(crate) use bucket::{Asked, explain};

/// Errors of the lake's write side and its audit.
#[derive(Debug, thiserror::Error)]
pub enum LakeError {
    /// A file of the lake can't be read or written.
    #[error("can't {action} {path} of the lake: {source}")]
    Storage {
        /// What was tried: `read`, `write`, `list` or `remove`.
        action: &'static str,
        /// Which file, relative to the lake.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The lake's bucket did not do what was asked.
    #[error("can't {action} {path} of the lake in {lake}: {source}")]
    Bucket {
        /// What was tried: `read`, `write`, `list` or `remove`.
        action: &'static str,
        /// Which object, relative to the lake.
        path: String,
        /// Where the lake is.
        lake: String,
        /// Why.
        source: BucketError,
    },
    /// The lake's directory or bucket can't be used.
    #[error("{path} can't be the lake: {detail}")]
    Path {
        /// The directory or bucket.
        path: String,
        /// Why.
        detail: String,
    },
    /// A table's log can't be understood.
    #[error("table {table}: {detail}")]
    Corrupt {
        /// The table.
        table: String,
        /// What is wrong, and where.
        detail: String,
    },
    /// A table's log can't be read as Delta.
    #[error("table {table}: {detail}")]
    Delta {
        /// The table.
        table: String,
        /// Why.
        detail: String,
    },
    /// An entry of a table's log was there and is there no more.
    #[error(
        "table {table}: entry {version} of its log is gone, though it was landed; was the lake moved, emptied or replaced? Bring its files back; until then nothing is landed, and what is on the event log stays there"
    )]
    Vanished {
        /// The table.
        table: String,
        /// The version of the entry.
        version: u64,
    },
    /// An epoch names a table, or a version of it, that does not exist.
    #[error(
        "table {table}: epoch {epoch} names its version {version}, but its log {found}; bring the table's directory back from a copy, or move the whole lake directory away to land anew what the event log still has"
    )]
    Lost {
        /// The table.
        table: String,
        /// The epoch.
        epoch: u64,
        /// The version that it names.
        version: u64,
        /// What is there instead.
        found: String,
    },
    /// Rows can't be put into Parquet, or read back.
    #[error("table {table}: {detail}")]
    Encoding {
        /// The table.
        table: String,
        /// Why.
        detail: String,
    },
    /// The definition gives a column another type than its table has.
    #[error(
        "table {table}: column {column} is {have} in the lake and {want} in the definition; a column's type can't change: give the new column another name, or put it into a table of another name"
    )]
    IncompatibleType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its Delta type in the lake.
        have: String,
        /// Its Delta type by the definition.
        want: String,
    },
    /// Another process has landed records that this one was about to land.
    #[error(
        "another streamer landed partition {partition} up to offset {landed} while this one held records from {offered} on"
    )]
    Overtaken {
        /// The log's partition.
        partition: u32,
        /// The offset after the last that has landed.
        landed: u64,
        /// The first offset that was to be landed.
        offered: u64,
    },
    /// Records would be passed over.
    #[error(
        "partition {partition} has landed up to offset {landed}, so an epoch can't begin at {offered}: the records between would never land; was an older copy of the lake brought back?"
    )]
    Hole {
        /// The log's partition.
        partition: u32,
        /// The offset after the last that has landed.
        landed: u64,
        /// The first offset that was to be landed.
        offered: u64,
    },
    /// Files waited so long for their epoch that a vacuum may have taken them.
    #[error(
        "table {table}: {epochs} epochs were committed since the files of this one were begun, so they may be gone; its rows are encoded anew"
    )]
    Stale {
        /// The table.
        table: String,
        /// How many epochs.
        epochs: u64,
    },
    /// An epoch was decided so long ago that others have finished it and gone on.
    #[error("epoch {epoch} was finished by others while this process was stopped")]
    Late {
        /// Its number.
        epoch: u64,
    },
    /// A table has rows of the log that no epoch covers, and no intent explains.
    #[error(
        "table {table}: entry {version} of its log has landed rows, but no epoch covers them and no intent in _epochs/_intents is under way that does; was an intent removed, or does another program land here? Bring the intent back, or remove that entry and those after it, to land the rows anew"
    )]
    Undecided {
        /// The table.
        table: String,
        /// The version of the entry.
        version: u64,
    },
    /// Somebody else has committed an epoch of this number without deciding on it first.
    #[error("another program committed epoch {epoch}, which was decided otherwise")]
    EpochTaken {
        /// The number.
        epoch: u64,
    },
    /// The lake was landed from another log.
    #[error(
        "the lake holds epochs of log {lake} but the log at hand is {log}: it was made anew, so its offsets begin at 0 again and would be taken for landed ones; bring the old log back, or use an empty lake directory"
    )]
    OtherLog {
        /// The generation of the log that was landed.
        lake: String,
        /// The generation of the log at hand.
        log: String,
    },
    /// The log has another number of partitions than the one that was landed.
    #[error(
        "the lake's epochs cover {lake} log partitions but the log has {log}; partitions of a log can't be taken away"
    )]
    FewerPartitions {
        /// How many were landed.
        lake: usize,
        /// How many there are.
        log: u32,
    },
    /// Too many others committed to the table at the same time.
    #[error(
        "table {table}: lost {attempts} races for the next version; is something else writing to it?"
    )]
    Contended {
        /// The table.
        table: String,
        /// How many times it was tried.
        attempts: u32,
    },
    /// A maintenance commit met another change of the same files: nothing was done.
    #[error("table {table}: files changed while they were being compacted")]
    CompactionConflict {
        /// The table.
        table: String,
    },
    /// A name that the lake has no table for.
    #[error("the lake has no table {0}")]
    UnknownTable(String),
    /// A background thread died.
    #[error("a worker thread of the lake stopped: {0}")]
    Worker(String),
    /// A test asked for this.
    #[error(transparent)]
    Failpoint(#[from] FailpointError),
}

impl LakeError {
    /// True when other processes have landed some of what this one was about to land, or so much else that it has to look
    /// again: nothing is wrong, and landing goes on from the resume point.
    pub fn is_lost_race(&self) -> bool {
        matches!(
            self,
            Self::Overtaken { .. } | Self::Stale { .. } | Self::Late { .. }
        )
    }

    pub(crate) fn delta(table: &str, source: &deltalake::DeltaTableError) -> Self {
        Self::Delta {
            table: table.to_owned(),
            detail: without_backtrace(source),
        }
    }

    pub(crate) fn encoding(table: &str, source: &dyn std::fmt::Display) -> Self {
        Self::Encoding {
            table: table.to_owned(),
            detail: source.to_string(),
        }
    }

    pub(crate) fn corrupt(table: &str, detail: impl Into<String>) -> Self {
        Self::Corrupt {
            table: table.to_owned(),
            detail: detail.into(),
        }
    }
}

/// An error's text up to the backtrace that Delta's libraries may append to it: no reader of a message has use for one.
pub(crate) fn without_backtrace(error: &dyn std::fmt::Display) -> String {
    let is_frame = |line: &str| {
        let digits = line
            .trim_start()
            .trim_start_matches(|letter: char| letter.is_ascii_digit());
        let is_numbered = digits.starts_with(": ") && !line.trim_start().starts_with(':');
        (is_numbered && line.starts_with(' '))
            || line.starts_with("disabled backtrace")
            || line.starts_with("stack backtrace")
    };
    let text = error.to_string();
    let lines: Vec<&str> = text.lines().take_while(|line| !is_frame(line)).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::without_backtrace;

    #[test]
    fn backtraces_of_libraries_are_cut_off_and_messages_stay() {
        let text = "Kernel error: Json error: unexpected 'x'\n   0: <unknown>\n             at ./nptl.c:442:8\n  10: clone3\n";
        assert_eq!(
            without_backtrace(&text),
            "Kernel error: Json error: unexpected 'x'"
        );
        assert_eq!(without_backtrace(&"a\n1: b\nc"), "a\n1: b\nc");
        assert_eq!(without_backtrace(&"a\ndisabled backtrace"), "a");
    }
}
