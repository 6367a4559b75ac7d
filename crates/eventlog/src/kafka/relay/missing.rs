//! Entries that must be on the log and that no reader sees: their transaction was aborted after all. The position counts them, or the outbox has forgotten them. A relay
//! was told that they were committed, and then brokers lost that, or the next relay ended while it put that right. The partitions have them still, and they are put there
//! again.

use super::found::find;
use super::step::{Put, Steps};
use super::wanted::Wanted;
use crate::kafka::loss;
use crate::kafka::meta::{Checked, Progress};
use crate::log::LogError;

/// More entries than this behind the position are not looked for: a relay commits thousands at a time, so a log that lacks more is not the outbox's.
const MAX_ENTRIES: u64 = 1 << 16;

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
    // Until a look has seen them committed, whoever begins looks for them.
    progress.checked.get_or_insert_with(|| Checked {
        position: wanted.after,
        ends: wanted.starts.clone(),
    });
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

#[cfg(test)]
mod tests {
    use rdkafka::message::OwnedHeaders;

    use super::{Put, split};

    fn put(partition: u32, bytes: usize) -> Put {
        Put {
            partition,
            key: Vec::new(),
            value: vec![b'x'; bytes],
            headers: OwnedHeaders::new(),
        }
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
