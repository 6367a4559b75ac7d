//! Source: reads this process's partitions of the log, a slice at a time, as fast as the stages behind it take them.

use std::sync::Arc;
use std::time::Duration;

use gamepipe_eventlog::{EventLog, LogError};
use gamepipe_lake::epoch::OffsetRange;
use gamepipe_service::Shutdown;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use crate::messages::LogSlice;

/// How much of a partition is read at a time. A few of these are all that is in flight between the log and the buffer.
const SLICE_BYTES: usize = 1 << 20;
/// How long, after the word to stop, the log is still read up to where it ended then: what was acknowledged before lands
/// now rather than at the next start. Leaves most of the 10 s for committing it.
const LAST_READS: Duration = Duration::from_secs(3);
/// How long a quiet log is waited for before it is looked at again, whatever it says: a missed wake-up costs no more.
const RECHECK: Duration = Duration::from_secs(1);

/// Reads from `next` (partition and offset, for each that is this process's own) on until `stop`. When that was for `shutdown`,
/// then also what was on the log at that moment: nobody else may be there to land it.
pub async fn run(
    log: Arc<dyn EventLog>,
    mut next: Vec<(u32, u64)>,
    out: Sender<LogSlice>,
    stop: Shutdown,
    shutdown: Shutdown,
) -> Result<(), LogError> {
    while !stop.is_cancelled() {
        if sweep(&log, &mut next, &out, None).await? {
            continue;
        }
        if out.is_closed() {
            return Ok(());
        }
        let seen = seen(&next, log.partitions());
        tokio::select! {
            () = stop.cancelled() => {}
            () = out.closed() => {}
            _ = tokio::time::timeout(RECHECK, log.changed(&seen)) => {}
        }
    }
    if !shutdown.is_cancelled() {
        return Ok(());
    }
    let ends: Vec<u64> = log
        .offsets()
        .await?
        .iter()
        .map(|offsets| offsets.high)
        .collect();
    let deadline = Instant::now() + LAST_READS;
    while Instant::now() < deadline && sweep(&log, &mut next, &out, Some(&ends)).await? {}
    Ok(())
}

/// For each partition of the log: how far it has been read. Those of others never have anything new.
fn seen(next: &[(u32, u64)], partitions: u32) -> Vec<u64> {
    let mut seen = vec![u64::MAX; partitions as usize];
    for (partition, offset) in next {
        if let Some(seen) = seen.get_mut(*partition as usize) {
            *seen = *offset;
        }
    }
    seen
}

/// One slice of each partition that is not at its end; false when all are, or when nobody takes slices any more.
async fn sweep(
    log: &Arc<dyn EventLog>,
    next: &mut [(u32, u64)],
    out: &Sender<LogSlice>,
    ends: Option<&[u64]>,
) -> Result<bool, LogError> {
    let mut found = false;
    for (partition, from) in next {
        let end = ends.and_then(|ends| ends.get(*partition as usize));
        if end.is_some_and(|end| *from >= *end) {
            continue;
        }
        let batch = log.read(*partition, *from, SLICE_BYTES).await?;
        if batch.next <= *from {
            continue;
        }
        // Offsets without records, as a transactional log has them, are part of the slice.
        let offsets = batch.next - *from;
        let range = OffsetRange {
            holes: offsets.saturating_sub(batch.records.len() as u64),
            ..OffsetRange::new(*partition, *from, batch.next)
        };
        *from = batch.next;
        let records = batch.records;
        if out.send(LogSlice { range, records }).await.is_err() {
            return Ok(false);
        }
        found = true;
    }
    Ok(found)
}
