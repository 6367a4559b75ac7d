//! The checks that every backend of a port must pass, written once against the trait.
//!
//! A backend's integration test names a function that opens the backend in a [`crate::place::Place`], and a macro makes
//! a test of every check: [`crate::state_store_conformance`], [`crate::event_log_conformance`].

#![expect(
    clippy::unwrap_used,
    reason = "these are tests that happen to live in a library"
)]

pub mod eventlog;
pub mod state;
