//! From a definition's table to the columns of its Delta table.

/// The system columns, in the order in which they follow the declared ones.
pub mod column {
    /// `event_id` of the event (string).
    pub const EVENT_ID: &str = "_event_id";
    /// When it happened (timestamp, microseconds, UTC).
    pub const EVENT_TIME: &str = "_event_time";
    /// The partition column: the date of the event, clamped to a sane window around arrival (date).
    pub const EVENT_DATE: &str = "_event_date";
    /// Its partition on the log (int32).
    pub const PARTITION: &str = "_partition";
    /// Its offset on the log (int64).
    pub const OFFSET: &str = "_offset";
    /// Fields that no column takes, as a JSON object; null when there are none (string).
    pub const EXTRA: &str = "_extra";
}
