//! What gamepipe is about, without any I/O: game definitions, rules, decisions and events.
//!
//! Everything here is pure: no async, no clock, no randomness of its own, no file or socket. Time and
//! seeds come in as arguments, so the same call gives the same answer on every machine.
//!
//! May import: CEL, serde, schemars and small pure libraries. Must not import tokio, arrow, or any other
//! gamepipe crate.

pub mod definition;
pub mod entity;
pub mod event;
pub mod invariants;
pub mod outbox;
pub mod request;
pub mod rules;
pub mod time;

/// A JSON object: entity state, event data, parameters.
pub type JsonMap = serde_json::Map<String, serde_json::Value>;
