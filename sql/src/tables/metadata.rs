//! `system.metadata`: catalogs and what tables are about.

use super::{Cell, Rows};
use crate::engine::catalog::{Catalogs, SYSTEM_CATALOG};

pub(super) fn catalogs() -> Rows {
    let mut rows = Rows::new(&["catalog_name", "connector_id", "connector_name", "state"]);
    for name in Catalogs::names() {
        let connector = if name == SYSTEM_CATALOG {
            "system"
        } else {
            "delta_lake"
        };
        rows.texts(&[name, name, connector, "OPERATIONAL"]);
    }
    rows
}

pub(super) fn table_comments(catalogs: &Catalogs) -> Rows {
    let mut rows = Rows::new(&["catalog_name", "schema_name", "table_name", "comment"]);
    for catalog in Catalogs::names() {
        for schema in catalogs.schemas(catalog).unwrap_or_default() {
            for table in catalogs.tables(catalog, &schema) {
                let declared = catalogs
                    .game
                    .tables()
                    .iter()
                    .find(|declared| declared.name == table);
                let comment = declared.and_then(|table| table.description.clone());
                rows.push(vec![
                    catalog.into(),
                    schema.as_str().into(),
                    table.into(),
                    comment.map_or(Cell::Null, Cell::from),
                ]);
            }
        }
    }
    rows
}
