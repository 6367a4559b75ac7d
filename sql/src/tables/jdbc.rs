//! `system.jdbc`: the catalog as JDBC's `DatabaseMetaData` asks for it.

use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use datafusion::common::Result;

use super::information::describe_all;
use super::{Cell, Kind, Rows};
use crate::engine::catalog::Catalogs;
use crate::result::types::trino_type;

/// All of them; most are empty here, and clients only need them to be there.
pub(super) const TABLES: &[Kind] = &[
    Kind::Jdbc("attributes"),
    Kind::Jdbc("catalogs"),
    Kind::Jdbc("columns"),
    Kind::Jdbc("procedure_columns"),
    Kind::Jdbc("procedures"),
    Kind::Jdbc("pseudo_columns"),
    Kind::Jdbc("schemas"),
    Kind::Jdbc("super_tables"),
    Kind::Jdbc("super_types"),
    Kind::Jdbc("table_types"),
    Kind::Jdbc("tables"),
    Kind::Jdbc("types"),
    Kind::Jdbc("udts"),
];

#[expect(clippy::too_many_lines, reason = "a table: one arm per system table")]
pub(super) async fn table(name: &str, catalogs: &Catalogs) -> Result<Rows> {
    Ok(match name {
        "catalogs" => {
            let mut rows = Rows::new(&["table_cat"]);
            Catalogs::names()
                .iter()
                .for_each(|name| rows.texts(&[name]));
            rows
        }
        "schemas" => {
            let mut rows = Rows::new(&["table_schem", "table_catalog"]);
            for catalog in Catalogs::names() {
                for schema in catalogs.schemas(catalog).unwrap_or_default() {
                    rows.texts(&[&schema, catalog]);
                }
            }
            rows
        }
        "table_types" => {
            let mut rows = Rows::new(&["table_type"]);
            rows.texts(&["TABLE"]);
            rows.texts(&["VIEW"]);
            rows
        }
        "tables" => tables(catalogs),
        "columns" => columns(catalogs).await?,
        "types" => types(),
        "procedures" => Rows::new(&[
            "procedure_cat",
            "procedure_schem",
            "procedure_name",
            "remarks",
            "procedure_type",
            "specific_name",
        ]),
        "procedure_columns" => Rows::new(&[
            "procedure_cat",
            "procedure_schem",
            "procedure_name",
            "column_name",
            "column_type",
            "data_type",
            "type_name",
            "specific_name",
        ]),
        "pseudo_columns" => Rows::new(&[
            "table_cat",
            "table_schem",
            "table_name",
            "column_name",
            "data_type",
            "remarks",
        ]),
        "super_tables" => Rows::new(&["table_cat", "table_schem", "table_name", "supertable_name"]),
        "super_types" => Rows::new(&[
            "type_cat",
            "type_schem",
            "type_name",
            "supertype_cat",
            "supertype_schem",
            "supertype_name",
        ]),
        "attributes" => Rows::new(&[
            "type_cat",
            "type_schem",
            "type_name",
            "attr_name",
            "data_type",
            "attr_type_name",
        ]),
        _ => Rows::new(&[
            "type_cat",
            "type_schem",
            "type_name",
            "class_name",
            "data_type",
            "remarks",
            "base_type",
        ]),
    })
}

fn tables(catalogs: &Catalogs) -> Rows {
    let mut rows = Rows::new(&[
        "table_cat",
        "table_schem",
        "table_name",
        "table_type",
        "remarks",
        "type_cat",
        "type_schem",
        "type_name",
        "self_referencing_col_name",
        "ref_generation",
    ]);
    for catalog in Catalogs::names() {
        for schema in catalogs.schemas(catalog).unwrap_or_default() {
            for table in catalogs.tables(catalog, &schema) {
                let mut row: Vec<Cell> =
                    [catalog, &schema, &table, "TABLE"].map(Cell::from).to_vec();
                row.resize(10, Cell::Null);
                rows.push(row);
            }
        }
    }
    rows
}

fn empty_columns() -> Rows {
    let rows = Rows::new(&[
        "table_cat",
        "table_schem",
        "table_name",
        "column_name",
        "data_type",
        "type_name",
        "column_size",
        "buffer_length",
        "decimal_digits",
        "num_prec_radix",
        "nullable",
        "remarks",
        "column_def",
        "sql_data_type",
        "sql_datetime_sub",
        "char_octet_length",
        "ordinal_position",
        "is_nullable",
        "scope_catalog",
        "scope_schema",
        "scope_table",
        "source_data_type",
        "is_autoincrement",
        "is_generatedcolumn",
    ]);
    [
        "data_type",
        "column_size",
        "buffer_length",
        "decimal_digits",
        "num_prec_radix",
        "nullable",
        "sql_data_type",
        "sql_datetime_sub",
        "char_octet_length",
        "ordinal_position",
        "source_data_type",
    ]
    .iter()
    .fold(rows, |rows, column| rows.with_integer(column))
}

/// The columns of `system.jdbc.columns`.
pub(super) fn columns_schema() -> SchemaRef {
    empty_columns().finish().map_or_else(
        |_| Arc::new(arrow::datatypes::Schema::empty()),
        |batch| batch.schema(),
    )
}

async fn columns(catalogs: &Catalogs) -> Result<Rows> {
    /// `DatabaseMetaData.columnNullable`.
    const NULLABLE: i64 = 1;
    let mut rows = empty_columns();
    for catalog in Catalogs::names() {
        for described in describe_all(catalogs, catalog).await? {
            for (index, field) in described.columns.fields().iter().enumerate() {
                let (code, size) = jdbc_type(field.data_type());
                let mut row: Vec<Cell> = vec![
                    catalog.into(),
                    described.schema.as_str().into(),
                    described.table.as_str().into(),
                    field.name().as_str().into(),
                    code.into(),
                    trino_type(field.data_type()).display.into(),
                    size.map_or(Cell::Null, Cell::from),
                    Cell::Null,
                    Cell::Null,
                    10_i64.into(),
                    NULLABLE.into(),
                    described.comment(field.name()),
                ];
                row.resize(16, Cell::Null);
                row.push((index as i64 + 1).into());
                row.push("YES".into());
                row.resize(24, Cell::Null);
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// `java.sql.Types` and the size that `DatabaseMetaData` gives.
fn jdbc_type(kind: &DataType) -> (i64, Option<i64>) {
    match kind {
        DataType::Boolean => (16, None),
        DataType::Int8 => (-6, Some(3)),
        DataType::Int16 => (5, Some(5)),
        DataType::Int32 => (4, Some(10)),
        DataType::Int64 => (-5, Some(19)),
        DataType::Float32 => (7, Some(24)),
        DataType::Float64 => (8, Some(53)),
        DataType::Decimal128(precision, _) => (3, Some(i64::from(*precision))),
        DataType::Binary | DataType::BinaryView => (-3, Some(1_073_741_824)),
        DataType::Date32 => (91, Some(14)),
        DataType::Time32(_) | DataType::Time64(_) => (92, Some(12)),
        DataType::Timestamp(_, None) => (93, Some(29)),
        DataType::Timestamp(_, Some(_)) => (2014, Some(61)),
        DataType::List(_) => (2003, None),
        DataType::Map(..) | DataType::Struct(_) => (2000, None),
        _ => (12, Some(1_073_741_824)),
    }
}

fn types() -> Rows {
    let mut rows = Rows::new(&["type_name", "data_type", "precision"])
        .with_integer("data_type")
        .with_integer("precision");
    for kind in [
        DataType::Boolean,
        DataType::Int8,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Float32,
        DataType::Float64,
        DataType::Utf8,
        DataType::Binary,
        DataType::Date32,
    ] {
        let (code, size) = jdbc_type(&kind);
        rows.push(vec![
            trino_type(&kind).display.into(),
            code.into(),
            size.map_or(Cell::Null, Cell::from),
        ]);
    }
    rows
}
