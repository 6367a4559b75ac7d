//! A table at one version: its columns and its live files with what is known about them.
//!
//! [`actions`] (the text of one log entry) -> [`followed_log`] (follows a log, entry by entry) -> [`TableSnapshot`].

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use arrow::datatypes::SchemaRef;
use datafusion::common::{ScalarValue, Statistics};
use object_store::path::Path;

pub(crate) mod actions;
pub(crate) mod bounds;
pub(crate) mod followed_log;
pub(crate) mod statistics;
pub(crate) mod types;

/// A table as one version of its log says. Cheap to share; never changes.
#[derive(Debug)]
pub struct TableSnapshot {
    /// The version; `None` when the table has not been created yet.
    pub version: Option<u64>,
    /// All columns, partition columns included, in the order of the table's metadata.
    pub schema: SchemaRef,
    /// The names of the partition columns.
    pub partition_columns: Arc<[String]>,
    /// The live files.
    pub files: Arc<Vec<Arc<DataFile>>>,
    /// Statistics over all files, computed when first asked for.
    pub(crate) statistics: OnceLock<Arc<Statistics>>,
}

impl TableSnapshot {
    /// How many rows the table has; `None` when a file does not say.
    pub fn rows(&self) -> Option<u64> {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// How many bytes its files have.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}

/// A live Parquet file.
#[derive(Debug)]
pub struct DataFile {
    /// Its place below the lake's root.
    pub path: Path,
    /// Its size in bytes.
    pub size: u64,
    /// When it was written, milliseconds since the Unix epoch.
    pub modified_millis: i64,
    /// The value of each partition column.
    pub partition_values: BTreeMap<String, ScalarValue>,
    /// How many rows it has, when the log says so.
    pub rows: Option<u64>,
    /// Column name -> what the log says about its values.
    pub bounds: BTreeMap<String, Bounds>,
}

/// What is known about a column's values in one file.
#[derive(Debug, Clone, Default)]
pub struct Bounds {
    /// No value is smaller.
    pub min: Option<ScalarValue>,
    /// No value is greater.
    pub max: Option<ScalarValue>,
    /// True when `min` and `max` are values of the column, not just bounds.
    pub exact: bool,
    /// How many values are null.
    pub nulls: Option<u64>,
}
