//! What passes between the stages. Every message carries the offsets that it covers.

use arrow::array::RecordBatch;
use gamepipe_eventlog::LogRecord;
use gamepipe_lake::epoch::OffsetRange;

/// Records of one partition, all that its slice holds. From `source` to `decode`.
#[derive(Debug)]
pub struct LogSlice {
    /// What it covers.
    pub range: OffsetRange,
    /// The records, in order.
    pub records: Vec<LogRecord>,
}

/// An epoch's rows. From `buffer` to `encode`.
#[derive(Debug)]
pub struct RowsEpoch {
    /// What it covers, for each partition that this process lands.
    pub ranges: Vec<OffsetRange>,
    /// How many log records it covers.
    pub records: u64,
    /// Table -> its rows; tables without rows are absent.
    pub tables: Vec<(String, RecordBatch)>,
}

/// Why a record can't be a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecord {
    /// A stable code, one of [`bad_code`].
    pub code: &'static str,
    /// What was expected and what came.
    pub detail: String,
    /// JSON pointer to the culprit; empty when the whole record is meant.
    pub pointer: String,
}

/// The codes of records that can't be rows.
pub mod bad_code {
    /// The record has no value (a tombstone).
    pub const EMPTY: &str = "empty";
    /// The value is longer than any event may be.
    pub const TOO_LARGE: &str = "too_large";
    /// The value is not UTF-8.
    pub const INVALID_UTF8: &str = "invalid_utf8";
    /// The value is not JSON.
    pub const INVALID_JSON: &str = "invalid_json";
    /// The value is JSON, but not an object.
    pub const NOT_AN_OBJECT: &str = "not_an_object";
    /// The value is nested too deeply.
    pub const TOO_DEEP: &str = "too_deep";
    /// An object has a key twice.
    pub const DUPLICATE_KEY: &str = "duplicate_key";
    /// The event lacks its id, type or time.
    pub const MISSING_FIELD: &str = "missing_field";
    /// A value has another type than its column.
    pub const WRONG_TYPE: &str = "wrong_type";
    /// A number does not fit its column.
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// The event would make more rows than one event may.
    pub const TOO_MANY_ROWS: &str = "too_many_rows";
}
