//! One endpoint per file: what it takes, one call, what it answers.

pub(crate) mod actions;
pub(crate) mod entities;
pub(crate) mod events;
pub(crate) mod game;
pub(crate) mod game_route;
pub(crate) mod index;
pub(crate) mod log;
pub(crate) mod log_partition;
pub(crate) mod not_found;
