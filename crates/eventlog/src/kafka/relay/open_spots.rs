//! Where something is open: the first record of a partition that belongs to a transaction which has not ended.

use rdkafka::error::KafkaError;
use rdkafka::message::BorrowedMessage;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::kafka::clients::{Clients, Consume};
use crate::kafka::headers::entry_of;
use crate::kafka::meta::{self, Until};
use crate::kafka::polling::{self, Polled, Reading};
use crate::log::LogError;

/// Where a partition begins to have something that is not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spot {
    place: Place,
    offset: u64,
}

impl Spot {
    /// True when it is before these ends of the events' partitions.
    pub(super) fn is_before(&self, ends: &[u64]) -> bool {
        match self.place {
            Place::Events(partition) => ends
                .get(partition as usize)
                .is_some_and(|end| self.offset < *end),
            Place::Meta => false,
        }
    }

    #[cfg(test)]
    pub(super) fn of_events(partition: u32, offset: u64) -> Self {
        Self {
            place: Place::Events(partition),
            offset,
        }
    }
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
    /// The first open entry of each partition of the events that has one.
    pub(super) events: Vec<OpenEntry>,
    /// The first open position.
    pub(super) position: Option<u64>,
}

/// An entry that is not committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct OpenEntry {
    pub(super) partition: u32,
    pub(super) number: u64,
}

impl Open {
    /// True when there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty() && self.position.is_none()
    }
}

/// A look at all partitions.
#[derive(Debug)]
pub(super) struct Look {
    /// Where anything is open, whoever has begun it.
    pub(super) spots: Vec<Spot>,
    /// Where the partitions of the events ended before that.
    pub(super) ends: Vec<u64>,
}

/// Finds where anything is open. Blocks.
pub(super) fn find(clients: &Clients, partitions: u32) -> Result<Look, LogError> {
    // In this order: what comes in between must not pass for open.
    let ends = clients.raw_highs(partitions)?;
    let stable = clients.stable_highs(partitions)?;
    let end = meta::end(clients, Until::Settled)?;
    let settled = meta::end(clients, Until::Committed)?;
    let both = stable.into_iter().zip(ends.iter().copied());
    let places = (0..).map(Place::Events).zip(both);
    let is_open = |(place, (offset, end)): (Place, (u64, u64))| {
        (offset < end).then_some(Spot { place, offset })
    };
    let spots = places
        .chain([(Place::Meta, (settled, end))])
        .filter_map(is_open)
        .collect();
    Ok(Look { spots, ends })
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
    let doing = format!(
        "read what is not committed in topic {}",
        clients.place.topic
    );
    let fail = |error: KafkaError| clients.explain(&doing, &error);
    let consumer = consumer_at(clients, spots).map_err(fail)?;
    let reading = Reading {
        doing: &doing,
        patience: clients.place.timeout,
        or_else: "",
    };
    let mut left = spots.to_vec();
    polling::read(clients, consumer, &reading, |polled| {
        if let Polled::Record(message) = polled {
            // Of each the first one; what is behind it came later.
            let is_met = |spot: &Spot| is_at(clients, spot.place, &message);
            if let Some(met) = left.iter().position(is_met) {
                let spot = left.swap_remove(met);
                take(&mut open, spot.place, outbox_id, &message);
            }
        }
        Ok(polling::until(left.is_empty()))
    })?;
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
                open.events.push(OpenEntry { partition, number });
            }
        }
        Place::Meta => {
            let (key, value) = (message.key(), message.payload());
            let (key, value) = (key.unwrap_or_default(), value.unwrap_or_default());
            open.position = meta::position_of(outbox_id, key, value);
        }
    }
}
