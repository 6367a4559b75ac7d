//! What stands in a store: a file per stored key and value, with both directions and a tag byte each. The embedded store
//! keeps all of it; the one in Redis shares entities and idempotency records, and what surrounds them is its own.
//!
//! Persisted: keep stable. A changed form gets a new tag, and its decoder goes on reading the old one.

pub(crate) mod bytes;
pub(crate) mod value;

pub(crate) mod entity;
pub(crate) mod idempotency;
pub(crate) mod meta;
pub(crate) mod outbox;

/// Why stored bytes can't be read, or a value can't be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FormatError {
    /// The bytes end too early or go on too long.
    #[error("{0} has the wrong length")]
    Length(&'static str),
    /// A tag that this version does not know.
    #[error("{0} has the unknown tag {1}")]
    Tag(&'static str, u8),
    /// Text that is not UTF-8, or a number that JSON has no form for.
    #[error("{0} is malformed")]
    Malformed(&'static str),
    /// Nested deeper than is stored.
    #[error("a value is nested deeper than {0} levels")]
    Depth(usize),
    /// A key that can't be a key.
    #[error("{what} must have 1 to {max} bytes{rule}, got {got:?}")]
    Key {
        /// Which key.
        what: &'static str,
        /// The longest, in bytes.
        max: usize,
        /// What else it must keep to.
        rule: &'static str,
        /// The start of what came.
        got: String,
    },
}
