//! Expressions that both dialects write alike and mean differently, changed once their types are known.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::functions::math::round;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, cast};

use super::{checked, text};

/// Gives expressions Trino's meaning. Runs before the engine's own coercion, so that only what was written is changed.
#[derive(Debug)]
pub(crate) struct TrinoMeaning;

impl FunctionRewrite for TrinoMeaning {
    fn name(&self) -> &str {
        "trino_meaning"
    }

    fn rewrite(
        &self,
        expr: Expr,
        schema: &DFSchema,
        _: &ConfigOptions,
    ) -> Result<Transformed<Expr>> {
        match expr {
            Expr::Cast(cast) => Ok(cast_expr(cast, schema)),
            Expr::TryCast(cast) => Ok(try_cast_expr(cast, schema)),
            Expr::BinaryExpr(binary) => Ok(binary_expr(binary, schema)),
            Expr::ScalarFunction(call) => Ok(scalar_call(call, schema)),
            other => Ok(Transformed::no(other)),
        }
    }
}

fn type_of(expr: &Expr, schema: &DFSchema) -> Option<DataType> {
    expr.get_type(schema).ok()
}

/// A number becomes whole by rounding half away from zero; a moment becomes text with a space in the middle.
fn converted(inner: &Expr, to: &DataType, schema: &DFSchema) -> Option<Expr> {
    let from = type_of(inner, schema)?;
    let text = matches!(
        to,
        DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8
    );
    match from {
        _ if to.is_integer() && (from.is_floating() || is_decimal(&from)) => Some(
            Expr::ScalarFunction(ScalarFunction::new_udf(round(), vec![inner.clone()])),
        ),
        DataType::Timestamp(..) if text => Some(Expr::ScalarFunction(ScalarFunction::new_udf(
            text::moment_text(),
            vec![inner.clone()],
        ))),
        _ => None,
    }
}

fn is_decimal(kind: &DataType) -> bool {
    matches!(kind, DataType::Decimal128(..) | DataType::Decimal256(..))
}

fn cast_expr(cast: Cast, schema: &DFSchema) -> Transformed<Expr> {
    match converted(&cast.expr, cast.field.data_type(), schema) {
        Some(inner) => Transformed::yes(Expr::Cast(Cast {
            expr: Box::new(inner),
            ..cast
        })),
        None => Transformed::no(Expr::Cast(cast)),
    }
}

fn try_cast_expr(cast: TryCast, schema: &DFSchema) -> Transformed<Expr> {
    match converted(&cast.expr, cast.field.data_type(), schema) {
        Some(inner) => Transformed::yes(Expr::TryCast(TryCast {
            expr: Box::new(inner),
            ..cast
        })),
        None => Transformed::no(Expr::TryCast(cast)),
    }
}

fn binary_expr(binary: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
    let kinds = (
        type_of(&binary.left, schema),
        type_of(&binary.right, schema),
    );
    let (Some(left), Some(right)) = kinds else {
        return Transformed::no(Expr::BinaryExpr(binary));
    };
    let function = match binary.op {
        Operator::StringConcat if is_plain(&left) && is_plain(&right) => Some(text::concat_text()),
        _ if left.is_signed_integer() && right.is_signed_integer() => {
            checked::function_for(binary.op)
        }
        _ => None,
    };
    match function {
        Some(function) => {
            let arguments = vec![*binary.left, *binary.right];
            Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(
                function, arguments,
            )))
        }
        None => Transformed::no(Expr::BinaryExpr(binary)),
    }
}

/// Neither bytes nor a list: something that is text once concatenated.
fn is_plain(kind: &DataType) -> bool {
    !kind.is_nested() && !kind.is_binary()
}

fn scalar_call(call: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
    let of_date = call.func.name() == "date_trunc"
        && call.args.get(1).and_then(|arg| type_of(arg, schema)) == Some(DataType::Date32);
    if !of_date {
        return Transformed::no(Expr::ScalarFunction(call));
    }
    // The argument stops being a date, so that the result is not changed again.
    let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    let mut arguments = call.args;
    if let Some(date) = arguments.pop() {
        arguments.push(cast(date, moment));
    }
    let call = ScalarFunction {
        func: Arc::clone(&call.func),
        args: arguments,
    };
    Transformed::yes(cast(Expr::ScalarFunction(call), DataType::Date32))
}
