//! `FETCH FIRST n ROWS ONLY` -> `LIMIT n`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, LimitClause, Query, Value, VisitMut, VisitorMut};

use crate::error::{ErrorCode, QueryError};

pub(super) fn fetch_to_limit(query: &mut Query) -> Result<(), QueryError> {
    match VisitMut::visit(query, &mut Fetches) {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

struct Fetches;

impl VisitorMut for Fetches {
    type Break = QueryError;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<QueryError> {
        let Some(fetch) = query.fetch.take() else {
            return ControlFlow::Continue(());
        };
        if fetch.with_ties || fetch.percent {
            let text = "FETCH FIRST .. WITH TIES or PERCENT is not supported";
            return ControlFlow::Break(QueryError::new(ErrorCode::NotSupported, text));
        }
        let rows = fetch
            .quantity
            .unwrap_or_else(|| Expr::value(Value::Number("1".to_owned(), false)));
        query.limit_clause = match query.limit_clause.take() {
            None => Some(LimitClause::LimitOffset {
                limit: Some(rows),
                offset: None,
                limit_by: Vec::new(),
            }),
            Some(LimitClause::LimitOffset {
                limit: None,
                offset,
                limit_by,
            }) => Some(LimitClause::LimitOffset {
                limit: Some(rows),
                offset,
                limit_by,
            }),
            Some(_) => {
                let text = "a query has either LIMIT or FETCH FIRST";
                return ControlFlow::Break(QueryError::new(ErrorCode::SyntaxError, text));
            }
        };
        ControlFlow::Continue(())
    }
}
