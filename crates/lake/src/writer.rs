//! Rows to Parquet files: how they are laid out, and the statistics that readers skip files by.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, max, min};
use arrow::datatypes::{DataType, Date32Type, Schema, SchemaRef};
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::error::LakeError;
use crate::schema::{column, epoch_column};
use crate::stats::stats_json;

/// Rows of a row group: large enough for long runs and few footers' entries, small enough that a query over a merged
/// file splits over many cores and skips by time.
const ROW_GROUP_ROWS: usize = 131_072 * 2;
/// Rows that the encoder takes at a time; fewer cost a call per column more often, more don't pay.
const WRITE_BATCH_ROWS: usize = 8192;
/// Columns of long, mostly distinct text: a dictionary would be built, overflow and be thrown away, and no query asks
/// for their least or greatest value.
const BULK_TEXT: [&str; 7] = [
    column::EXTRA,
    "raw_event",
    "payload",
    "params",
    epoch_column::RANGES,
    epoch_column::VERSIONS,
    epoch_column::ROWS,
];
/// Integer columns that rise along the file: differences of a few bits beat a dictionary of distinct values.
const RISING: [&str; 3] = [
    column::OFFSET,
    column::EVENT_TIME,
    epoch_column::COMMITTED_AT,
];

/// A Parquet file that is not on the store yet.
#[derive(Debug)]
pub(crate) struct EncodedFile {
    /// The `_event_date` that all of its rows have; `None` in a table without partitions.
    pub(crate) date: Option<NaiveDate>,
    pub(crate) bytes: Vec<u8>,
    /// Delta's statistics, as JSON text.
    pub(crate) stats: String,
}

/// Encodes batches of one schema into a file for each `_event_date` in them (one file when they have no such column).
/// Blocks for as long as that takes.
pub(crate) fn encode_files(
    table: &str,
    batches: &[RecordBatch],
) -> Result<Vec<EncodedFile>, LakeError> {
    let Some(first) = batches.first() else {
        return Ok(Vec::new());
    };
    let Ok(date_index) = first.schema_ref().index_of(column::EVENT_DATE) else {
        return Ok(vec![encode_file(table, None, &first.schema(), batches)?]);
    };
    let kept: Vec<usize> = (0..first.num_columns())
        .filter(|index| *index != date_index)
        .collect();
    let schema = Arc::new(
        first
            .schema()
            .project(&kept)
            .map_err(|error| LakeError::encoding(table, &error))?,
    );
    let mut by_date: BTreeMap<i32, Vec<RecordBatch>> = BTreeMap::new();
    for batch in batches {
        split_by_date(batch, date_index, &mut by_date)
            .map_err(|error| LakeError::encoding(table, &error))?;
    }
    let mut files = Vec::with_capacity(by_date.len());
    for (days, batches) in by_date {
        let projected: Result<Vec<_>, _> =
            batches.iter().map(|batch| batch.project(&kept)).collect();
        let projected = projected.map_err(|error| LakeError::encoding(table, &error))?;
        files.push(encode_file(
            table,
            Some(date_of(days)),
            &schema,
            &projected,
        )?);
    }
    Ok(files)
}

/// The date of a number of days since 1970-01-01; the first of January 1970 for what no calendar has.
pub(crate) fn date_of(days: i32) -> NaiveDate {
    Date32Type::to_naive_date_opt(days).unwrap_or_default()
}

fn split_by_date(
    batch: &RecordBatch,
    date_index: usize,
    by_date: &mut BTreeMap<i32, Vec<RecordBatch>>,
) -> Result<(), arrow::error::ArrowError> {
    let dates = batch.column(date_index).as_primitive::<Date32Type>();
    let (Some(first), Some(last)) = (min(dates), max(dates)) else {
        return Ok(());
    };
    if first == last {
        by_date.entry(first).or_default().push(batch.clone());
        return Ok(());
    }
    // A batch of many dates is rare (midnight, late clients): a pass for each date that occurs.
    let mut distinct: Vec<i32> = dates.values().to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    for date in distinct {
        let keep: BooleanArray = dates
            .iter()
            .map(|value| Some(value == Some(date)))
            .collect();
        by_date
            .entry(date)
            .or_default()
            .push(filter_record_batch(batch, &keep)?);
    }
    Ok(())
}

/// Encodes batches into one file. Blocks for as long as that takes.
pub(crate) fn encode_file(
    table: &str,
    date: Option<NaiveDate>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<EncodedFile, LakeError> {
    let mut bytes = Vec::new();
    let metadata = write_parquet(&mut bytes, schema, batches)
        .map_err(|error| LakeError::encoding(table, &error))?;
    Ok(EncodedFile {
        date,
        stats: stats_json(schema, &metadata),
        bytes,
    })
}

fn write_parquet(
    out: &mut Vec<u8>,
    schema: &SchemaRef,
    batches: &[RecordBatch],
) -> Result<ParquetMetaData, parquet::errors::ParquetError> {
    let mut writer = ArrowWriter::try_new(out, Arc::clone(schema), Some(properties(schema)))?;
    for batch in batches {
        writer.write(batch)?;
    }
    writer.close()
}

/// How a file of these columns is laid out.
fn properties(schema: &Schema) -> WriterProperties {
    // The level is the fastest one; its range is checked by a constant that is in it.
    let level = ZstdLevel::try_new(1).unwrap_or_default();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_write_batch_size(WRITE_BATCH_ROWS)
        .set_created_by(concat!("gamepipe ", env!("CARGO_PKG_VERSION")).to_owned());
    for field in schema.fields() {
        let path = || ColumnPath::from(field.name().as_str());
        if is_bulk_text(field.name(), field.data_type()) {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_statistics_enabled(path(), EnabledStatistics::None);
        } else if field.name() == column::EVENT_ID || field.name() == "event_id" {
            builder = builder.set_column_dictionary_enabled(path(), false);
        } else if RISING.contains(&field.name().as_str())
            || matches!(field.data_type(), DataType::Timestamp(..))
        {
            builder = builder
                .set_column_dictionary_enabled(path(), false)
                .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
        }
    }
    builder.build()
}

fn is_bulk_text(name: &str, data_type: &DataType) -> bool {
    *data_type == DataType::Utf8 && BULK_TEXT.contains(&name)
}

#[cfg(test)]
mod tests;
