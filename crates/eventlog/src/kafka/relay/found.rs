//! What the partitions have of the entries that must be there.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use super::open_spots;
use super::step::{Put, Steps};
use super::wanted::Wanted;
use crate::kafka::headers::{NO_EVENT, entry_of};
use crate::kafka::polling::{self, Polled, Reading};
use crate::log::LogError;

/// More bytes of them than this are not kept in memory.
const MAX_BYTES: usize = 256 << 20;

/// The pause between two looks whether anything is open.
const CLOSING_PAUSE: Duration = Duration::from_millis(50);

/// What the partitions have of an outbox's entries, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// What readers see: in which partition each is.
    committed: BTreeMap<u64, u32>,
    /// All that is there, where readers don't see all that is wanted.
    all: BTreeMap<u64, Put>,
    bytes: usize,
}

impl Found {
    /// The wanted entries that readers don't see, in order. The error is the number of one that is nowhere, or would come behind a later one of its partition, where
    /// readers pass over it.
    pub(super) fn missing(&self, wanted: &Wanted) -> Result<Vec<(u64, &Put)>, u64> {
        let mut highest: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, partition) in &self.committed {
            highest.insert(*partition, *number);
        }
        let mut missing = Vec::new();
        for number in wanted.after + 1..=wanted.up_to {
            if self.committed.contains_key(&number) {
                continue;
            }
            let Some(put) = self.all.get(&number) else {
                // What retention takes has landed.
                if wanted.is_cut && number <= wanted.position {
                    continue;
                }
                return Err(number);
            };
            if highest
                .get(&put.partition)
                .is_some_and(|last| *last > number)
            {
                return Err(number);
            }
            missing.push((number, put));
        }
        Ok(missing)
    }
}

/// Looks for the entries that are wanted: among what readers see, and then among all that is there. Blocks.
pub(super) fn find(steps: &Steps<'_>, partitions: u32, wanted: &Wanted) -> Result<Found, LogError> {
    let mut found = Found::default();
    if find_committed(steps, partitions, wanted, &mut found)? {
        return Ok(found);
    }
    // What readers don't see yet is not missing.
    wait_until_closed(steps, partitions)?;
    if !find_committed(steps, partitions, wanted, &mut found)? {
        find_uncommitted(steps, partitions, wanted, &mut found)?;
    }
    Ok(found)
}

/// True when readers see all that is wanted.
fn find_committed(
    steps: &Steps<'_>,
    partitions: u32,
    wanted: &Wanted,
    found: &mut Found,
) -> Result<bool, LogError> {
    let ends = steps.clients.stable_highs(partitions)?;
    let mut left = wanted.up_to - wanted.after;
    found.committed.clear();
    scan(steps, wanted, "read_committed", &ends, |number, message| {
        let is_new = found.committed.insert(number, partition_of(message));
        if is_new.is_none() && number <= wanted.up_to {
            left -= 1;
        }
        Ok(left == 0)
    })?;
    Ok(left == 0)
}

/// Takes in what readers don't see of it.
fn find_uncommitted(
    steps: &Steps<'_>,
    partitions: u32,
    wanted: &Wanted,
    found: &mut Found,
) -> Result<(), LogError> {
    let ends = steps.clients.raw_highs(partitions)?;
    let is_seen = |number: &u64| found.committed.contains_key(number);
    let seen = (wanted.after + 1..=wanted.up_to).filter(is_seen).count() as u64;
    let left = wanted.up_to - wanted.after - seen;
    scan(
        steps,
        wanted,
        "read_uncommitted",
        &ends,
        |number, message| {
            let is_there = found.committed.contains_key(&number) || found.all.contains_key(&number);
            if number <= wanted.up_to && !is_there {
                let put = put_of(message);
                found.bytes += put.bytes();
                if found.bytes > MAX_BYTES {
                    return Err(LogError::Unavailable(format!(
                        "the events that topic {} has to be given again are more than {} MiB",
                        steps.clients.place.topic,
                        MAX_BYTES >> 20
                    )));
                }
                found.all.insert(number, put);
            }
            Ok(found.all.len() as u64 == left)
        },
    )
}

/// Waits until nothing is open: commits come to the partitions a moment after their answer. Blocks.
fn wait_until_closed(steps: &Steps<'_>, partitions: u32) -> Result<(), LogError> {
    let place = &steps.clients.place;
    let deadline = Instant::now() + place.timeout;
    while !open_spots::find(steps.clients, partitions)?
        .spots
        .is_empty()
    {
        if Instant::now() >= deadline {
            return Err(LogError::Unavailable(format!(
                "a transaction of another relay is open in topic {}; the relay of outbox {} begins when it has ended",
                place.topic, steps.outbox_id
            )));
        }
        std::thread::sleep(CLOSING_PAUSE);
    }
    Ok(())
}

fn partition_of(message: &BorrowedMessage<'_>) -> u32 {
    u32::try_from(message.partition()).unwrap_or(u32::MAX)
}

/// The same record once more.
fn put_of(message: &BorrowedMessage<'_>) -> Put {
    let headers = message.headers();
    Put {
        partition: partition_of(message),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.map_or_else(OwnedHeaders::new, |headers| headers.detach()),
    }
}

/// The number of an entry of this outbox.
fn number_of(message: &BorrowedMessage<'_>, outbox_id: &str) -> Option<u64> {
    let number = |outbox: &str, number: u64| (outbox == outbox_id).then_some(number);
    let (number, _) = entry_of(message, number)?;
    number.filter(|number| *number != NO_EVENT)
}

/// Gives the outbox's entries behind those that are checked, of each partition up to its end, or until `take` has enough. Blocks.
fn scan(
    steps: &Steps<'_>,
    wanted: &Wanted,
    isolation: &str,
    ends: &[u64],
    mut take: impl FnMut(u64, &BorrowedMessage<'_>) -> Result<bool, LogError>,
) -> Result<(), LogError> {
    let (clients, starts) = (steps.clients, &wanted.starts);
    let place = &clients.place;
    let doing = format!("read what is missing in topic {}", place.topic);
    let fail = |error: KafkaError| clients.explain(&doing, &error);
    let mut left: BTreeMap<i32, u64> = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for (partition, (start, end)) in (0..).zip(starts.iter().zip(ends)) {
        if start < end {
            left.insert(partition, *end);
            let offset = Offset::Offset(i64::try_from(*start).unwrap_or(i64::MAX));
            list.add_partition_offset(&place.topic, partition, offset)
                .map_err(fail)?;
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut config = place.consumer();
    config.set("isolation.level", isolation);
    let consumer = clients.consume(&config, &list).map_err(fail)?;
    let reading = Reading {
        doing: &doing,
        patience: place.patience(),
        or_else: "",
    };
    polling::read(clients, consumer, &reading, |polled| {
        let has_all = match polled {
            Polled::Record(message) => {
                let number = number_of(&message, steps.outbox_id);
                let has_all = match number.filter(|number| *number > wanted.after) {
                    Some(number) => take(number, &message)?,
                    None => false,
                };
                let partition = message.partition();
                let next = u64::try_from(message.offset()).unwrap_or(0) + 1;
                if left.get(&partition).is_some_and(|end| next >= *end) {
                    left.remove(&partition);
                }
                has_all
            }
            Polled::End { partition, .. } => {
                left.remove(&partition);
                false
            }
        };
        Ok(polling::until(has_all || left.is_empty()))
    })
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedHeaders;

    use super::{Found, Put, Wanted};

    fn put(partition: u32, bytes: usize) -> Put {
        Put {
            partition,
            key: Vec::new(),
            value: vec![b'x'; bytes],
            headers: OwnedHeaders::new(),
        }
    }

    fn found(committed: &[(u64, u32)], all: &[(u64, u32)]) -> Found {
        let put = |(number, partition): &(u64, u32)| (*number, put(*partition, 1));
        Found {
            committed: committed.iter().copied().collect(),
            all: all.iter().map(put).collect(),
            ..Found::default()
        }
    }

    /// All entries behind the tenth; the log's position counts some.
    fn wanted(position: u64, up_to: u64) -> Wanted {
        Wanted {
            after: 10,
            position,
            up_to,
            starts: vec![100, 100],
            is_cut: false,
        }
    }

    fn missing(found: &Found, position: u64, up_to: u64) -> Result<Vec<u64>, u64> {
        numbers(found, &wanted(position, up_to))
    }

    fn numbers(found: &Found, wanted: &Wanted) -> Result<Vec<u64>, u64> {
        let missing = found.missing(wanted)?;
        Ok(missing.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn what_readers_see_is_not_put_again() {
        let found = found(
            &[(11, 0), (13, 0), (15, 0)],
            &[(12, 1), (14, 1), (15, 2), (16, 1)],
        );
        assert_eq!(missing(&found, 10, 15), Ok(vec![12, 14]));
        assert_eq!(missing(&found, 15, 15), Ok(vec![12, 14]));
        assert_eq!(missing(&found, 10, 11), Ok(vec![]));
    }

    #[test]
    fn what_is_nowhere_is_not_made_up() {
        let found = found(&[(11, 0)], &[(13, 1)]);
        assert_eq!(missing(&found, 10, 13), Err(12));
        assert_eq!(missing(&found, 13, 13), Err(12));
    }

    #[test]
    fn what_retention_may_have_taken_is_not_missing() {
        let found = found(&[(12, 0)], &[(13, 1)]);
        let whole = wanted(13, 13).within(&[100, 90], &[900, 900]);
        assert_eq!(numbers(&found, &whole), Err(11));
        let cut = |up_to| wanted(13, up_to).within(&[100, 101], &[900, 900]);
        assert_eq!(cut(13).starts, [100, 101]);
        assert_eq!(numbers(&found, &cut(13)), Ok(vec![13]));
        assert_eq!(numbers(&found, &cut(14)), Err(14));
    }

    #[test]
    fn what_readers_would_pass_over_is_not_put_behind() {
        let found = found(&[(12, 0)], &[(11, 0)]);
        assert_eq!(missing(&found, 10, 12), Err(11));
    }
}
