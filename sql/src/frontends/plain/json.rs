//! JSON: one object with the columns, the rows as lists, and what is known at the end.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use serde_json::json;

use super::encoder::{Encoder, Ending, unwritable};
use crate::error::QueryError;
use crate::result::Columns;
use crate::result::json::{Writer, write_string};

pub(super) struct JsonEncoder {
    columns: Arc<Columns>,
    query_id: String,
    rows: u64,
}

impl JsonEncoder {
    pub(super) fn new(columns: Arc<Columns>, query_id: &str) -> Self {
        Self {
            columns,
            query_id: query_id.to_owned(),
            rows: 0,
        }
    }
}

impl Encoder for JsonEncoder {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        let mut out = b"{\"query_id\":".to_vec();
        write_string(&self.query_id, &mut out);
        out.extend_from_slice(b",\"columns\":[");
        for (index, (name, kind)) in self
            .columns
            .names
            .iter()
            .zip(&self.columns.types)
            .enumerate()
        {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(b"{\"name\":");
            write_string(name, &mut out);
            out.extend_from_slice(b",\"type\":");
            write_string(&kind.display, &mut out);
            out.push(b'}');
        }
        out.extend_from_slice(b"],\"rows\":[");
        Ok(out)
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let mut out = Vec::new();
        write_rows(batch, None, &mut self.rows, &mut out)?;
        Ok(out)
    }

    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        let mut out = format!(
            "],\"row_count\":{},\"truncated\":{}",
            ending.rows, ending.truncated
        )
        .into_bytes();
        out.extend_from_slice(b",\"stats\":");
        out.extend_from_slice(ending.stats.to_string().as_bytes());
        if let Some(error) = &ending.error {
            out.extend_from_slice(b",\"error\":");
            out.extend_from_slice(error_object(error, &ending.query_id).to_string().as_bytes());
        }
        out.extend_from_slice(b"}\n");
        Ok(Some(out))
    }
}

/// An error in the body of a reply.
pub(super) fn error_object(error: &QueryError, query_id: &str) -> serde_json::Value {
    json!({
        "code": error.code.name(),
        "detail": error.message(),
        "line": error.position.map(|at| at.line),
        "column": error.position.map(|at| at.column),
        "query_id": query_id,
    })
}

/// Writes rows as lists, separated by commas; `written` counts all rows of the result.
pub(crate) fn write_rows(
    batch: &RecordBatch,
    time_digits: Option<u32>,
    written: &mut u64,
    out: &mut Vec<u8>,
) -> Result<(), QueryError> {
    let writers = batch
        .columns()
        .iter()
        .map(|column| Writer::new(column, time_digits));
    let writers = writers
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unwritable(&error))?;
    for row in 0..batch.num_rows() {
        if *written > 0 {
            out.push(b',');
        }
        *written += 1;
        out.push(b'[');
        for (index, writer) in writers.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            writer.write(row, out).map_err(|error| unwritable(&error))?;
        }
        out.push(b']');
    }
    Ok(())
}
