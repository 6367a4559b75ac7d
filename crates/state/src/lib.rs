//! The state store: entities, idempotency records and the outbox, changed together or not at all.
//!
//! [`StateStore`] is the port; [`embedded`] keeps it in one directory (fjall), [`redis`] in a Redis that processes share.
//! May import: domain, config, service. Owns fjall for state, and redis.

pub mod store;

pub mod embedded;
pub mod redis;

mod encode;
mod format;

pub use store::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};
