//! Reading a table's Parquet files directly, for merges and audits.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use futures::TryStreamExt;
use object_store::ObjectStore;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderBuilder, ParquetRecordBatchReaderBuilder};
use parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use tokio::runtime::Handle;

use crate::error::LakeError;
use crate::store::{LakeStore, Place};

/// Rows of a batch.
const BATCH_ROWS: usize = 8192;

mod object;

use object::ObjectReader;

/// A file of a table.
#[derive(Debug, Clone)]
pub struct LakeFile {
    path: String,
    size: u64,
    at: At,
}

#[derive(Debug, Clone)]
enum At {
    Disk(PathBuf),
    Store(Arc<dyn ObjectStore>),
}

impl LakeFile {
    /// The file at `path`, relative to the lake.
    pub(crate) fn new(store: &LakeStore, path: String, size: u64) -> Self {
        let at = match store.place() {
            Place::Directory(root) => At::Disk(root.join(&path)),
            Place::Bucket(_) => At::Store(Arc::clone(store.objects())),
        };
        Self { path, size, at }
    }

    /// Where it is, relative to the lake.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Its size in bytes, as the table's log has it.
    pub fn bytes(&self) -> u64 {
        self.size
    }

    /// All its rows in these columns; a column that the file does not have is null.
    pub async fn read(&self, schema: &SchemaRef) -> Result<Vec<RecordBatch>, LakeError> {
        let (file, schema) = (self.clone(), Arc::clone(schema));
        let read = move || {
            let table = file.path.split('/').next().unwrap_or_default();
            read_rows(table, &file, &schema)
        };
        tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| LakeError::Worker(error.to_string()))?
    }
}

/// The rows of a file in these columns; a column that the file does not have is null. Blocks, on a thread of a runtime's
/// that may.
pub(crate) fn read_rows(
    table: &str,
    file: &LakeFile,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, LakeError> {
    let fail = |error: &dyn std::fmt::Display| {
        LakeError::encoding(table, &format!("{}: {error}", file.path))
    };
    let read = match &file.at {
        At::Disk(path) => from_disk(path, schema).map_err(|error| fail(&error))?,
        At::Store(store) => Handle::current()
            .block_on(from_store(store, file, schema))
            .map_err(|error| fail(&error))?,
    };
    read.iter()
        .map(|batch| in_columns(batch, schema).map_err(|error| fail(&error)))
        .collect()
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn from_disk(path: &std::path::Path, schema: &SchemaRef) -> Result<Vec<RecordBatch>, Failure> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
    let reader = narrowed(builder, schema).build()?;
    Ok(reader.collect::<Result<_, _>>()?)
}

async fn from_store(
    store: &Arc<dyn ObjectStore>,
    file: &LakeFile,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, Failure> {
    let reader = ObjectReader::new(store, &file.path, file.size);
    let builder = ParquetRecordBatchStreamBuilder::new(reader).await?;
    Ok(narrowed(builder, schema).build()?.try_collect().await?)
}

/// A reader of the wanted columns only.
fn narrowed<T>(builder: ArrowReaderBuilder<T>, schema: &SchemaRef) -> ArrowReaderBuilder<T> {
    let wanted = |name: &str| schema.column_with_name(name).is_some();
    let leaves = builder.parquet_schema().columns().iter().enumerate();
    let roots: Vec<usize> = leaves
        .filter(|(_, leaf)| wanted(leaf.name()))
        .map(|(index, _)| index)
        .collect();
    let mask = ProjectionMask::leaves(builder.parquet_schema(), roots);
    builder.with_projection(mask).with_batch_size(BATCH_ROWS)
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
