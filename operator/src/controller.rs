//! Everything around the loop: watches, who works and who stands by, probes, metrics, events.

pub mod backoff;
pub mod context;
pub mod events;
pub mod memory;
pub mod metrics;

mod lag;
