//! What the platform promises, shown on the real binary.

mod bad_input;
mod consistency;
mod crash;
mod games;
mod operations;
mod pressure;
mod races;
mod telemetry;
