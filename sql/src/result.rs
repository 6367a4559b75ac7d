//! Results as clients see them: Trino's type names, and values as JSON.

pub(crate) mod json;
pub(crate) mod types;

use arrow::datatypes::SchemaRef;

use self::types::{TrinoType, trino_type};

/// A result's columns: names as clients see them, and types.
#[derive(Debug, Clone)]
pub(crate) struct Columns {
    /// The batches' schema; its names may differ.
    pub(crate) schema: SchemaRef,
    /// One per column.
    pub(crate) names: Vec<String>,
    /// One per column.
    pub(crate) types: Vec<TrinoType>,
}

impl Columns {
    /// The columns of batches with `schema`, called `names`.
    pub(crate) fn new(schema: SchemaRef, names: Vec<String>) -> Self {
        let types = schema
            .fields()
            .iter()
            .map(|field| trino_type(field.data_type()))
            .collect();
        Self {
            schema,
            names,
            types,
        }
    }
}
