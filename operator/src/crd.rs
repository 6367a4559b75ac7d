//! The custom resources: types, schema, rules.
//!
//! A field's bounds, default, rule and words stand beside it; [`crds`] makes the CustomResourceDefinitions out of them. Defaults are in the schema
//! alone: by the time that code sees an object, they are in it.

pub mod amount;
pub mod pods;
pub mod storage;

pub mod kafka;

pub mod redis;

pub mod lake;

pub mod api;

pub mod streamer;

pub mod sql;

pub mod network;

pub mod settings;

pub mod pipeline;

pub mod game;

pub mod status;

pub mod definition;
pub mod structural;

pub use definition::{crds, schema_of};
pub use game::Game;
pub use pipeline::GamePipeline;

/// The group of both resources.
pub const GROUP: &str = "gamepipe.dev";

/// On a GamePipeline: `"true"` makes the operator change nothing.
pub const PAUSED: &str = "gamepipe.dev/paused";

/// On a GamePipeline: the number of brokers to which it may shrink.
pub const ALLOW_BROKER_REMOVAL: &str = "gamepipe.dev/allow-broker-removal";

/// On a Game: the version whose changes are accepted although stored data does not fit them.
pub const ACCEPT_CHANGES: &str = "gamepipe.dev/accept-changes";

#[cfg(test)]
mod tests;
