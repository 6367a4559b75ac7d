//! The state store: entities, idempotency records and the outbox, changed together or not at all.
//!
//! [`StateStore`] is the port; [`embedded`] keeps it in one directory (fjall). May import: domain, config, service.
//! Owns fjall for state.

pub mod store;

pub mod embedded;

pub use store::{
    Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, OutboxEntry, StateError, StateStore,
};
