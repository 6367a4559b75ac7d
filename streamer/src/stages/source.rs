//! Source: reads all partitions of the log, a slice at a time, as fast as the stages behind it take them.

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

/// Reads from `next` (an offset for each partition) on until `shutdown`, then what was on the log at that moment.
pub async fn run(
    log: Arc<dyn EventLog>,
    mut next: Vec<u64>,
    out: Sender<LogSlice>,
    shutdown: Shutdown,
) -> Result<(), LogError> {
    while !shutdown.is_cancelled() {
        if sweep(&log, &mut next, &out, None).await? {
            continue;
        }
        if out.is_closed() {
            return Ok(());
        }
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = out.closed() => {}
            _ = tokio::time::timeout(RECHECK, log.changed(&next)) => {}
        }
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

/// One slice of each partition that is not at its end; false when all are, or when nobody takes slices any more.
async fn sweep(
    log: &Arc<dyn EventLog>,
    next: &mut [u64],
    out: &Sender<LogSlice>,
    ends: Option<&[u64]>,
) -> Result<bool, LogError> {
    let mut found = false;
    for (partition, from) in (0_u32..).zip(next.iter_mut()) {
        let end = ends.and_then(|ends| ends.get(partition as usize));
        if end.is_some_and(|end| *from >= *end) {
            continue;
        }
        let batch = log.read(partition, *from, SLICE_BYTES).await?;
        if batch.records.is_empty() {
            // Offsets without records (a compacted or transactional log) are passed over with the next slice.
            continue;
        }
        let range = OffsetRange {
            partition,
            from: *from,
            to: batch.next,
        };
        *from = batch.next;
        if out
            .send(LogSlice {
                range,
                records: batch.records,
            })
            .await
            .is_err()
        {
            return Ok(false);
        }
        found = true;
    }
    Ok(found)
}
