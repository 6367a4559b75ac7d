//! Simulated players: they do what the definition's simulation says, over real connections, and what was acknowledged
//! to them is looked for in the lake afterwards.
//!
//! [`script`] is what is played. [`run`] plays: each worker has one [`connection`] and sends [`request`]s for [`players`]. [`stats`] counts,
//! [`progress`] shows. Meanwhile [`visible`] measures how soon events can be queried; afterwards [`landed`] compares,
//! and [`told`] says how it went.

pub(crate) mod script;

pub(crate) mod run;

pub(crate) mod players;
pub(crate) mod request;

pub(crate) mod connection;

pub(crate) mod histogram;
pub(crate) mod progress;
pub(crate) mod stats;

pub(crate) mod visible;

pub(crate) mod event_id;

pub(crate) mod landed;

pub(crate) mod told;
