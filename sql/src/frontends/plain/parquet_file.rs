//! Parquet. Its footer comes last, so a reply that was cut can't be read at all: nobody takes it for whole.

use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::encoder::{Encoder, Ending, portable, portable_schema, unwritable};
use crate::error::QueryError;
use crate::result::Columns;

/// A row group is held in memory until it is full: a few megabytes for rows of a game's size.
const ROWS_PER_GROUP: usize = 65_536;
/// A group of wide rows is closed earlier, at so many bytes.
const BYTES_PER_GROUP: usize = 16 << 20;

pub(super) struct ParquetEncoder {
    schema: SchemaRef,
    writer: Option<ArrowWriter<Vec<u8>>>,
}

impl ParquetEncoder {
    pub(super) fn new(columns: &Columns) -> Result<Self, QueryError> {
        let schema = portable_schema(columns);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties))
            .map_err(of_parquet)?;
        Ok(Self {
            schema,
            writer: Some(writer),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ParquetError> {
        let Some(writer) = &mut self.writer else {
            return Ok(Vec::new());
        };
        writer.write(&portable(batch, &self.schema)?)?;
        if writer.in_progress_size() > BYTES_PER_GROUP {
            writer.flush()?;
        }
        Ok(std::mem::take(writer.inner_mut()))
    }
}

fn of_parquet(error: ParquetError) -> QueryError {
    unwritable(&ArrowError::ParquetError(error.to_string()))
}

impl Encoder for ParquetEncoder {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        Ok(Vec::new())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        self.write(batch).map_err(of_parquet)
    }

    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        match self.writer.take() {
            Some(writer) if ending.error.is_none() => {
                Ok(Some(writer.into_inner().map_err(of_parquet)?))
            }
            _ => Ok(None),
        }
    }
}
