//! What the two dialects say differently, as changes of the syntax tree. One rewrite per file; [`rewrite`] is the list.

use datafusion::sql::sqlparser::ast::Query;

use crate::error::QueryError;
use crate::session::Session;

mod bounded_text;
mod date_format;
mod date_parts;
mod fetch;
mod functions;
mod refused;
mod session_words;

/// Applies all rewrites, in order.
pub(crate) fn rewrite(query: &mut Query, session: &Session) -> Result<(), QueryError> {
    refused::refuse_what_would_be_ignored(query)?;
    fetch::fetch_to_limit(query)?;
    session_words::replace_session_words(query, session);
    date_parts::use_trino_date_parts(query);
    date_format::translate_formats(query)?;
    functions::call_trino_functions(query);
    bounded_text::bound_text_casts(query);
    Ok(())
}
