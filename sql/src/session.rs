//! What a client's requests have in common: where names are looked up, and who asks.

use std::collections::BTreeMap;

/// A client's session. The client holds it; each request brings it along.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// The catalog of names without one.
    pub(crate) catalog: String,
    /// The schema of names without one.
    pub(crate) schema: String,
    /// Who asks, as the client says.
    pub(crate) user: String,
    /// Which program asks, as it says.
    pub(crate) source: String,
    /// The time zone of `current_timestamp` and of timestamps with a zone.
    pub(crate) time_zone: String,
    /// Properties that `SET SESSION` set.
    pub(crate) properties: BTreeMap<String, String>,
    /// Prepared statements: name -> SQL.
    pub(crate) prepared: BTreeMap<String, String>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            catalog: crate::DEFAULT_CATALOG.to_owned(),
            schema: crate::DEFAULT_SCHEMA.to_owned(),
            user: "anonymous".to_owned(),
            source: String::new(),
            time_zone: "UTC".to_owned(),
            properties: BTreeMap::new(),
            prepared: BTreeMap::new(),
        }
    }
}
