//! Calls of functions that the two dialects name or use differently.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
    ObjectName, Query, Value, visit_expressions_mut,
};

/// Trino's name, the engine's name: same arguments, same result.
const RENAMED: &[(&str, &str)] = &[
    ("arbitrary", "any_value"),
    ("ceiling", "ceil"),
    ("every", "bool_and"),
    ("variance", "var_samp"),
    ("approx_percentile", "approx_percentile_cont"),
    ("rand", "random"),
    ("array_remove", "array_remove_all"),
    ("listagg", "string_agg"),
    ("transform", "array_transform"),
    ("filter", "array_filter"),
    // In Trino these make arrays.
    ("repeat", "array_repeat"),
    ("sequence", "generate_series"),
    ("element_at", "array_element"),
];

pub(super) fn call_trino_functions(query: &mut Query) {
    let _ = visit_expressions_mut(query, |expr| {
        if let Expr::Function(function) = expr
            && let Some(changed) = changed(function)
        {
            *expr = changed;
        }
        ControlFlow::<()>::Continue(())
    });
}

/// The lower-case name and the positional arguments of a call without `DISTINCT`, `OVER`, `FILTER` and the like.
pub(super) fn plain_call(function: &Function) -> Option<(String, Vec<Expr>)> {
    let name = simple_name(function)?;
    if function.over.is_some() || function.filter.is_some() || !function.within_group.is_empty() {
        return None;
    }
    let arguments = match &function.args {
        FunctionArguments::None => Vec::new(),
        FunctionArguments::List(list)
            if list.duplicate_treatment.is_none() && list.clauses.is_empty() =>
        {
            let plain = |argument: &FunctionArg| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr.clone()),
                _ => None,
            };
            list.args.iter().map(plain).collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    Some((name, arguments))
}

fn simple_name(function: &Function) -> Option<String> {
    match function.name.0.as_slice() {
        [part] => part.as_ident().map(|ident| ident.value.to_lowercase()),
        _ => None,
    }
}

fn changed(function: &mut Function) -> Option<Expr> {
    let name = simple_name(function)?;
    if let Some((_, engine_name)) = RENAMED.iter().find(|(trino, _)| *trino == name) {
        let span = function
            .name
            .0
            .first()
            .and_then(|part| part.as_ident())
            .map(|ident| ident.span);
        let mut ident = Ident::new(*engine_name);
        ident.span = span.unwrap_or(ident.span);
        function.name = ObjectName::from(vec![ident]);
        return None;
    }
    let (name, arguments) = plain_call(function)?;
    match (name.as_str(), arguments.len()) {
        // Null in, null out; the engine's concat skips nulls.
        ("concat", 2..) => concatenated(arguments),
        ("regexp_replace", 2) => {
            push_text(function, "");
            push_text(function, "g");
            None
        }
        ("regexp_replace", 3) => {
            push_text(function, "g");
            None
        }
        ("replace", 2) => {
            push_text(function, "");
            None
        }
        ("if", 2 | 3) => Some(if_then_else(arguments)),
        // Null when one is null; the engine leaves nulls out.
        ("greatest" | "least", 1..) => null_if_any(&name, arguments),
        ("to_unixtime", 1) => Some(date_part("epoch", arguments)),
        ("mod", 2) => binary(arguments, BinaryOperator::Modulo),
        ("year" | "month" | "day" | "hour" | "minute" | "second" | "quarter" | "week", 1) => {
            Some(date_part(&name, arguments))
        }
        ("day_of_week" | "dow", 1) => Some(date_part("isodow", arguments)),
        ("day_of_year" | "doy", 1) => Some(date_part("doy", arguments)),
        ("day_of_month", 1) => Some(date_part("day", arguments)),
        ("week_of_year", 1) => Some(date_part("week", arguments)),
        _ => None,
    }
}

fn nested(expr: Expr) -> Expr {
    Expr::Nested(Box::new(expr))
}

/// As a balanced tree: a chain would be as deep as there are arguments.
fn concatenated(mut arguments: Vec<Expr>) -> Option<Expr> {
    if arguments.len() < 2 {
        return arguments.pop().map(nested);
    }
    let behind = arguments.split_off(arguments.len() / 2);
    Some(nested(Expr::BinaryOp {
        left: Box::new(concatenated(arguments)?),
        op: BinaryOperator::StringConcat,
        right: Box::new(concatenated(behind)?),
    }))
}

fn null_if_any(name: &str, arguments: Vec<Expr>) -> Option<Expr> {
    let is_null = arguments
        .iter()
        .map(|argument| Expr::IsNull(Box::new(nested(argument.clone()))))
        .reduce(|left, right| Expr::BinaryOp {
            left: Box::new(left),
            op: BinaryOperator::Or,
            right: Box::new(right),
        })?;
    let engines = call(name, arguments);
    Some(if_then_else(vec![
        nested(is_null),
        Expr::value(Value::Null),
        engines,
    ]))
}

fn binary(arguments: Vec<Expr>, op: BinaryOperator) -> Option<Expr> {
    let [left, right]: [Expr; 2] = arguments.try_into().ok()?;
    Some(nested(Expr::BinaryOp {
        left: Box::new(nested(left)),
        op,
        right: Box::new(nested(right)),
    }))
}

fn if_then_else(arguments: Vec<Expr>) -> Expr {
    let mut arguments = arguments.into_iter();
    let mut next = || arguments.next().unwrap_or_else(|| Expr::value(Value::Null));
    let (condition, result, otherwise) = (next(), next(), next());
    Expr::Case {
        case_token: datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(
        ),
        end_token: datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken::empty(),
        operand: None,
        conditions: vec![datafusion::sql::sqlparser::ast::CaseWhen { condition, result }],
        else_result: Some(Box::new(otherwise)),
    }
}

/// `date_part('part', x)` as bigint, which is what Trino's functions of one argument give.
fn date_part(part: &str, arguments: Vec<Expr>) -> Expr {
    let mut all = vec![Expr::value(Value::SingleQuotedString(part.to_owned()))];
    all.extend(arguments);
    call("date_part", all)
}

/// A call of an engine function.
pub(super) fn call(name: &str, arguments: Vec<Expr>) -> Expr {
    let args = arguments
        .into_iter()
        .map(|expr| FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)))
        .collect();
    Expr::Function(Function {
        name: ObjectName::from(vec![Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(datafusion::sql::sqlparser::ast::FunctionArgumentList {
            duplicate_treatment: None,
            args,
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

fn push_text(function: &mut Function, text: &str) {
    if let FunctionArguments::List(list) = &mut function.args {
        let text = Expr::value(Value::SingleQuotedString(text.to_owned()));
        list.args
            .push(FunctionArg::Unnamed(FunctionArgExpr::Expr(text)));
    }
}
