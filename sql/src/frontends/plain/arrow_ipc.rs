//! Arrow's stream format.

use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;

use super::encoder::{Encoder, Ending, portable, portable_schema, unwritable};
use crate::error::QueryError;
use crate::result::Columns;

pub(super) struct ArrowEncoder {
    schema: SchemaRef,
    writer: StreamWriter<Vec<u8>>,
}

impl ArrowEncoder {
    pub(super) fn new(columns: &Columns) -> Result<Self, QueryError> {
        let schema = portable_schema(columns);
        let writer =
            StreamWriter::try_new(Vec::new(), &schema).map_err(|error| unwritable(&error))?;
        Ok(Self { schema, writer })
    }

    fn take(&mut self) -> Vec<u8> {
        std::mem::take(self.writer.get_mut())
    }
}

impl Encoder for ArrowEncoder {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        Ok(self.take())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let written = portable(batch, &self.schema).and_then(|batch| self.writer.write(&batch));
        written.map_err(|error| unwritable(&error))?;
        Ok(self.take())
    }

    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        if ending.error.is_some() {
            return Ok(None);
        }
        self.writer.finish().map_err(|error| unwritable(&error))?;
        Ok(Some(self.take()))
    }
}
