//! The API over a real socket: every endpoint, every code, races, faults, and the drain.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test that can't go on fails the test"
)]

mod harness;

mod actions;
mod down;
mod drain;
mod events;
mod hostile;
mod idempotency;
mod log;
mod openapi;
mod races;
mod relay;
mod routes;
