//! Formats and what they have in common.

use std::sync::Arc;

use arrow::array::ArrayRef;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::{arrow_ipc, csv, json, ndjson, parquet_file};
use crate::error::{ErrorCode, QueryError};
use crate::result::Columns;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Ndjson,
    Csv,
    Arrow,
    Parquet,
}

impl Format {
    const ALL: [Self; 5] = [
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Arrow,
        Self::Parquet,
    ];

    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "csv" => Some(Self::Csv),
            "arrow" => Some(Self::Arrow),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    pub(super) fn media_types() -> Vec<&'static str> {
        Self::ALL.iter().map(|format| format.media_type()).collect()
    }

    /// The first format of an `Accept` header, by its order; quality values are not weighed.
    pub(super) fn accepted(accept: &str) -> Option<Self> {
        let format_of = |range: &str| {
            let kind = range
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase();
            match kind.as_str() {
                "application/json" | "*/*" | "application/*" | "" => Some(Self::Json),
                "application/x-ndjson" | "application/jsonl" | "application/ndjson" => {
                    Some(Self::Ndjson)
                }
                "text/csv" | "text/*" => Some(Self::Csv),
                "application/vnd.apache.arrow.stream" => Some(Self::Arrow),
                "application/vnd.apache.parquet" => Some(Self::Parquet),
                _ => None,
            }
        };
        accept.split(',').find_map(format_of)
    }

    pub(super) fn encoder(
        self,
        columns: Arc<Columns>,
        query_id: &str,
    ) -> Result<Box<dyn Encoder>, QueryError> {
        Ok(match self {
            Self::Json => Box::new(json::JsonEncoder::new(columns, query_id)),
            Self::Ndjson => Box::new(ndjson::NdjsonEncoder::new(columns)),
            Self::Csv => Box::new(csv::CsvEncoder::new(columns)),
            Self::Arrow => Box::new(arrow_ipc::ArrowEncoder::new(&columns)?),
            Self::Parquet => Box::new(parquet_file::ParquetEncoder::new(&columns)?),
        })
    }
}

/// What is known at the end of a result.
#[derive(Debug, Clone)]
pub(super) struct Ending {
    pub(super) rows: u64,
    pub(super) truncated: bool,
    pub(super) error: Option<QueryError>,
    pub(super) stats: serde_json::Value,
    pub(super) query_id: String,
}

/// Turns batches into bytes. What it returns is sent in order.
pub(super) trait Encoder: Send {
    /// Before the first row.
    fn start(&mut self) -> Result<Vec<u8>, QueryError>;
    /// Some rows.
    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError>;
    /// After the last row. `None` when the format has no way to say that something failed: the reply is cut instead.
    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError>;
}

/// A value that can't be written.
pub(super) fn unwritable(error: &ArrowError) -> QueryError {
    match error {
        ArrowError::ArithmeticOverflow(text) => {
            QueryError::new(ErrorCode::NumericValueOutOfRange, text.clone())
        }
        other => QueryError::new(
            ErrorCode::GenericInternalError,
            format!("the result can't be written: {other}"),
        ),
    }
}

/// The schema for other programs: clients' names, and plain text where the engine uses views.
pub(super) fn portable_schema(columns: &Columns) -> SchemaRef {
    let field = |(field, name): (&Arc<Field>, &String)| {
        Field::new(name, portable_type(field.data_type()), field.is_nullable())
    };
    Arc::new(Schema::new(
        columns
            .schema
            .fields()
            .iter()
            .zip(&columns.names)
            .map(field)
            .collect::<Vec<_>>(),
    ))
}

fn portable_type(kind: &DataType) -> DataType {
    match kind {
        DataType::Utf8View => DataType::Utf8,
        DataType::BinaryView => DataType::Binary,
        other => other.clone(),
    }
}

/// A batch in [`portable_schema`].
pub(super) fn portable(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let column = |(column, field): (&ArrayRef, &Arc<Field>)| cast(column, field.data_type());
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(column)
        .collect::<Result<Vec<_>, _>>()?;
    RecordBatch::try_new(schema.clone(), columns)
}

#[cfg(test)]
mod tests {
    use super::Format;

    #[test]
    fn accept_headers_choose_by_order() {
        assert_eq!(Format::accepted("*/*"), Some(Format::Json));
        assert_eq!(
            Format::accepted("text/html, text/csv;q=0.9, */*"),
            Some(Format::Csv)
        );
        assert_eq!(Format::accepted("image/png"), None);
    }
}
