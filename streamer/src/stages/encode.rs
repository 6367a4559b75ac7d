//! Encode: an epoch's rows to Parquet files on the store, all tables at once.

use futures::future::try_join_all;
use gamepipe_lake::commit::EncodedEpoch;
use gamepipe_lake::{Lake, LakeError};
use gamepipe_service::failpoint;

use crate::messages::RowsEpoch;

/// Puts an epoch's rows into files. `passes_gaps`: it may begin beyond records that are gone from the log.
pub async fn step(
    lake: &Lake,
    epoch: RowsEpoch,
    passes_gaps: bool,
) -> Result<EncodedEpoch, LakeError> {
    let encoding = epoch
        .tables
        .into_iter()
        .map(|(table, rows)| async move { lake.encode(&table, vec![rows]).await });
    let tables = try_join_all(encoding).await?;
    failpoint::hit("epoch.encoded")?;
    Ok(EncodedEpoch {
        ranges: epoch.ranges,
        records: epoch.records,
        tables,
        passes_gaps,
    })
}
