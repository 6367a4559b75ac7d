//! The rows of an epoch: those that have not landed yet, and the epoch's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::compute::filter_record_batch;
use arrow::datatypes::{Int32Type, Int64Type};

use crate::epoch::EpochRecord;
use crate::schema::{column, epochs_schema};

/// The batches without rows that have landed, and the first offset of each partition among the rest.
pub(super) fn unlanded(
    batches: &[RecordBatch],
    landed: &BTreeMap<u32, u64>,
) -> Result<(Vec<RecordBatch>, BTreeMap<u32, u64>), arrow::error::ArrowError> {
    let mut first = BTreeMap::new();
    let mut kept = Vec::with_capacity(batches.len());
    for batch in batches {
        let schema = batch.schema_ref();
        let partitions = batch
            .column(schema.index_of(column::PARTITION)?)
            .as_primitive::<Int32Type>();
        let offsets = batch
            .column(schema.index_of(column::OFFSET)?)
            .as_primitive::<Int64Type>();
        let mut keep = Vec::with_capacity(if landed.is_empty() {
            0
        } else {
            batch.num_rows()
        });
        // Rows come in runs of one partition, in order of offset: the map is asked once a run.
        let mut run: Option<(i32, u64)> = None;
        for (partition, offset) in partitions.values().iter().zip(offsets.values()) {
            let offset = offset.unsigned_abs();
            let from = match run {
                Some((of, from)) if of == *partition => from,
                _ => landed.get(&partition.unsigned_abs()).copied().unwrap_or(0),
            };
            if offset >= from && run.is_none_or(|(of, _)| of != *partition) {
                let lowest = first.entry(partition.unsigned_abs()).or_insert(offset);
                *lowest = (*lowest).min(offset);
                run = Some((*partition, from));
            }
            if !landed.is_empty() {
                keep.push(offset >= from);
            }
        }
        if keep.contains(&false) {
            kept.push(filter_record_batch(batch, &BooleanArray::from(keep))?);
        } else {
            kept.push(batch.clone());
        }
    }
    kept.retain(|batch| batch.num_rows() > 0);
    Ok((kept, first))
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
