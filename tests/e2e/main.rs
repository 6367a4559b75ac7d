//! What the platform promises, shown on the real binary.

mod bad_input;
mod consistency;
mod crash;
mod damage;
mod disk_full;
mod faults;
mod games;
mod operations;
mod outage;
mod pressure;
mod races;
mod roles;
mod telemetry;
