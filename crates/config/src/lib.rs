//! Settings: one struct per concern, read by processes and written by the operator.
//!
//! [`settings`] gathers them; [`load`] finds their values. Order of precedence: flags, environment `GAMEPIPE_*`, file,
//! defaults. An unknown field is an error. May import: serde, schemars, domain.

pub mod reference;
pub mod settings;

pub mod load;

pub mod api;
pub mod kafka;
pub mod lake;
pub mod log;
pub mod sql;
pub mod state;
pub mod streamer;
