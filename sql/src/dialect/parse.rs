//! From tokens to a query's syntax tree.

use datafusion::sql::sqlparser::ast::{Query, SetExpr};
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::TrinoDialect;
use super::tokens::{MAX_NESTING, at};
use super::values::spell_out;
use crate::error::from_datafusion::syntax_error;
use crate::error::{ErrorCode, QueryError};

/// The parser counts several levels for one pair of parentheses.
const RECURSION_LIMIT: usize = MAX_NESTING * 8;

/// Parses one query; all tokens must belong to it.
pub(crate) fn parse_query(tokens: Vec<TokenWithSpan>) -> Result<Box<Query>, QueryError> {
    let mut parser = Parser::new(&TrinoDialect)
        .with_recursion_limit(RECURSION_LIMIT)
        .with_tokens_with_locations(spell_out(tokens));
    let query = parser.parse_query().map_err(parser_error)?;
    let rest = parser.peek_token();
    if rest.token != Token::EOF {
        let error = QueryError::new(
            ErrorCode::SyntaxError,
            format!("mismatched input '{}'", rest.token),
        );
        return Err(at(error, rest.span.start));
    }
    check_reads_only(&query.body)?;
    Ok(query)
}

fn parser_error(error: ParserError) -> QueryError {
    match error {
        ParserError::RecursionLimitExceeded => QueryError::new(
            ErrorCode::QueryRejected,
            format!("the query has more than {MAX_NESTING} levels of nesting"),
        ),
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => syntax_error(&text),
    }
}

/// The parser takes `WITH .. INSERT` and the like for a query. Nothing but reading is one here.
fn check_reads_only(body: &SetExpr) -> Result<(), QueryError> {
    match body {
        SetExpr::Select(select) if select.into.is_some() => Err(refused("SELECT INTO")),
        SetExpr::Select(_) | SetExpr::Values(_) | SetExpr::Table(_) => Ok(()),
        SetExpr::Query(inner) => check_reads_only(&inner.body),
        SetExpr::SetOperation { left, right, .. } => {
            check_reads_only(left)?;
            check_reads_only(right)
        }
        _ => Err(refused("a statement that writes")),
    }
}

fn refused(what: &str) -> QueryError {
    QueryError::new(
        ErrorCode::PermissionDenied,
        format!("Access Denied: {what} is not allowed: this endpoint only reads"),
    )
}
