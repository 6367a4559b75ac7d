//! Entries that must be on the log and that no reader sees: their transaction was aborted after all. The position counts them, or the outbox has forgotten them. A relay
//! was told that they were committed, and then brokers lost that, or the next relay ended while it put that right. The partitions have them still, and they are put there
//! again.

use std::collections::BTreeMap;

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use super::step::{Put, Steps};
use super::wanted::Wanted;
use crate::kafka::headers::{NO_EVENT, entry_of};
use crate::kafka::loss;
use crate::kafka::meta::Progress;
use crate::kafka::polling::{self, Polled, Reading};
use crate::log::LogError;

/// More entries than this behind the position are not looked for: a relay commits thousands at a time, so a log that lacks more is not the outbox's.
const MAX_ENTRIES: u64 = 1 << 16;

/// Nor are more bytes of them kept in memory.
const MAX_BYTES: usize = 256 << 20;

/// How many bytes go into one transaction: a quarter of what the producer holds.
const STEP_BYTES: usize = 16 << 20;

/// Puts the entries that must be on the log and are not there on it, and moves the position up to `counted`: up to there the outbox has forgotten them. Where the
/// partitions don't have one of those that the position counts it is an error. Where they don't have those behind it, the log is not the outbox's, or has lost its end:
/// the position stays, and who sends the next entry is told of the gap. Blocks.
pub(super) fn put_again(
    steps: &Steps<'_>,
    partitions: u32,
    progress: &mut Progress,
    counted: u64,
) -> Result<(), LogError> {
    let clients = steps.clients;
    let (lows, ends) = (clients.lows(partitions)?, clients.raw_highs(partitions)?);
    let mut wanted = Wanted::new(progress, counted).within(&lows, &ends);
    if wanted.up_to - wanted.position > MAX_ENTRIES {
        say_behind(steps, &wanted);
        wanted.up_to = wanted.position;
    }
    if wanted.after == wanted.up_to {
        return Ok(());
    }
    let found = find(steps, partitions, &wanted)?;
    let missing = match found.missing(&wanted) {
        Ok(missing) => missing,
        Err(number) if number > wanted.position => {
            say_behind(steps, &wanted);
            wanted.up_to = wanted.position;
            let missing = found.missing(&wanted);
            missing.map_err(|number| lost(steps, number))?
        }
        Err(number) => return Err(lost(steps, number)),
    };
    if missing.is_empty() && wanted.up_to == wanted.position {
        return Ok(());
    }
    tracing::warn!(
        outbox.id = steps.outbox_id,
        outbox.position = wanted.position,
        outbox.trimmed = counted,
        log.missing = missing.len(),
        "events were acknowledged and are put on the log again: brokers have lost that they were committed"
    );
    let all = split(&missing);
    for (index, step) in all.iter().enumerate() {
        // Up to the last one of the step all is there; behind the last step, up to where it must be.
        progress.position = match step.last() {
            Some((number, _)) if index + 1 < all.len() => wanted.position.max(*number),
            _ => wanted.up_to,
        };
        let puts: Vec<&Put> = step.iter().map(|(_, put)| *put).collect();
        steps.commit(&puts, Some(progress))?;
    }
    Ok(())
}

fn say_behind(steps: &Steps<'_>, wanted: &Wanted) {
    tracing::warn!(
        outbox.id = steps.outbox_id,
        outbox.position = wanted.position,
        outbox.trimmed = wanted.up_to,
        "the log does not have all that the outbox has forgotten"
    );
}

fn lost(steps: &Steps<'_>, number: u64) -> LogError {
    let outbox_id = steps.outbox_id;
    let what = format!("event {number} of outbox {outbox_id} was put there and is gone");
    loss::lost(steps.clients, &what)
}

/// In steps of some bytes; one without any entry where none is missing.
fn split<'a, 'b>(missing: &'b [(u64, &'a Put)]) -> Vec<&'b [(u64, &'a Put)]> {
    let mut steps = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (index, (_, put)) in missing.iter().enumerate() {
        bytes += put.bytes();
        if bytes >= STEP_BYTES {
            steps.push(&missing[begin..=index]);
            (begin, bytes) = (index + 1, 0);
        }
    }
    if begin < missing.len() || missing.is_empty() {
        steps.push(&missing[begin..]);
    }
    steps
}

/// What the partitions have of an outbox's entries, by their numbers.
#[derive(Debug, Default)]
struct Found {
    /// What readers see: in which partition each is.
    committed: BTreeMap<u64, u32>,
    /// All that is there, where readers don't see all that is wanted.
    all: BTreeMap<u64, Put>,
    bytes: usize,
}

impl Found {
    /// The wanted entries that readers don't see, in order. The error is the number of one that is nowhere, or would come behind a later one of its partition, where
    /// readers pass over it.
    fn missing(&self, wanted: &Wanted) -> Result<Vec<(u64, &Put)>, u64> {
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

fn find(steps: &Steps<'_>, partitions: u32, wanted: &Wanted) -> Result<Found, LogError> {
    let Steps {
        clients, outbox_id, ..
    } = steps;
    let number_of = |message: &BorrowedMessage<'_>| {
        let number = |outbox: &str, number: u64| (outbox == *outbox_id).then_some(number);
        let (number, _) = entry_of(message, number)?;
        number.filter(|number| *number != NO_EVENT && *number > wanted.after)
    };
    let starts = &wanted.starts;
    let mut found = Found::default();
    let mut left = wanted.up_to - wanted.after;
    let ends = clients.stable_highs(partitions)?;
    scan(steps, "read_committed", starts, &ends, |message| {
        if let Some(number) = number_of(message) {
            let is_new = found.committed.insert(number, partition_of(message));
            if is_new.is_none() && number <= wanted.up_to {
                left -= 1;
            }
        }
        Ok(left == 0)
    })?;
    if left == 0 {
        return Ok(found);
    }
    let ends = clients.raw_highs(partitions)?;
    scan(steps, "read_uncommitted", starts, &ends, |message| {
        let number = number_of(message).filter(|number| *number <= wanted.up_to);
        if let Some(number) = number
            && !found.committed.contains_key(&number)
            && !found.all.contains_key(&number)
        {
            let put = put_of(message);
            found.bytes += put.bytes();
            if found.bytes > MAX_BYTES {
                return Err(LogError::Unavailable(format!(
                    "the events that topic {} has to be given again are more than {} MiB",
                    clients.place.topic,
                    MAX_BYTES >> 20
                )));
            }
            found.all.insert(number, put);
        }
        Ok(false)
    })?;
    Ok(found)
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

/// Reads each partition from its start up to its end, or until `take` has enough. Blocks.
fn scan(
    steps: &Steps<'_>,
    isolation: &str,
    starts: &[u64],
    ends: &[u64],
    mut take: impl FnMut(&BorrowedMessage<'_>) -> Result<bool, LogError>,
) -> Result<(), LogError> {
    let clients = steps.clients;
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
                let has_all = take(&message)?;
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

    use super::{Found, Put, Wanted, split};

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

    #[test]
    fn steps_have_all_in_order() {
        let puts: Vec<_> = (0..5).map(|_| put(0, 7 << 20)).collect();
        let missing: Vec<_> = (1..).zip(&puts).collect();
        let steps: Vec<Vec<u64>> = split(&missing)
            .into_iter()
            .map(|step| step.iter().map(|(number, _)| *number).collect())
            .collect();
        assert_eq!(steps, [vec![1, 2, 3], vec![4, 5]]);
        assert_eq!(split(&[]).len(), 1);
        assert_eq!(split(&missing[..3]).len(), 1);
    }
}
