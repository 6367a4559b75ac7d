//! What the platform promises, shown on the real binary.

mod bad_input;
mod crash;
mod games;
mod operations;
mod races;
mod telemetry;
