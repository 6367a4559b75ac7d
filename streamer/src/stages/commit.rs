//! Commit: the epoch becomes visible, table by table and then as a whole, and the log may forget it.

use gamepipe_eventlog::EventLog;
use gamepipe_lake::commit::EncodedEpoch;
use gamepipe_lake::epoch::EpochRecord;
use gamepipe_lake::{Lake, LakeError};

/// Commits an epoch and releases its records.
pub async fn step(
    lake: &Lake,
    log: &dyn EventLog,
    epoch: EncodedEpoch,
) -> Result<EpochRecord, LakeError> {
    let record = lake.commit_epoch(epoch).await?;
    // All of it has landed, whoever did it: the log may hear of partitions of others, too.
    let landed: Vec<u64> = record.ranges.iter().map(|range| range.to).collect();
    if let Err(error) = log.release(&landed).await {
        // The rows are landed whatever the log says: it keeps records longer than it must, and hears of it again with
        // the next epoch.
        tracing::warn!(%error, epoch = record.epoch, "the log could not be told what has landed");
    }
    Ok(record)
}
