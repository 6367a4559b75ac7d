//! The streamer: every record of the event log becomes rows of Delta tables, exactly once.
//!
//! [`Streamer`] (`pipeline`) wires the [`stages`] forward and owns retry and shutdown; [`messages`] pass between them.
//! May import: eventlog, lake, domain, config, service. Must not import state, or another process.

mod error;
pub mod messages;
mod metrics;
mod pipeline;
pub mod stages;

mod json;

pub use error::StreamerError;
pub use pipeline::Streamer;
