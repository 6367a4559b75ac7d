//! The event log in Kafka, on real brokers. Names begin with `kafka_`: what these tests are skipped by where there is none.

#![expect(clippy::unwrap_used, reason = "tests")]

mod aborted;
mod conformance;
mod damaged;
mod forgotten;
mod hanging;
mod logs;
mod opening;
mod relaying;
mod server;
mod sharing;
mod silence;
