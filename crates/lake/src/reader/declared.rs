//! The columns of tables as queries see them, from the definition alone.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use gamepipe_domain::definition::game::Table;
use gamepipe_domain::definition::system;

use crate::schema;

/// The declared columns of a table, in order.
pub(super) fn schema_of(table: &Table) -> SchemaRef {
    let field = |column: &gamepipe_domain::definition::game::Column| {
        Field::new(
            &column.name,
            read_type(&schema::arrow_type(column.kind)),
            true,
        )
    };
    Arc::new(Schema::new(
        table.columns.iter().map(field).collect::<Vec<_>>(),
    ))
}

/// All columns of a table that landing has not created yet.
pub(super) fn schema_before_creation(name: &str, declared: &[Table]) -> SchemaRef {
    let written = if name == system::EPOCHS {
        schema::epochs_schema()
    } else {
        let tables = schema::with_system_tables(declared);
        let table = tables.iter().find(|table| table.name == name);
        table.map_or_else(|| Arc::new(Schema::empty()), schema::arrow_schema)
    };
    let field = |field: &Arc<Field>| Field::new(field.name(), read_type(field.data_type()), true);
    Arc::new(Schema::new(
        written.fields().iter().map(field).collect::<Vec<_>>(),
    ))
}

/// Text is read as views, which are cheaper to compare and group than copies.
fn read_type(written: &DataType) -> DataType {
    match written {
        DataType::Utf8 => DataType::Utf8View,
        other => other.clone(),
    }
}
