//! `current_user`, `current_catalog`, `current_schema`, `current_timezone()` and `version()` -> their values.

use datafusion::sql::sqlparser::ast::{Expr, Query, Value, visit_expressions_mut};

use super::functions::plain_call;
use crate::session::Session;

pub(super) fn replace_session_words(query: &mut Query, session: &Session) {
    let _ = visit_expressions_mut(query, |expr| {
        let word = match expr {
            Expr::Identifier(name) if name.quote_style.is_none() => name.value.to_lowercase(),
            Expr::Function(function) => match plain_call(function) {
                Some((name, arguments)) if arguments.is_empty() => name,
                _ => return std::ops::ControlFlow::<()>::Continue(()),
            },
            _ => return std::ops::ControlFlow::Continue(()),
        };
        let is_call = matches!(expr, Expr::Function(_));
        let value = match word.as_str() {
            "current_user" => &session.user,
            "current_catalog" => &session.catalog,
            "current_schema" => &session.schema,
            "current_timezone" if is_call => &session.time_zone,
            "version" if is_call => crate::TRINO_VERSION,
            _ => return std::ops::ControlFlow::Continue(()),
        };
        *expr = Expr::value(Value::SingleQuotedString(value.to_owned()));
        std::ops::ControlFlow::Continue(())
    });
}
