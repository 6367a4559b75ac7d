//! `SHOW ..` and `DESCRIBE ..`: questions to the system tables, with Trino's column names.

use std::sync::Arc;

use super::Engine;
use super::catalog::INFORMATION_SCHEMA;
use super::plan::{self, Planned, PlannedQuery, catalogs};
use super::update::PROPERTIES;
use crate::dialect::commands::{Like, Show};
use crate::dialect::parameters::Parameters;
use crate::dialect::tokens::tokenize;
use crate::error::{ErrorCode, QueryError};
use crate::result::Columns;
use crate::result::types::trino_type;
use crate::session::Session;
use crate::tables::Rows;

/// Plans what `SHOW` shows.
pub(super) async fn show(
    engine: &Engine,
    session: &Session,
    shown: Show,
) -> Result<Planned, QueryError> {
    let catalogs = catalogs(engine).await?;
    let sql = match shown {
        Show::Catalogs { like } => select(
            &["catalog_name AS \"Catalog\""],
            "system.metadata.catalogs",
            &[],
            ("catalog_name", like),
        ),
        Show::Schemas { catalog, like } => {
            let catalog = catalog.unwrap_or_else(|| session.catalog.clone());
            plan::resolve::check_schema(&catalogs, &catalog, INFORMATION_SCHEMA)?;
            let from = format!("{}.information_schema.schemata", quoted(&catalog));
            select(
                &["schema_name AS \"Schema\""],
                &from,
                &[],
                ("schema_name", like),
            )
        }
        Show::Tables { schema, like } => {
            let (catalog, schema) = two_parts(session, schema);
            plan::resolve::check_schema(&catalogs, &catalog, &schema)?;
            let from = format!("{}.information_schema.tables", quoted(&catalog));
            let own = [("table_schema", schema.as_str())];
            select(
                &["table_name AS \"Table\""],
                &from,
                &own,
                ("table_name", like),
            )
        }
        Show::Columns { table, like } => {
            let (catalog, schema, table) = three_parts(session, table);
            plan::resolve::check_table(&catalogs, &catalog, &schema, &table)?;
            columns(&catalog, &schema, &table, like)
        }
        Show::Functions { like } => select(
            &[
                "function_name AS \"Function\"",
                "return_type AS \"Return Type\"",
                "argument_types AS \"Argument Types\"",
                "function_type AS \"Function Type\"",
                "deterministic AS \"Deterministic\"",
                "description AS \"Description\"",
            ],
            "system.metadata.functions",
            &[],
            ("function_name", like),
        ),
        Show::Session { like } => return session_properties(session, like),
        Show::CreateTable { table } => {
            let (catalog, schema, table) = three_parts(session, table);
            plan::resolve::check_table(&catalogs, &catalog, &schema, &table)?;
            return create_table(engine, &catalog, &schema, &table).await;
        }
        Show::Stats { table } => {
            let (catalog, schema, table) = three_parts(session, table);
            plan::resolve::check_table(&catalogs, &catalog, &schema, &table)?;
            stats(&catalog, &schema, &table)
        }
    };
    let planned = plan::query(engine, session, tokenize(&sql)?, &Parameters::default()).await?;
    Ok(Planned::Query(Box::new(planned)))
}

/// A question to a system table: `own` are equalities, `like` a filter that the client wrote.
fn select(
    columns: &[&str],
    from: &str,
    own: &[(&str, &str)],
    (filtered, like): (&str, Option<Like>),
) -> String {
    let mut conditions: Vec<String> = own
        .iter()
        .map(|(column, value)| format!("{column} = {}", text(value)))
        .collect();
    if let Some(like) = like {
        let escape = like
            .escape
            .map(|escape| format!(" ESCAPE {}", text(&escape)))
            .unwrap_or_default();
        conditions.push(format!("{filtered} LIKE {}{escape}", text(&like.pattern)));
    }
    let filter = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    format!(
        "SELECT {} FROM {from}{filter} ORDER BY 1",
        columns.join(", ")
    )
}

fn columns(catalog: &str, schema: &str, table: &str, like: Option<Like>) -> String {
    let from = format!("{}.information_schema.columns", quoted(catalog));
    let inner = select(
        &[
            "ordinal_position",
            "column_name",
            "data_type",
            "extra_info",
            "comment",
        ],
        &from,
        &[("table_schema", schema), ("table_name", table)],
        ("column_name", like),
    );
    format!(
        "SELECT column_name AS \"Column\", data_type AS \"Type\", extra_info AS \"Extra\", comment AS \"Comment\" \
         FROM ({inner}) ORDER BY ordinal_position"
    )
}

/// Only the row count is known for certain and cheaply.
fn stats(catalog: &str, schema: &str, table: &str) -> String {
    format!(
        "SELECT CAST(NULL AS varchar) AS column_name, CAST(NULL AS double) AS data_size, CAST(NULL AS double) AS \
         distinct_values_count, CAST(NULL AS double) AS nulls_fraction, CAST(count(*) AS double) AS row_count, \
         CAST(NULL AS varchar) AS low_value, CAST(NULL AS varchar) AS high_value FROM {}.{}.{}",
        quoted(catalog),
        quoted(schema),
        quoted(table)
    )
}

/// A string literal.
fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// A quoted identifier.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn two_parts(session: &Session, mut name: Vec<String>) -> (String, String) {
    let schema = name.pop().unwrap_or_else(|| session.schema.clone());
    let catalog = name.pop().unwrap_or_else(|| session.catalog.clone());
    (catalog, schema)
}

fn three_parts(session: &Session, mut name: Vec<String>) -> (String, String, String) {
    let table = name.pop().unwrap_or_default();
    let (catalog, schema) = two_parts(session, name);
    (catalog, schema, table)
}

fn session_properties(session: &Session, like: Option<Like>) -> Result<Planned, QueryError> {
    if like.is_some() {
        return Err(QueryError::new(
            ErrorCode::NotSupported,
            "SHOW SESSION LIKE is not supported",
        ));
    }
    let mut rows = Rows::new(&["Name", "Value", "Default", "Type", "Description"]);
    for (name, default, kind, description) in PROPERTIES {
        let value = session.properties.get(name).map_or(default, String::as_str);
        rows.texts(&[name, value, default, kind, description]);
    }
    planned_rows(rows)
}

/// What `DESCRIBE INPUT` says of a statement with so many parameters: their types are known when they come.
pub(super) fn describe_input(parameters: usize) -> Result<Planned, QueryError> {
    let mut rows = Rows::new(&["Position", "Type"]).with_integer("Position");
    for position in 0..parameters {
        rows.push(vec![(position as i64).into(), "unknown".into()]);
    }
    planned_rows(rows)
}

const OUTPUT_COLUMNS: [&str; 7] = [
    "Column Name",
    "Catalog",
    "Schema",
    "Table",
    "Type",
    "Type Size",
    "Aliased",
];

/// What `DESCRIBE OUTPUT` says of a query.
pub(super) fn describe_output(query: &PlannedQuery) -> Result<Planned, QueryError> {
    let mut rows = Rows::new(&OUTPUT_COLUMNS)
        .with_integer("Type Size")
        .with_boolean("Aliased");
    for (name, field) in query
        .column_names()
        .iter()
        .zip(query.plan.schema().fields())
    {
        let kind = trino_type(field.data_type()).display;
        rows.push(vec![
            name.as_str().into(),
            "".into(),
            "".into(),
            "".into(),
            kind.as_str().into(),
            0_i64.into(),
            false.into(),
        ]);
    }
    planned_rows(rows)
}

/// What `DESCRIBE OUTPUT` says of a statement that is not a query.
pub(super) fn describe_nothing() -> Result<Planned, QueryError> {
    planned_rows(
        Rows::new(&OUTPUT_COLUMNS)
            .with_integer("Type Size")
            .with_boolean("Aliased"),
    )
}

fn planned_rows(rows: Rows) -> Result<Planned, QueryError> {
    let batch = rows.finish()?;
    let names = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    Ok(Planned::Rows(
        Arc::new(Columns::new(batch.schema(), names)),
        vec![batch],
    ))
}

async fn create_table(
    engine: &Engine,
    catalog: &str,
    schema: &str,
    table: &str,
) -> Result<Planned, QueryError> {
    let sql = format!(
        "SELECT * FROM {}.{}.{}",
        quoted(catalog),
        quoted(schema),
        quoted(table)
    );
    let query = plan::query(
        engine,
        &Session::default(),
        tokenize(&sql)?,
        &Parameters::default(),
    )
    .await?;
    let column = |field: &arrow::datatypes::FieldRef| {
        let kind = trino_type(field.data_type()).display;
        let plain = field
            .name()
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        let name = if plain {
            field.name().clone()
        } else {
            quoted(field.name())
        };
        format!("   {name} {kind}")
    };
    let columns: Vec<String> = query.plan.schema().fields().iter().map(column).collect();
    let text = format!(
        "CREATE TABLE {catalog}.{schema}.{table} (\n{}\n)",
        columns.join(",\n")
    );
    let mut rows = Rows::new(&["Create Table"]);
    rows.texts(&[&text]);
    planned_rows(rows)
}
