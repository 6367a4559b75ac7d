//! Trino's SQL for DataFusion: text -> tokens -> command or syntax tree -> rewritten syntax tree.
//!
//! [`tokens`] bounds the text before anything recursive sees it; [`commands`] knows what is not a query; [`parse`] makes
//! the tree; [`rewrite`] changes what the two dialects say differently; [`names`] gives the result's columns their names.

pub(crate) mod commands;
pub(crate) mod names;
pub(crate) mod parameters;
pub(crate) mod parse;
pub(crate) mod rewrite;
pub(crate) mod tokens;
mod values;

use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect};

/// How the tokenizer and the parser read Trino's SQL: as the generic dialect, with lambdas.
#[derive(Debug)]
pub(crate) struct TrinoDialect;

impl Dialect for TrinoDialect {
    fn dialect(&self) -> std::any::TypeId {
        // The parser asks for this in many places; what is not asked for below is generic.
        std::any::TypeId::of::<GenericDialect>()
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        ch.is_alphabetic() || ch == '_'
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        ch.is_alphanumeric() || ch == '_' || ch == '$' || ch == '@'
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        ch == '"' || ch == '`'
    }

    fn supports_lambda_functions(&self) -> bool {
        true
    }

    fn supports_filter_during_aggregation(&self) -> bool {
        true
    }

    fn supports_within_after_array_aggregation(&self) -> bool {
        true
    }

    fn supports_group_by_expr(&self) -> bool {
        true
    }

    fn supports_named_fn_args_with_rarrow_operator(&self) -> bool {
        true
    }

    fn supports_window_function_null_treatment_arg(&self) -> bool {
        true
    }

    fn supports_unicode_string_literal(&self) -> bool {
        true
    }

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_parens_around_table_factor(&self) -> bool {
        true
    }

    fn supports_values_as_table_factor(&self) -> bool {
        true
    }
}
