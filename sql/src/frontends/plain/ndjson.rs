//! NDJSON: an object a row. A failure after the first row is a last line `{"error": ..}`.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::encoder::{Encoder, Ending, unwritable};
use super::json::error_object;
use crate::error::QueryError;
use crate::result::Columns;
use crate::result::json::{Writer, write_string};

pub(super) struct NdjsonEncoder {
    /// `"name":` per column, written once.
    keys: Vec<Vec<u8>>,
}

impl NdjsonEncoder {
    pub(super) fn new(columns: Arc<Columns>) -> Self {
        let key = |name: &String| {
            let mut key = Vec::new();
            write_string(name, &mut key);
            key.push(b':');
            key
        };
        Self {
            keys: columns.names.iter().map(key).collect(),
        }
    }
}

impl Encoder for NdjsonEncoder {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        Ok(Vec::new())
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let writers = batch
            .columns()
            .iter()
            .map(|column| Writer::new(column, None));
        let writers = writers
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unwritable(&error))?;
        let mut out = Vec::new();
        for row in 0..batch.num_rows() {
            out.push(b'{');
            for (index, (writer, key)) in writers.iter().zip(&self.keys).enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(key);
                writer
                    .write(row, &mut out)
                    .map_err(|error| unwritable(&error))?;
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(out)
    }

    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        let Some(error) = &ending.error else {
            return Ok(Some(Vec::new()));
        };
        let line = serde_json::json!({"error": error_object(error, &ending.query_id)});
        Ok(Some(format!("{line}\n").into_bytes()))
    }
}
