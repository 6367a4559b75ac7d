//! What tests share: a clock that tests turn, waiting with a deadline, servers to test against, and the conformance suites
//! of the two stores.
//!
//! Only tests depend on it. May import: domain, service, and the ports of state and eventlog.

pub mod clock;
pub mod conformance;
pub mod kafka_server;
pub mod network;
pub mod place;
mod process;
pub mod redis_server;
pub mod reexec;
pub mod s3_proxy;
pub mod s3_server;
pub mod token_service;
pub mod transfers;
pub mod wait;
