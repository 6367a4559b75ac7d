//! Encode: an epoch's rows to Parquet files on the store, all tables at once.

use futures::future::try_join_all;
use gamepipe_lake::commit::{Ahead, EncodedEpoch};
use gamepipe_lake::{Lake, LakeError};
use gamepipe_service::failpoint;

use crate::messages::RowsEpoch;

/// Puts an epoch's rows into files. Rows that are `ahead` are in files already.
pub async fn step(lake: &Lake, epoch: RowsEpoch, ahead: &Ahead) -> Result<EncodedEpoch, LakeError> {
    let encoding = epoch
        .tables
        .into_iter()
        .map(|(table, rows)| async move { lake.encode(&table, vec![rows], ahead).await });
    let tables = try_join_all(encoding).await?;
    failpoint::hit("epoch.encoded")?;
    Ok(EncodedEpoch {
        ranges: epoch.ranges,
        records: epoch.records,
        tables,
    })
}
