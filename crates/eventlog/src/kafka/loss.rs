//! Noticing that the topic is not what it was: deleted and made anew, cut short, or put back from an older copy.

use rdkafka::error::KafkaError;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::clients::Clients;
use super::headers::entry_of;
use super::meta::{Mark, Progress, crc_of};
use super::polling::{self, Polled, Reading};
use super::reader::Reader;
use crate::log::LogError;

/// How much is read to find one record: more than one may have its offset, when a broker has gone back.
const AROUND_BYTES: usize = 64 << 10;

/// Compares the topic with what a relay knew of it. Blocks.
pub(super) fn check(
    clients: &Clients,
    reader: &Reader,
    progress: &Progress,
) -> Result<(), LogError> {
    check_reached(clients, reader, &progress.reached)?;
    check_mark(clients, reader, progress.mark)
}

/// Compares the ends of the partitions with offsets that were there once. Blocks.
pub(super) fn check_reached(
    clients: &Clients,
    reader: &Reader,
    reached: &[u64],
) -> Result<(), LogError> {
    let ends = clients.raw_highs(reader.count())?;
    for (partition, (end, reached)) in ends.iter().zip(reached).enumerate() {
        if end < reached {
            return Err(lost(
                clients,
                &format!("partition {partition} ends at {end}, and had reached {reached}"),
            ));
        }
    }
    Ok(())
}

/// Compares a record with what was in its place once. Blocks.
pub(super) fn check_mark(
    clients: &Clients,
    reader: &Reader,
    mark: Option<Mark>,
) -> Result<(), LogError> {
    let Some(mark) = mark else {
        return Ok(());
    };
    let batch = match reader.read(mark.partition, mark.offset, AROUND_BYTES) {
        Ok(batch) => batch,
        // Retention took it.
        Err(LogError::OutOfRange { asked, low, .. }) if asked < low => return Ok(()),
        // It is there, but others' transactions before it are open.
        Err(LogError::OutOfRange { .. }) => return Ok(()),
        Err(other) => return Err(other),
    };
    let is_there = batch.records.iter().any(|record| {
        record.offset == mark.offset && crc_of(&record.key, &record.value) == mark.crc
    }) || reader.has_passed_over(mark.partition, mark.offset, mark.crc);
    if is_there || batch.records.is_empty() && batch.next <= mark.offset {
        return Ok(());
    }
    // Its transaction was aborted after all; a relay that begins sees to that.
    if is_uncommitted(clients, mark)? {
        return Ok(());
    }
    Err(lost(
        clients,
        &format!(
            "offset {} of partition {} holds another record than the one that was put there",
            mark.offset, mark.partition
        ),
    ))
}

/// True when the record is in its place, and no reader sees it. Blocks.
fn is_uncommitted(clients: &Clients, mark: Mark) -> Result<bool, LogError> {
    let place = &clients.place;
    let doing = format!("read partition {} of {}", mark.partition, place.topic);
    let fail = |error: KafkaError| clients.explain(&doing, &error);
    let offset = Offset::Offset(i64::try_from(mark.offset).unwrap_or(i64::MAX));
    let mut start = TopicPartitionList::new();
    let partition = i32::try_from(mark.partition).unwrap_or(-1);
    start
        .add_partition_offset(&place.topic, partition, offset)
        .map_err(fail)?;
    let mut config = place.consumer();
    config.set("isolation.level", "read_uncommitted");
    let consumer = clients.consume(&config, &start).map_err(fail)?;
    let reading = Reading {
        doing: &doing,
        patience: place.timeout,
        or_else: "",
    };
    let mut is_there = false;
    polling::read(clients, consumer, &reading, |polled| {
        if let Polled::Record(message) = polled
            && let Some(((), value)) = entry_of(&message, |_, _| ())
        {
            let is_at = u64::try_from(message.offset()) == Ok(mark.offset);
            is_there = is_at && crc_of(message.key().unwrap_or_default(), value) == mark.crc;
        }
        Ok(polling::until(true))
    })?;
    Ok(is_there)
}

/// What to do about a topic that has lost something.
pub(super) fn lost(clients: &Clients, what: &str) -> LogError {
    let place = &clients.place;
    LogError::Corrupt(format!(
        "topic {topic} of {name} is not the one that {meta} speaks of: {what}. It was deleted and made anew, cut short, or put back \
         from an older copy, and acknowledged events may be gone. Put the whole topic back; or, to go on without what is lost, stop \
         all processes, delete {topic} and {meta}, and begin with a new log, state store and lake",
        topic = place.topic,
        meta = place.meta,
        name = place.name(),
    ))
}
