//! `information_schema`: a catalog's schemas, tables and columns.

use arrow::datatypes::SchemaRef;
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::common::Result;
use gamepipe_lake::reader::View;

use super::{Cell, Rows};
use crate::engine::catalog::{Catalogs, SchemaKind};
use crate::result::types::trino_type;

pub(super) fn schemata(catalogs: &Catalogs, catalog: &str) -> Rows {
    let mut rows = Rows::new(&["catalog_name", "schema_name"]);
    for schema in catalogs.schemas(catalog).unwrap_or_default() {
        rows.texts(&[catalog, &schema]);
    }
    rows
}

pub(super) fn tables(catalogs: &Catalogs, catalog: &str) -> Rows {
    let mut rows = Rows::new(&["table_catalog", "table_schema", "table_name", "table_type"]);
    for schema in catalogs.schemas(catalog).unwrap_or_default() {
        for table in catalogs.tables(catalog, &schema) {
            rows.texts(&[catalog, &schema, &table, "BASE TABLE"]);
        }
    }
    rows
}

pub(super) fn views() -> Rows {
    Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "view_definition",
    ])
}

pub(super) async fn columns(catalogs: &Catalogs, catalog: &str) -> Result<Rows> {
    let mut rows = Rows::new(&[
        "table_catalog",
        "table_schema",
        "table_name",
        "column_name",
        "ordinal_position",
        "column_default",
        "is_nullable",
        "data_type",
        "comment",
        "extra_info",
    ])
    .with_integer("ordinal_position");
    for described in describe_all(catalogs, catalog).await? {
        for (index, field) in described.columns.fields().iter().enumerate() {
            rows.push(vec![
                catalog.into(),
                described.schema.as_str().into(),
                described.table.as_str().into(),
                field.name().as_str().into(),
                (index as i64 + 1).into(),
                Cell::Null,
                "YES".into(),
                trino_type(field.data_type()).display.into(),
                described.comment(field.name()),
                Cell::Null,
            ]);
        }
    }
    Ok(rows)
}

/// A table with its columns and what the definition says of them.
pub(super) struct Described {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) columns: SchemaRef,
    comments: Vec<(String, String)>,
}

impl Described {
    pub(super) fn comment(&self, column: &str) -> Cell {
        let found = self.comments.iter().find(|(name, _)| name == column);
        found.map_or(Cell::Null, |(_, comment)| comment.as_str().into())
    }
}

/// All tables of a catalog but those of `information_schema` itself.
pub(super) async fn describe_all(catalogs: &Catalogs, catalog: &str) -> Result<Vec<Described>> {
    let mut all = Vec::new();
    for schema in catalogs.schemas(catalog).unwrap_or_default() {
        for table in catalogs.tables(catalog, &schema) {
            let columns = match catalogs.kind(catalog, &schema) {
                Some(SchemaKind::Lake(view)) => lake_columns(catalogs, view, &table).await?,
                Some(SchemaKind::System(_)) => {
                    system_columns(catalogs, catalog, &schema, &table).await?
                }
                _ => None,
            };
            if let Some(columns) = columns {
                let comments = comments(catalogs, &table);
                all.push(Described {
                    schema: schema.clone(),
                    table,
                    columns,
                    comments,
                });
            }
        }
    }
    Ok(all)
}

async fn lake_columns(catalogs: &Catalogs, view: View, table: &str) -> Result<Option<SchemaRef>> {
    let external = |error| datafusion::common::DataFusionError::External(Box::new(error));
    catalogs.cut.schema(view, table).await.map_err(external)
}

async fn system_columns(
    catalogs: &Catalogs,
    catalog: &str,
    schema: &str,
    table: &str,
) -> Result<Option<SchemaRef>> {
    // `jdbc.columns` lists columns itself: it would ask for its own.
    if (schema, table) == ("jdbc", "columns") {
        return Ok(Some(super::jdbc::columns_schema()));
    }
    let found = catalogs
        .catalog(catalog)
        .and_then(|catalog| catalog.schema(schema));
    let provider: Option<std::sync::Arc<dyn SchemaProvider>> = found;
    match provider {
        Some(provider) => Ok(Box::pin(provider.table(table))
            .await?
            .map(|table| table.schema())),
        None => Ok(None),
    }
}

fn comments(catalogs: &Catalogs, table: &str) -> Vec<(String, String)> {
    let declared = catalogs
        .game
        .tables()
        .iter()
        .find(|declared| declared.name == table);
    let columns = declared.iter().flat_map(|table| &table.columns);
    columns
        .filter_map(|column| Some((column.name.clone(), column.description.clone()?)))
        .collect()
}
