//! Reading a table's Parquet files directly, for merges and audits.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::error::LakeError;

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

/// The rows of a file in these columns; a column that the file does not have is null. Blocks.
pub(crate) fn read_rows(
    table: &str,
    path: &Path,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, LakeError> {
    let fail = |error: &dyn std::fmt::Display| {
        LakeError::encoding(table, &format!("{}: {error}", path.display()))
    };
    let file = File::open(path).map_err(|error| fail(&error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| fail(&error))?;
    let wanted = |name: &str| schema.column_with_name(name).is_some();
    let leaves = builder.parquet_schema().columns().iter().enumerate();
    let roots: Vec<usize> = leaves
        .filter(|(_, leaf)| wanted(leaf.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), roots);
    let reader = builder
        .with_projection(mask)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| fail(&error))?;
    let mut batches = Vec::new();
    for batch in reader {
        let batch = batch.map_err(|error| fail(&error))?;
        batches.push(in_columns(&batch, schema).map_err(|error| fail(&error))?);
    }
    Ok(batches)
}

fn in_columns(
    batch: &RecordBatch,
    schema: &SchemaRef,
) -> Result<RecordBatch, arrow::error::ArrowError> {
    let columns: Result<Vec<ArrayRef>, _> = schema
        .fields()
        .iter()
        .map(|field| match batch.column_by_name(field.name()) {
            Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
            Some(column) => cast(column, field.data_type()),
            None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        })
        .collect();
    RecordBatch::try_new(Arc::clone(schema), columns?)
}
