//! Where something is open: the first record of a partition that belongs to a transaction which has not ended.

use std::time::Instant;

use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::kafka::clients::{Clients, Consume, drop_later};
use crate::kafka::headers::entry_of;
use crate::kafka::meta::{self, Until};
use crate::log::LogError;

/// Where a partition begins to have something that is not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    place: Place,
    offset: u64,
}

/// A partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Of the events.
    Events(u32),
    /// Of the topic beside them.
    Meta,
}

/// What of an outbox is open.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Open {
    /// Partitions of the events, and the number of the first open entry of each.
    pub(super) events: Vec<(u32, u64)>,
    /// The first open position.
    pub(super) position: Option<u64>,
}

impl Open {
    /// True when there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.position.is_none()
    }
}

/// Finds where anything is open, whoever has begun it. Blocks.
pub(super) fn find(clients: &Clients, partitions: u32) -> Result<Vec<Spot>, LogError> {
    // In this order: what comes in between must not pass for open.
    let ends = clients.raw_highs(partitions)?;
    let stable = clients.stable_highs(partitions)?;
    let end = meta::end(clients, Until::Settled)?;
    let settled = meta::end(clients, Until::Committed)?;
    let places = (0..).map(Place::Events).zip(stable.into_iter().zip(ends));
    let is_open = |(place, (offset, end)): (Place, (u64, u64))| {
        (offset < end).then_some(Spot { place, offset })
    };
    Ok(places
        .chain([(Place::Meta, (settled, end))])
        .filter_map(is_open)
        .collect())
}

/// What of an outbox begins at these spots. Blocks.
pub(super) fn of_outbox(
    clients: &Clients,
    spots: &[Spot],
    outbox_id: &str,
) -> Result<Open, LogError> {
    let mut open = Open::default();
    if spots.is_empty() {
        return Ok(open);
    }
    let place = &clients.place;
    let fail = |error: KafkaError| clients.explain("read what is not committed", &error);
    let deadline = Instant::now() + place.timeout;
    let consumer = consumer_at(clients, spots).map_err(fail)?;
    let mut left = spots.to_vec();
    while !left.is_empty() {
        match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(Ok(message)) => {
                // Of each the first one; what is behind it came later.
                let is_met = |spot: &Spot| is_at(clients, spot.place, &message);
                if let Some(met) = left.iter().position(is_met) {
                    let spot = left.swap_remove(met);
                    take(&mut open, spot.place, outbox_id, &message);
                }
            }
            Some(Err(error)) if meta::is_passing(&error) => {}
            Some(Err(error)) => return Err(fail(error)),
            None => {}
        }
        if !left.is_empty() && Instant::now() >= deadline {
            return Err(LogError::Unavailable(format!(
                "failed to read what is not committed in topic {} in time (log.kafka.timeoutMs is {})",
                place.topic,
                place.timeout.as_millis()
            )));
        }
    }
    drop_later(consumer);
    Ok(open)
}

/// A consumer that reads from these spots on, committed or not.
fn consumer_at(clients: &Clients, spots: &[Spot]) -> Result<Consume, KafkaError> {
    let place = &clients.place;
    let mut config = place.consumer();
    config
        .set("isolation.level", "read_uncommitted")
        // They name no topic, and there are two.
        .set("enable.partition.eof", "false");
    let mut start = TopicPartitionList::new();
    for spot in spots {
        let (topic, partition) = match spot.place {
            Place::Events(partition) => (&place.topic, partition),
            Place::Meta => (&place.meta, meta::PARTITION),
        };
        let offset = Offset::Offset(i64::try_from(spot.offset).unwrap_or(i64::MAX));
        start.add_partition_offset(topic, i32::try_from(partition).unwrap_or(-1), offset)?;
    }
    clients.consume(&config, &start)
}

fn is_at(clients: &Clients, place: Place, message: &BorrowedMessage<'_>) -> bool {
    match place {
        Place::Events(partition) => {
            message.topic() == clients.place.topic
                && u32::try_from(message.partition()) == Ok(partition)
        }
        Place::Meta => message.topic() == clients.place.meta,
    }
}

fn take(open: &mut Open, place: Place, outbox_id: &str, message: &BorrowedMessage<'_>) {
    match place {
        Place::Events(partition) => {
            let number = |outbox: &str, number: u64| (outbox == outbox_id).then_some(number);
            if let Some((Some(number), _)) = entry_of(message, number) {
                open.events.push((partition, number));
            }
        }
        Place::Meta => {
            let (key, value) = (message.key(), message.payload());
            let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
            open.position = meta::position_of(outbox_id, key, value);
        }
    }
}
