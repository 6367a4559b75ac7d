//! CSV by RFC 4180 with a header line. Null is an empty field, an empty string is `""`.

use std::sync::Arc;

use arrow::record_batch::RecordBatch;

use super::encoder::{Encoder, Ending, unwritable};
use crate::error::QueryError;
use crate::result::Columns;
use crate::result::json::Writer;

pub(super) struct CsvEncoder {
    columns: Arc<Columns>,
}

impl CsvEncoder {
    pub(super) fn new(columns: Arc<Columns>) -> Self {
        Self { columns }
    }
}

impl Encoder for CsvEncoder {
    fn start(&mut self) -> Result<Vec<u8>, QueryError> {
        let mut out = Vec::new();
        for (index, name) in self.columns.names.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_field(name, &mut out);
        }
        out.extend_from_slice(b"\r\n");
        Ok(out)
    }

    fn rows(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, QueryError> {
        let writers = batch
            .columns()
            .iter()
            .map(|column| Writer::new(column, None));
        let writers = writers
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unwritable(&error))?;
        let (mut out, mut value) = (Vec::new(), Vec::new());
        for row in 0..batch.num_rows() {
            for (index, writer) in writers.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                value.clear();
                writer
                    .write(row, &mut value)
                    .map_err(|error| unwritable(&error))?;
                match value.first() {
                    Some(b'"') => {
                        let text: String = serde_json::from_slice(&value).unwrap_or_default();
                        write_field(&text, &mut out);
                    }
                    Some(b'[' | b'{') => write_field(&String::from_utf8_lossy(&value), &mut out),
                    _ if value == b"null" => {}
                    _ => out.extend_from_slice(&value),
                }
            }
            out.extend_from_slice(b"\r\n");
        }
        Ok(out)
    }

    fn end(&mut self, ending: &Ending) -> Result<Option<Vec<u8>>, QueryError> {
        Ok(ending.error.is_none().then(Vec::new))
    }
}

fn write_field(text: &str, out: &mut Vec<u8>) {
    let plain = !text.is_empty() && !text.contains(['"', ',', '\r', '\n']);
    if plain {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.replace('"', "\"\"").as_bytes());
    out.push(b'"');
}
