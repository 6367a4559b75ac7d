//! `date_format(moment, format)`: Trino's format is MySQL's (`%i` is the minute, `%M` the month's name); the engine's is
//! that of `strftime`.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Expr, Query, Value, visit_expressions_mut};

use super::functions::{call, plain_call};
use crate::error::{ErrorCode, QueryError};

/// Trino's letter behind `%` and what stands for it in the engine. Letters with an effect of their own are not here:
/// `%D`, `%U`, `%u`, `%V`, `%w` and `%X` are refused by Trino, too.
const SPECIFIERS: &[(char, &str)] = &[
    ('a', "%a"),
    ('b', "%b"),
    ('c', "%-m"),
    ('d', "%d"),
    ('e', "%-d"),
    ('f', "%6f"),
    ('H', "%H"),
    ('h', "%I"),
    ('I', "%I"),
    ('i', "%M"),
    ('j', "%j"),
    ('k', "%-H"),
    ('l', "%-I"),
    ('M', "%B"),
    ('m', "%m"),
    ('p', "%p"),
    ('r', "%I:%M:%S %p"),
    ('S', "%S"),
    ('s', "%S"),
    ('T', "%H:%M:%S"),
    ('v', "%V"),
    ('W', "%A"),
    ('x', "%G"),
    ('Y', "%Y"),
    ('y', "%y"),
    ('%', "%%"),
];

pub(super) fn translate_formats(query: &mut Query) -> Result<(), QueryError> {
    let done = visit_expressions_mut(query, |expr| match translated(expr) {
        Ok(Some(changed)) => {
            *expr = changed;
            ControlFlow::Continue(())
        }
        Ok(None) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    });
    match done {
        ControlFlow::Break(error) => Err(error),
        ControlFlow::Continue(()) => Ok(()),
    }
}

fn translated(expr: &Expr) -> Result<Option<Expr>, QueryError> {
    let Expr::Function(function) = expr else {
        return Ok(None);
    };
    let Some((name, arguments)) = plain_call(function) else {
        return Ok(None);
    };
    if name != "date_format" {
        return Ok(None);
    }
    let unsupported = |text: String| Err(QueryError::new(ErrorCode::NotSupported, text));
    let [moment, format] = arguments.as_slice() else {
        return unsupported("date_format takes a timestamp and a format".to_owned());
    };
    let Expr::Value(value) = format else {
        return unsupported("date_format needs its format as a literal".to_owned());
    };
    let Value::SingleQuotedString(format) = &value.value else {
        return unsupported("date_format needs its format as a text".to_owned());
    };
    match engine_format(format) {
        Ok(format) => {
            let format = Expr::value(Value::SingleQuotedString(format));
            Ok(Some(call("to_char", vec![moment.clone(), format])))
        }
        Err(letter) => unsupported(format!("%{letter} in a format of date_format")),
    }
}

/// A letter without a meaning stands for itself.
fn engine_format(format: &str) -> Result<String, char> {
    let mut out = String::with_capacity(format.len() * 2);
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            out.push(letter);
            continue;
        }
        match letters.next() {
            None => out.push_str("%%"),
            Some(letter @ ('D' | 'U' | 'u' | 'V' | 'w' | 'X')) => return Err(letter),
            Some(letter) => match SPECIFIERS.iter().find(|(known, _)| *known == letter) {
                Some((_, specifier)) => out.push_str(specifier),
                None => out.push(letter),
            },
        }
    }
    Ok(out)
}
