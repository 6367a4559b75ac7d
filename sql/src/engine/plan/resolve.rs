//! Finds the tables that a query names before the planner looks: it can then say which part of a name is wrong, where,
//! and what was probably meant.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Ident, ObjectName, Query, TableFactor, Visit, Visitor};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::engine::catalog::Catalogs;
use crate::error::{ErrorCode, QueryError};
use crate::near::nearest;
use crate::session::Session;

/// Checks that all tables of a query exist.
pub(super) fn check_tables(
    catalogs: &Catalogs,
    session: &Session,
    query: &Query,
) -> Result<(), QueryError> {
    let mut check = Check {
        catalogs,
        session,
        common: HashSet::new(),
    };
    match Visit::visit(query, &mut check) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

/// Checks that a schema exists.
pub(in crate::engine) fn check_schema(
    catalogs: &Catalogs,
    catalog: &str,
    schema: &str,
) -> Result<(), QueryError> {
    let Some(schemas) = catalogs.schemas(catalog) else {
        let hint = hint(catalog, Catalogs::names().into_iter());
        return Err(QueryError::new(
            ErrorCode::CatalogNotFound,
            format!("Catalog '{catalog}' does not exist{hint}"),
        ));
    };
    if schemas.iter().any(|name| name == schema) {
        return Ok(());
    }
    let hint = hint(schema, schemas.iter().map(String::as_str));
    Err(QueryError::new(
        ErrorCode::SchemaNotFound,
        format!("Schema '{catalog}.{schema}' does not exist{hint}"),
    ))
}

/// Checks that a table exists.
pub(in crate::engine) fn check_table(
    catalogs: &Catalogs,
    catalog: &str,
    schema: &str,
    table: &str,
) -> Result<(), QueryError> {
    check_schema(catalogs, catalog, schema)?;
    let tables = catalogs.tables(catalog, schema);
    if tables.iter().any(|name| name == table) {
        return Ok(());
    }
    let hint = hint(table, tables.iter().map(String::as_str));
    let text = format!("Table '{catalog}.{schema}.{table}' does not exist{hint}");
    Err(QueryError::new(ErrorCode::TableNotFound, text))
}

fn hint<'a>(wanted: &str, names: impl Iterator<Item = &'a str>) -> String {
    nearest(wanted, names)
        .map(|name| format!("; did you mean '{name}'?"))
        .unwrap_or_default()
}

struct Check<'a> {
    catalogs: &'a Catalogs,
    session: &'a Session,
    /// Names that `WITH` defines. A name that is one anywhere is left to the planner, which knows the scopes.
    common: HashSet<String>,
}

impl Visitor for Check<'_> {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<QueryError> {
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            self.common.insert(table.alias.name.value.to_lowercase());
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<QueryError> {
        let TableFactor::Table {
            name, args: None, ..
        } = factor
        else {
            return ControlFlow::Continue(());
        };
        match self.check(name) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

impl Check<'_> {
    fn check(&self, name: &ObjectName) -> Result<(), QueryError> {
        let parts: Vec<&Ident> = name.0.iter().filter_map(|part| part.as_ident()).collect();
        let lower: Vec<String> = parts.iter().map(|part| part.value.to_lowercase()).collect();
        let checked = match lower.as_slice() {
            [table] if self.common.contains(table) => Ok(()),
            [table] => check_table(
                self.catalogs,
                &self.session.catalog,
                &self.session.schema,
                table,
            ),
            [schema, table] => check_table(self.catalogs, &self.session.catalog, schema, table),
            [catalog, schema, table] => check_table(self.catalogs, catalog, schema, table),
            _ => Err(QueryError::new(
                ErrorCode::SyntaxError,
                format!("Too many parts in table name: {name}"),
            )),
        };
        let start = parts
            .first()
            .map(|part| part.span.start)
            .unwrap_or(Location::empty());
        checked.map_err(|error| error.at(start.line, start.column))
    }
}
