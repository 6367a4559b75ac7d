//! The system tables: what catalogs, schemas, tables and columns there are, and which queries run.
//!
//! Names, columns and types are Trino's, because clients ask for them by name. Each table is made when it is read.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Int64Builder, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::{DataFusionError, Result};
use datafusion::datasource::{MemTable, TableProvider};

use crate::engine::catalog::Catalogs;

mod functions;
mod information;
mod jdbc;
mod metadata;
mod runtime;

/// The tables of `information_schema`.
pub(crate) const INFORMATION: &[Kind] = &[Kind::Schemata, Kind::Tables, Kind::Columns, Kind::Views];

/// The schemas of the catalog `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemSchema {
    Jdbc,
    Metadata,
    Runtime,
}

impl SystemSchema {
    pub(crate) const ALL: [Self; 3] = [Self::Jdbc, Self::Metadata, Self::Runtime];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Jdbc => "jdbc",
            Self::Metadata => "metadata",
            Self::Runtime => "runtime",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|schema| schema.name() == name)
    }

    /// Its tables.
    pub(crate) fn tables(self) -> &'static [Kind] {
        match self {
            Self::Jdbc => jdbc::TABLES,
            Self::Metadata => &[Kind::MetadataCatalogs, Kind::TableComments, Kind::Functions],
            Self::Runtime => &[Kind::Queries, Kind::Nodes],
        }
    }
}

/// A system table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Schemata,
    Tables,
    Columns,
    Views,
    MetadataCatalogs,
    TableComments,
    Functions,
    Queries,
    Nodes,
    /// One of `system.jdbc`, by name.
    Jdbc(&'static str),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Schemata => "schemata",
            Self::Tables => "tables",
            Self::Columns => "columns",
            Self::Views => "views",
            Self::MetadataCatalogs => "catalogs",
            Self::TableComments => "table_comments",
            Self::Functions => "functions",
            Self::Queries => "queries",
            Self::Nodes => "nodes",
            Self::Jdbc(name) => name,
        }
    }
}

/// The names of tables, in order.
pub(crate) fn names(kinds: &[Kind]) -> Vec<String> {
    let mut names: Vec<String> = kinds.iter().map(|kind| kind.name().to_owned()).collect();
    names.sort_unstable();
    names
}

/// The table called `name` among `kinds`, seen from `catalog`.
pub(crate) async fn provider(
    kinds: &[Kind],
    name: &str,
    catalogs: &Catalogs,
    catalog: &str,
) -> Result<Option<Arc<dyn TableProvider>>> {
    let Some(kind) = kinds.iter().find(|kind| kind.name() == name) else {
        return Ok(None);
    };
    let rows = match kind {
        Kind::Schemata => information::schemata(catalogs, catalog),
        Kind::Tables => information::tables(catalogs, catalog),
        Kind::Columns => information::columns(catalogs, catalog).await?,
        Kind::Views => information::views(),
        Kind::MetadataCatalogs => metadata::catalogs(),
        Kind::TableComments => metadata::table_comments(catalogs),
        Kind::Functions => functions::functions(),
        Kind::Queries => runtime::queries(catalogs),
        Kind::Nodes => runtime::nodes(),
        Kind::Jdbc(name) => jdbc::table(name, catalogs).await?,
    };
    let batch = rows
        .finish()
        .map_err(|error| DataFusionError::External(Box::new(error)))?;
    Ok(Some(Arc::new(MemTable::try_new(
        batch.schema(),
        vec![vec![batch]],
    )?)))
}

/// A value of a system table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Text(String),
    Integer(i64),
    Boolean(bool),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Cell {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

impl From<bool> for Cell {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

/// A small table, row by row. Columns are varchar unless said otherwise.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    fields: Vec<Field>,
    rows: Vec<Vec<Cell>>,
}

impl Rows {
    pub(crate) fn new(columns: &[&str]) -> Self {
        let fields = columns
            .iter()
            .map(|name| Field::new(*name, DataType::Utf8, true))
            .collect();
        Self {
            fields,
            rows: Vec::new(),
        }
    }

    pub(crate) fn with_integer(self, column: &str) -> Self {
        self.with_type(column, DataType::Int64)
    }

    pub(crate) fn with_boolean(self, column: &str) -> Self {
        self.with_type(column, DataType::Boolean)
    }

    fn with_type(mut self, column: &str, kind: DataType) -> Self {
        for field in &mut self.fields {
            if field.name() == column {
                field.set_data_type(kind.clone());
            }
        }
        self
    }

    pub(crate) fn push(&mut self, row: Vec<Cell>) {
        self.rows.push(row);
    }

    pub(crate) fn texts(&mut self, row: &[&str]) {
        self.rows
            .push(row.iter().map(|text| Cell::from(*text)).collect());
    }

    /// The rows as Arrow. A cell of another type than its column is null.
    pub(crate) fn finish(self) -> std::result::Result<RecordBatch, crate::error::QueryError> {
        let columns = self
            .fields
            .iter()
            .enumerate()
            .map(|(index, field)| self.column(index, field))
            .collect();
        let schema = Arc::new(Schema::new(self.fields.clone()));
        RecordBatch::try_new(schema, columns).map_err(|error| {
            crate::error::QueryError::new(
                crate::error::ErrorCode::GenericInternalError,
                error.to_string(),
            )
        })
    }

    fn column(&self, index: usize, field: &Field) -> ArrayRef {
        let cells = self
            .rows
            .iter()
            .map(|row| row.get(index).unwrap_or(&Cell::Null));
        match field.data_type() {
            DataType::Int64 => {
                let mut column = Int64Builder::new();
                cells.for_each(|cell| {
                    column.append_option(if let Cell::Integer(n) = cell {
                        Some(*n)
                    } else {
                        None
                    })
                });
                Arc::new(column.finish())
            }
            DataType::Boolean => {
                let mut column = BooleanBuilder::new();
                cells.for_each(|cell| {
                    column.append_option(if let Cell::Boolean(b) = cell {
                        Some(*b)
                    } else {
                        None
                    })
                });
                Arc::new(column.finish())
            }
            _ => {
                let mut column = StringBuilder::new();
                cells.for_each(|cell| {
                    column.append_option(if let Cell::Text(t) = cell {
                        Some(t)
                    } else {
                        None
                    })
                });
                Arc::new(column.finish())
            }
        }
    }
}
