//! What the engine would parse and then ignore or misread: refused, because a wrong answer is worse than none.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Query, Select, TableFactor, Visit, Visitor,
};

use crate::error::{ErrorCode, QueryError};

/// Refuses clauses that would change nothing, or mean something else than in Trino.
pub(super) fn refuse_what_would_be_ignored(query: &Query) -> Result<(), QueryError> {
    match Visit::visit(query, &mut Refuse) {
        ControlFlow::Break(what) => Err(QueryError::new(
            ErrorCode::NotSupported,
            format!("{what} is not supported"),
        )),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Refuse;

/// The parser knows many other databases' operators: `2^3` would be an exclusive or.
fn is_trinos(operator: &BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        operator,
        Op::Plus
            | Op::Minus
            | Op::Multiply
            | Op::Divide
            | Op::Modulo
            | Op::StringConcat
            | Op::Gt
            | Op::Lt
            | Op::GtEq
            | Op::LtEq
            | Op::Eq
            | Op::NotEq
            | Op::And
            | Op::Or
    )
}

impl Visitor for Refuse {
    type Break = &'static str;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<&'static str> {
        if !query.locks.is_empty() {
            return ControlFlow::Break("FOR UPDATE");
        }
        if query.for_clause.is_some() || query.settings.is_some() || query.format_clause.is_some() {
            return ControlFlow::Break("a FOR, SETTINGS or FORMAT clause");
        }
        if !query.pipe_operators.is_empty() {
            return ControlFlow::Break("|>");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<&'static str> {
        match expr {
            Expr::BinaryOp { op, .. } if !is_trinos(op) => {
                ControlFlow::Break("an operator such as ^, &, |, << or ~")
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<&'static str> {
        if select.top.is_some() {
            return ControlFlow::Break("TOP");
        }
        if select.qualify.is_some() {
            return ControlFlow::Break("QUALIFY");
        }
        if select.prewhere.is_some()
            || !select.lateral_views.is_empty()
            || !select.connect_by.is_empty()
        {
            return ControlFlow::Break("this clause");
        }
        if !select.cluster_by.is_empty()
            || !select.distribute_by.is_empty()
            || !select.sort_by.is_empty()
        {
            return ControlFlow::Break("CLUSTER BY, DISTRIBUTE BY or SORT BY");
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<&'static str> {
        match factor {
            TableFactor::Table {
                sample: Some(_), ..
            } => ControlFlow::Break("TABLESAMPLE"),
            TableFactor::Table {
                version: Some(_), ..
            } => ControlFlow::Break("FOR VERSION AS OF"),
            _ => ControlFlow::Continue(()),
        }
    }
}
