//! The SQL endpoint: questions to the lake over HTTP, plain and as Trino's protocol.
//!
//! One engine (`admit -> plan -> run -> stream -> finish`), thin front ends. Reads only: there is no path by which a
//! statement could write, and nothing but the lake can be read.
//! May import: lake, domain, config, service. Owns axum for this role and, with lake, datafusion.

mod dialect;
mod engine;
mod error;
mod frontends;
mod functions;
mod near;
mod result;
mod service;
mod session;
mod tables;

pub use error::SqlError;
pub use service::{ResultColumn, SqlService, StatementProblem, try_statements};

/// The catalog of the lake.
pub(crate) const LAKE_CATALOG: &str = "lake";
/// An older name of the lake's catalog, by which existing scripts call it.
pub(crate) const DEFAULT_CATALOG: &str = "hive";
/// In [`DEFAULT_CATALOG`]: the game's declared tables.
pub(crate) const DEFAULT_SCHEMA: &str = "default";
/// What clients are told when they ask for Trino's version: they choose features by it.
pub(crate) const TRINO_VERSION: &str = "476";
