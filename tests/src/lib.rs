//! Whole-system tests: they start the real `gamepipe` binary and speak to it as users do.
//!
//! `e2e/` holds what the platform promises (crashes, races, bad input, the five games; `faults/`: what a cluster survives),
//! on the embedded backends and on Redis and Kafka; `sim/` streamers and compactors in one process under seeded faults; `cluster/`
//! runs on a real Kubernetes; `clients/` holds the tools that users have (Trino CLI, Python clients, DuckDB, Apache Bench, curl). Tools are installed by `cargo xtask test`, which also tells
//! the tests where they are.

pub mod backends;
pub mod cluster;
pub mod failpoints;
pub mod http;
pub mod ledger;
pub mod load;
pub mod model;
pub mod platform;
pub mod process;
pub mod random;
pub mod small_disk;
pub mod start;
pub mod tools;
pub mod wait;
pub mod wall_clock;

pub use backends::Backends;
pub use http::{Client, Reply};
pub use platform::Platform;
pub use start::{Role, Start};
