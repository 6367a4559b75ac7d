//! The endpoint over real HTTP, a real lake and a real game: everything but the processes.

#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

mod abuse;
mod cut;
mod dialect;
mod formats;
mod metadata;
mod questions;
mod support;
mod trino;
