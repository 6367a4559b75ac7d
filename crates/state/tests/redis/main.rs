//! The state store in Redis, on real servers. Names begin with `redis_`: what these tests are skipped by where there is none.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bad_input;
mod conformance;
mod faults;
mod losses;
mod stores;
