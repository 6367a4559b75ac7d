//! What every process shares: clock and randomness, shutdown, serving HTTP, probes and metrics, logs, failpoints.
//!
//! May import: axum, hyper, tokio, tracing, prometheus-client. Must not import any other gamepipe crate.

pub mod batcher;
pub mod clock;
pub mod directory;
pub mod failpoint;
pub mod http;
pub mod probes;
pub mod starting;
pub mod telemetry;

/// Cancelled when the process must stop: finish what is in flight, take nothing new.
pub use tokio_util::sync::CancellationToken as Shutdown;
