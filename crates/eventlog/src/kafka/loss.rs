//! Noticing that the topic is not what it was: deleted and made anew, cut short, or put back from an older copy.

use super::clients::Clients;
use super::meta::{Mark, Progress, crc_of};
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
    match progress.mark {
        Some(mark) => check_mark(clients, reader, mark),
        None => Ok(()),
    }
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

fn check_mark(clients: &Clients, reader: &Reader, mark: Mark) -> Result<(), LogError> {
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
    Err(lost(
        clients,
        &format!(
            "offset {} of partition {} holds another record than the one that was put there",
            mark.offset, mark.partition
        ),
    ))
}

fn lost(clients: &Clients, what: &str) -> LogError {
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
