//! What commands change: nothing here, only what the client remembers.

/// The outcome of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Update {
    /// Trino's `updateType`.
    pub(crate) kind: &'static str,
    /// What the client should remember.
    pub(crate) changes: Vec<SessionChange>,
}

/// Something that a client remembers and sends along from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionChange {
    Catalog(String),
    Schema(String),
    SetProperty(String, String),
    ClearProperty(String),
    AddPrepared(String, String),
    RemovePrepared(String),
    StartTransaction(String),
    ClearTransaction,
}

impl Update {
    pub(crate) fn new(kind: &'static str, changes: Vec<SessionChange>) -> Self {
        Self { kind, changes }
    }
}

/// Session properties that can be set: name -> (default, type, what it does).
pub(crate) const PROPERTIES: [(&str, &str, &str, &str); 2] = [
    (
        "query_max_run_time",
        "5.00m",
        "varchar",
        "Maximum run time of a query, queue and streaming included",
    ),
    (
        "time_zone_id",
        "UTC",
        "varchar",
        "Time zone of current_timestamp and of timestamps with a zone",
    ),
];
