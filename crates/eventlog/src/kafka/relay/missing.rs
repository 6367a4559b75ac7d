//! Entries that must be on the log, since the outbox has forgotten them, and that no reader sees: their transaction was aborted after all. A relay was told that it was
//! committed, and then brokers lost that, or the next relay ended while it put that right. The partitions have them still, and they are put there again.

use std::collections::BTreeMap;
use std::time::Instant;

use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message as _, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

use super::step::{Put, Steps};
use crate::kafka::clients::{Clients, drop_later};
use crate::kafka::headers::{NO_EVENT, entry_of};
use crate::kafka::meta::{Progress, is_passing};
use crate::log::LogError;

/// More entries than this are not looked for: a relay commits thousands at a time, so a log that lacks more is not the outbox's.
const MAX_ENTRIES: u64 = 1 << 16;

/// Nor are more bytes of them kept in memory.
const MAX_BYTES: usize = 256 << 20;

/// How many bytes go into one transaction: a quarter of what the producer holds.
const STEP_BYTES: usize = 16 << 20;

/// Puts the entries behind the position and up to `counted` on the log that are not on it, and moves the position. Where the partitions don't have all of them
/// either, the log is not the outbox's, or has lost its end: all stays as it is, and who sends the next entry is told of the gap. Blocks.
pub(super) fn put_again(
    steps: &Steps<'_>,
    partitions: u32,
    progress: &mut Progress,
    counted: u64,
) -> Result<(), LogError> {
    let after = progress.position;
    if counted - after > MAX_ENTRIES {
        return Ok(());
    }
    let found = find(steps, partitions, progress, counted)?;
    let Some(missing) = found.missing(after, counted) else {
        tracing::warn!(
            outbox.id = steps.outbox_id,
            outbox.position = after,
            outbox.trimmed = counted,
            "the log does not have all that the outbox has forgotten"
        );
        return Ok(());
    };
    tracing::warn!(
        outbox.id = steps.outbox_id,
        outbox.position = after,
        outbox.trimmed = counted,
        log.missing = missing.len(),
        "events were acknowledged and are put on the log again: brokers have lost that they were committed"
    );
    for step in split(&missing) {
        // Up to the last one of the step all is there; behind the last step, up to where it must be.
        let is_last =
            step.last().map(|(number, _)| *number) == missing.last().map(|(number, _)| *number);
        progress.position = match step.last() {
            Some((number, _)) if !is_last => *number,
            _ => counted,
        };
        let puts: Vec<&Put> = step.iter().map(|(_, put)| *put).collect();
        steps.commit(&puts, Some(progress))?;
    }
    Ok(())
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
    /// All that is there.
    all: BTreeMap<u64, Put>,
    bytes: usize,
}

impl Found {
    /// The entries of this range that readers don't see, in order; `None` when one is nowhere, or would come behind a later one of its partition, where readers pass
    /// over it.
    fn missing(&self, after: u64, up_to: u64) -> Option<Vec<(u64, &Put)>> {
        let mut highest: BTreeMap<u32, u64> = BTreeMap::new();
        for (number, partition) in &self.committed {
            highest.insert(*partition, *number);
        }
        let mut missing = Vec::new();
        for number in after + 1..=up_to {
            if self.committed.contains_key(&number) {
                continue;
            }
            let put = self.all.get(&number)?;
            if highest
                .get(&put.partition)
                .is_some_and(|last| *last > number)
            {
                return None;
            }
            missing.push((number, put));
        }
        Some(missing)
    }
}

fn find(
    steps: &Steps<'_>,
    partitions: u32,
    progress: &Progress,
    counted: u64,
) -> Result<Found, LogError> {
    let Steps {
        clients, outbox_id, ..
    } = steps;
    let lows = clients.lows(partitions)?;
    let reached = progress.reached.iter().copied().chain(std::iter::repeat(0));
    // What is not on the log came after what was there before the transaction that gave the position.
    let starts: Vec<u64> = lows
        .iter()
        .zip(reached)
        .map(|(low, reached)| reached.max(*low))
        .collect();
    let is_wanted = |number: u64| number != NO_EVENT && number > progress.position;
    let mut found = Found::default();
    let ends = clients.stable_highs(partitions)?;
    scan(
        clients,
        "read_committed",
        &starts,
        &ends,
        |partition, message| {
            if let Some(number) = number_of(message, outbox_id).filter(|number| is_wanted(*number))
            {
                found.committed.insert(number, partition);
            }
            Ok(())
        },
    )?;
    let ends = clients.raw_highs(partitions)?;
    scan(
        clients,
        "read_uncommitted",
        &starts,
        &ends,
        |partition, message| {
            let number = number_of(message, outbox_id);
            let Some(number) = number.filter(|number| is_wanted(*number) && *number <= counted)
            else {
                return Ok(());
            };
            if found.committed.contains_key(&number) || found.all.contains_key(&number) {
                return Ok(());
            }
            let put = Put {
                partition,
                key: message.key().unwrap_or_default().to_vec(),
                value: message.payload().unwrap_or_default().to_vec(),
                headers: message
                    .headers()
                    .map_or_else(OwnedHeaders::new, |headers| headers.detach()),
            };
            found.bytes += put.bytes();
            if found.bytes > MAX_BYTES {
                return Err(LogError::Unavailable(format!(
                    "the events that topic {} has to be given again are more than {} MiB",
                    clients.place.topic,
                    MAX_BYTES >> 20
                )));
            }
            found.all.insert(number, put);
            Ok(())
        },
    )?;
    Ok(found)
}

/// The number of an entry of this outbox.
fn number_of(message: &BorrowedMessage<'_>, outbox_id: &str) -> Option<u64> {
    let number = |outbox: &str, number: u64| (outbox == outbox_id).then_some(number);
    let (number, _) = entry_of(message, number)?;
    number
}

/// Reads each partition from its start up to its end. Blocks.
fn scan(
    clients: &Clients,
    isolation: &str,
    starts: &[u64],
    ends: &[u64],
    mut take: impl FnMut(u32, &BorrowedMessage<'_>) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let place = &clients.place;
    let fail = |error: KafkaError| clients.explain("read what is missing on the log", &error);
    let mut left: BTreeMap<u32, u64> = BTreeMap::new();
    let mut list = TopicPartitionList::new();
    for (partition, (start, end)) in (0..).zip(starts.iter().zip(ends)) {
        if start < end {
            left.insert(partition, *end);
            let offset = Offset::Offset(i64::try_from(*start).unwrap_or(i64::MAX));
            let partition = i32::try_from(partition).unwrap_or(-1);
            list.add_partition_offset(&place.topic, partition, offset)
                .map_err(fail)?;
        }
    }
    if left.is_empty() {
        return Ok(());
    }
    let mut config = place.consumer();
    config.set("isolation.level", isolation);
    let deadline = Instant::now() + place.patience();
    let consumer = clients.consume(&config, &list).map_err(fail)?;
    while !left.is_empty() {
        match consumer.poll(deadline.saturating_duration_since(Instant::now())) {
            Some(Ok(message)) => {
                let partition = u32::try_from(message.partition()).unwrap_or(u32::MAX);
                let next = u64::try_from(message.offset()).unwrap_or(0) + 1;
                take(partition, &message)?;
                if left.get(&partition).is_some_and(|end| next >= *end) {
                    left.remove(&partition);
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                left.remove(&u32::try_from(partition).unwrap_or(u32::MAX));
            }
            Some(Err(error)) if is_passing(&error) => {}
            Some(Err(error)) => return Err(fail(error)),
            None => {}
        }
        if !left.is_empty() && Instant::now() >= deadline {
            return Err(LogError::Unavailable(format!(
                "failed to read what is missing in topic {} within {} s",
                place.topic,
                place.patience().as_secs()
            )));
        }
    }
    drop_later(consumer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedHeaders;

    use super::{Found, Put, split};

    fn put(partition: u32, bytes: usize) -> Put {
        Put {
            partition,
            key: Vec::new(),
            value: vec![b'x'; bytes],
            headers: OwnedHeaders::new(),
        }
    }

    fn found(committed: &[(u64, u32)], all: &[(u64, u32)]) -> Found {
        Found {
            committed: committed.iter().copied().collect(),
            all: all
                .iter()
                .map(|(number, partition)| (*number, put(*partition, 1)))
                .collect(),
            bytes: 0,
        }
    }

    fn missing(found: &Found, after: u64, up_to: u64) -> Option<Vec<u64>> {
        let missing = found.missing(after, up_to)?;
        Some(missing.into_iter().map(|(number, _)| number).collect())
    }

    #[test]
    fn what_readers_see_is_not_put_again() {
        let found = found(
            &[(11, 0), (13, 0), (15, 0)],
            &[(12, 1), (14, 1), (15, 2), (16, 1)],
        );
        assert_eq!(missing(&found, 10, 15), Some(vec![12, 14]));
        assert_eq!(missing(&found, 10, 11), Some(vec![]));
    }

    #[test]
    fn what_is_nowhere_is_not_made_up() {
        let found = found(&[(11, 0)], &[(13, 1)]);
        assert_eq!(missing(&found, 10, 13), None);
    }

    #[test]
    fn what_readers_would_pass_over_is_not_put_behind() {
        let found = found(&[(12, 0)], &[(11, 0)]);
        assert_eq!(missing(&found, 10, 12), None);
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
