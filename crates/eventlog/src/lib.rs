//! The event log: partitioned, ordered, durable.
//!
//! [`EventLog`] is the port; [`embedded`] keeps it in one directory (fjall), [`kafka`] in a topic of Kafka. May import: domain,
//! config, service. Owns fjall for the log, and rdkafka.

pub mod log;
pub mod share;

pub mod embedded;
pub mod kafka;

pub use log::{
    Appended, EventLog, LogError, LogRecord, OutboxBatch, PartitionOffsets, Position, ReadBatch,
    Record, partition_of,
};
pub use share::{Membership, Share, WholeLog};
