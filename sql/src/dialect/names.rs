//! The names of a result's columns, by Trino's rule: a column's own name, an alias as it was written, else `_colN`.
//!
//! DataFusion wants every output expression to have a name of its own; Trino allows `SELECT count(*), count(*)` and
//! `SELECT a, a`. Such expressions get an alias that no one can write, and [`OutputNames`] takes it off again.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, Ident, Query, Select, SelectItem, SetExpr, VisitMut, VisitorMut,
};

use super::tokens::Tokens;

/// Stands between a name and the number that makes it unique. No identifier can hold it.
const MARK: char = '\u{1}';

/// What is known of the top-level columns' names before planning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OutputNames {
    /// One entry per item of the outermost `SELECT`; `Some` is how the client wrote it.
    items: Vec<Item>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    Named(String),
    Unnamed,
    Wildcard,
}

impl OutputNames {
    /// The names that clients see for the columns that the plan calls `planned`.
    pub(crate) fn resolve(&self, planned: &[String]) -> Vec<String> {
        let first_wildcard = self.items.iter().position(|item| *item == Item::Wildcard);
        let after_last = self
            .items
            .iter()
            .rev()
            .position(|item| *item == Item::Wildcard)
            .unwrap_or(0);
        let name = |(index, planned_name): (usize, &String)| {
            let from_left = first_wildcard
                .is_none_or(|first| index < first)
                .then(|| self.items.get(index))
                .flatten();
            let behind = planned.len() - index;
            let from_right = (first_wildcard.is_some() && behind <= after_last)
                .then(|| {
                    self.items
                        .len()
                        .checked_sub(behind)
                        .and_then(|place| self.items.get(place))
                })
                .flatten();
            match from_left.or(from_right) {
                Some(Item::Named(written)) => written.clone(),
                Some(Item::Unnamed) => format!("_col{index}"),
                _ => shown(planned_name, index),
            }
        };
        planned.iter().enumerate().map(name).collect()
    }
}

/// A planned name without its mark.
fn shown(planned: &str, index: usize) -> String {
    match planned.split_once(MARK) {
        Some(("", _)) => format!("_col{index}"),
        Some((name, _)) => name.to_owned(),
        None => planned.to_owned(),
    }
}

/// Gives every output expression of every `SELECT` a unique name, and says what the outermost ones are called.
pub(crate) fn name_outputs(query: &mut Query, tokens: &Tokens) -> OutputNames {
    let items = outermost(&query.body)
        .map(|body| top_items(body, tokens))
        .unwrap_or_default();
    let _ = VisitMut::visit(query, &mut Unique);
    OutputNames { items }
}

enum Outermost<'a> {
    Select(&'a Select),
    Values(usize),
}

fn outermost(body: &SetExpr) -> Option<Outermost<'_>> {
    match body {
        SetExpr::Select(select) => Some(Outermost::Select(select)),
        SetExpr::Query(inner) => outermost(&inner.body),
        SetExpr::SetOperation { left, .. } => outermost(left),
        SetExpr::Values(values) => Some(Outermost::Values(
            values.rows.first().map_or(0, |row| row.len()),
        )),
        _ => None,
    }
}

fn top_items(body: Outermost<'_>, tokens: &Tokens) -> Vec<Item> {
    let written = |ident: &Ident| {
        let place = (ident.span.start.line, ident.span.start.column);
        tokens.written.get(&place).unwrap_or(&ident.value).clone()
    };
    let select = match body {
        Outermost::Select(select) => select,
        Outermost::Values(width) => return vec![Item::Unnamed; width],
    };
    let item = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { alias, .. } => Item::Named(written(alias)),
        SelectItem::UnnamedExpr(expr) => {
            column_of(expr).map_or(Item::Unnamed, |name| Item::Named(written(name)))
        }
        _ => Item::Wildcard,
    };
    select.projection.iter().map(item).collect()
}

/// The column that an expression just names.
fn column_of(expr: &Expr) -> Option<&Ident> {
    match expr {
        Expr::Identifier(name) => Some(name),
        Expr::CompoundIdentifier(parts) => parts.last(),
        Expr::Nested(inner) => column_of(inner),
        _ => None,
    }
}

struct Unique;

impl VisitorMut for Unique {
    type Break = ();

    fn post_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        let has_wildcard = select.projection.iter().any(|item| {
            matches!(
                item,
                SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)
            )
        });
        let mut taken = HashSet::new();
        for (index, item) in select.projection.iter_mut().enumerate() {
            let marked = |name: &str| Ident::with_quote('"', format!("{name}{MARK}{index}"));
            match item {
                SelectItem::UnnamedExpr(expr) => {
                    let name = column_of(expr).map(|name| name.value.to_lowercase());
                    let alias = match name {
                        None => marked(""),
                        // A wildcard may bring the same column.
                        Some(name) if has_wildcard || !taken.insert(name.clone()) => marked(&name),
                        Some(_) => continue,
                    };
                    let expr = expr.clone();
                    *item = SelectItem::ExprWithAlias { expr, alias };
                }
                SelectItem::ExprWithAlias { alias, .. } => {
                    let name = alias.value.to_lowercase();
                    if !taken.insert(name.clone()) {
                        *alias = marked(&name);
                    }
                }
                _ => {}
            }
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse_query;
    use super::super::tokens::tokenize;
    use super::name_outputs;

    fn names(sql: &str, planned: &[&str]) -> Vec<String> {
        let tokens = tokenize(sql).unwrap();
        let mut query = parse_query(tokens.list.clone()).unwrap();
        let planned: Vec<String> = planned.iter().map(|&name| name.to_owned()).collect();
        name_outputs(&mut query, &tokens).resolve(&planned)
    }

    #[test]
    fn columns_keep_their_names_and_expressions_are_numbered_by_position() {
        assert_eq!(
            names(
                "SELECT UserName, count(*), 1 AS Foo, \"A b\"",
                &["a", "b", "c", "d"]
            ),
            ["UserName", "_col1", "Foo", "A b"]
        );
    }

    #[test]
    fn positions_count_what_a_wildcard_brings() {
        assert_eq!(
            names("SELECT 1, t.*, 2 FROM t", &["\u{1}0", "x", "y", "\u{1}2"]),
            ["_col0", "x", "y", "_col3"]
        );
    }

    #[test]
    fn values_and_unions_are_named_by_their_first_part() {
        assert_eq!(
            names("VALUES (1, 2)", &["column1", "column2"]),
            ["_col0", "_col1"]
        );
        assert_eq!(names("SELECT 1 AS A UNION SELECT 2", &["a"]), ["A"]);
    }
}
