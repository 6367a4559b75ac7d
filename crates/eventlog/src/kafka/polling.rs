//! Reading with a consumer of its own until something is found.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;

use super::clients::{Clients, Consume, drop_later};
use super::context::take_end;
use super::problem::is_passing;
use crate::log::LogError;

/// What a consumer brings.
pub(super) enum Polled<'a> {
    /// A record.
    Record(BorrowedMessage<'a>),
    /// A partition has no more now.
    End {
        partition: i32,
        /// Where it ends.
        offset: Option<u64>,
    },
}

/// What is read, and for how long.
pub(super) struct Reading<'a> {
    /// For errors: "failed to ...".
    pub(super) doing: &'a str,
    pub(super) patience: Duration,
    /// What else may be the cause when that is over.
    pub(super) or_else: &'a str,
}

/// Says that the reading ends when this is true.
pub(super) fn until(is_done: bool) -> ControlFlow<()> {
    if is_done {
        ControlFlow::Break(())
    } else {
        ControlFlow::Continue(())
    }
}

/// Gives what the consumer brings to `take`, until that breaks. The consumer ends with it. Blocks.
pub(super) fn read(
    clients: &Clients,
    consumer: Consume,
    reading: &Reading<'_>,
    take: impl FnMut(Polled<'_>) -> Result<ControlFlow<()>, LogError>,
) -> Result<(), LogError> {
    let read = poll(clients, &consumer, reading, take);
    drop_later(consumer);
    read
}

fn poll(
    clients: &Clients,
    consumer: &Consume,
    reading: &Reading<'_>,
    mut take: impl FnMut(Polled<'_>) -> Result<ControlFlow<()>, LogError>,
) -> Result<(), LogError> {
    let deadline = Instant::now() + reading.patience;
    loop {
        let polled = match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(Ok(message)) => Some(Polled::Record(message)),
            Some(Err(KafkaError::PartitionEOF(partition))) => Some(Polled::End {
                partition,
                offset: take_end(),
            }),
            Some(Err(error)) if is_passing(&error) => None,
            Some(Err(error)) => return Err(clients.explain(reading.doing, &error)),
            None => None,
        };
        if let Some(polled) = polled
            && take(polled)?.is_break()
        {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(LogError::Unavailable(format!(
                "failed to {} within {} s: brokers are slow (log.kafka.timeoutMs is {}){}",
                reading.doing,
                reading.patience.as_secs(),
                clients.place.timeout.as_millis(),
                reading.or_else
            )));
        }
    }
}
