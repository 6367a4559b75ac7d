//! From text to the syntax tree of the `cel` crate.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr as Cel, IdedExpr, SourceInfo};

use super::MAX_DEPTH;
use crate::definition::document::Expr;

/// The longest expression, in bytes: room for a page of JSON reply, and a bound for the parser's recursion.
const MAX_EXPRESSION_BYTES: usize = 8 * 1024;
/// The names that an expression reads, macro variables included; empty when it doesn't parse.
pub(crate) fn names_in(expr: &Expr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    if let Expr::Cel(text) = expr
        && let Ok((parsed, _)) = parse(text)
    {
        collect_names(&parsed, &mut names, 0);
    }
    names
}

pub(super) fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), String> {
    if text.len() > MAX_EXPRESSION_BYTES {
        return Err(format!(
            "the expression is {} bytes long; the most is {MAX_EXPRESSION_BYTES}: split it into `let` values",
            text.len()
        ));
    }
    cel::Env::default()
        .parser()
        .parse_with_source_info(text)
        .map_err(|errors| {
            let first = errors.errors.first();
            let (line, column) = first.map_or((1, 1), |error| error.pos);
            let detail = first.map_or("", |error| error.msg.lines().next().unwrap_or(""));
            format!("not a CEL expression, at line {line}, column {column} of it: {detail}")
        })
}

fn collect_names(expr: &IdedExpr, names: &mut BTreeSet<String>, depth: usize) {
    if depth > MAX_DEPTH {
        return;
    }
    let mut visit = |inner: &IdedExpr| collect_names(inner, names, depth + 1);
    match &expr.expr {
        Cel::Ident(name) => drop(names.insert(name.clone())),
        Cel::Select(select) => visit(&select.operand),
        Cel::Call(call) => call
            .target
            .iter()
            .map(|target| &**target)
            .chain(&call.args)
            .for_each(visit),
        Cel::List(list) => list.elements.iter().for_each(visit),
        Cel::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    visit(&entry.key);
                    visit(&entry.value);
                }
            }
        }
        Cel::Struct(_) | Cel::Comprehension(_) | Cel::Literal(_) | Cel::Unspecified => {}
    }
}
