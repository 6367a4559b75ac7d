//! The epochs as the table `_epochs` has them, and what is wrong with their sequence.

use std::collections::BTreeMap;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use gamepipe_domain::definition::system::EPOCHS;

use super::{NAMED, files_of};
use crate::epoch::EpochRecord;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::reading::read_rows;
use crate::schema::{epoch_column, epochs_schema};

/// The epochs up to `newest`, as the table `_epochs` has them, in order.
pub(super) async fn epoch_rows(lake: &Lake, newest: u64) -> Result<Vec<EpochRecord>, LakeError> {
    let head = lake.log(EPOCHS)?.newest().await?.unwrap_or(0);
    let (files, _) = files_of(lake, EPOCHS, head).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut epochs = Vec::new();
        for file in &files {
            for batch in read_rows(EPOCHS, file, &epochs_schema())? {
                for index in 0..batch.num_rows() {
                    epochs.push(epoch_row(&batch, index)?);
                }
            }
        }
        epochs.retain(|epoch: &EpochRecord| epoch.epoch <= newest);
        epochs.sort_by_key(|epoch| epoch.epoch);
        Ok(epochs)
    });
    read.await
        .map_err(|error| LakeError::Worker(error.to_string()))?
}

fn epoch_row(batch: &RecordBatch, index: usize) -> Result<EpochRecord, LakeError> {
    let long = |name: &str| {
        batch.column_by_name(name).map_or(0, |values| {
            values
                .as_primitive::<Int64Type>()
                .value(index)
                .unsigned_abs()
        })
    };
    let text = |name: &str| {
        batch
            .column_by_name(name)
            .map_or("", |values| values.as_string::<i32>().value(index))
    };
    let corrupt = |error: serde_json::Error| {
        LakeError::corrupt(EPOCHS, format!("a row can't be read: {error}"))
    };
    let committed = batch
        .column_by_name(epoch_column::COMMITTED_AT)
        .map_or(0, |values| {
            values
                .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                .value(index)
        });
    Ok(EpochRecord {
        epoch: long(epoch_column::EPOCH),
        generation: text(epoch_column::GENERATION).to_owned(),
        ranges: serde_json::from_str(text(epoch_column::RANGES)).map_err(corrupt)?,
        versions: serde_json::from_str::<BTreeMap<_, _>>(text(epoch_column::VERSIONS))
            .map_err(corrupt)?,
        rows: serde_json::from_str::<BTreeMap<_, _>>(text(epoch_column::ROWS)).map_err(corrupt)?,
        records: long(epoch_column::RECORDS),
        committed_micros: committed,
    })
}

/// What is wrong with the sequence of epochs.
pub(super) fn broken(epochs: &[EpochRecord], last: &EpochRecord) -> Vec<String> {
    let mut problems = Vec::new();
    let mut next: Vec<u64> = Vec::new();
    for (expected, epoch) in (1_u64..).zip(epochs) {
        if epoch.epoch != expected {
            problems.push(format!(
                "epoch {} stands where epoch {expected} was expected",
                epoch.epoch
            ));
            break;
        }
        next.resize(next.len().max(epoch.ranges.len()), 0);
        for (next, range) in next.iter_mut().zip(&epoch.ranges) {
            if range.from != *next || range.to < range.from {
                problems.push(format!(
                    "epoch {} covers {}..{} of partition {} after epochs up to {next}",
                    epoch.epoch, range.from, range.to, range.partition
                ));
            }
            *next = range.to;
        }
        if problems.len() >= NAMED {
            return problems;
        }
    }
    if epochs.last().map(|epoch| epoch.epoch) != Some(last.epoch) {
        problems.push(format!("epoch {} has no row in {EPOCHS}", last.epoch));
    }
    problems
}
