//! The rows of an epoch: where they come from, and the epoch's own.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;

use crate::epoch::EpochRecord;
use crate::schema::{column, epochs_schema};

/// The log partitions that rows come from.
pub(super) fn partitions_of(
    batches: &[RecordBatch],
) -> Result<BTreeSet<u32>, arrow::error::ArrowError> {
    let mut found = BTreeSet::new();
    for batch in batches {
        let index = batch.schema_ref().index_of(column::PARTITION)?;
        let mut last = None;
        // Rows come in runs of one partition: the set is asked once a run.
        for partition in batch.column(index).as_primitive::<Int32Type>().values() {
            if last != Some(*partition) {
                found.insert(partition.unsigned_abs());
                last = Some(*partition);
            }
        }
    }
    Ok(found)
}

/// The row of `_epochs` for an epoch.
pub(super) fn record_batch(
    record: &EpochRecord,
) -> Result<RecordBatch, Box<dyn std::error::Error + Send + Sync>> {
    let long = |value: u64| {
        Arc::new(Int64Array::from(vec![
            i64::try_from(value).unwrap_or(i64::MAX),
        ])) as ArrayRef
    };
    let text = |value: String| Arc::new(StringArray::from(vec![value])) as ArrayRef;
    Ok(RecordBatch::try_new(
        epochs_schema(),
        vec![
            long(record.epoch),
            text(record.generation.clone()),
            Arc::new(TimestampMicrosecondArray::from(vec![
                record.committed_micros,
            ])),
            long(record.records),
            text(serde_json::to_string(&record.ranges)?),
            text(serde_json::to_string(&record.versions)?),
            text(serde_json::to_string(&record.rows)?),
        ],
    )?)
}
