//! Expressions that both dialects write alike and mean differently, changed once their types are known.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::functions::math::round;
use datafusion::logical_expr::expr::{BinaryExpr, Cast, ScalarFunction, TryCast};
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::{Expr, ExprSchemable, Operator, ScalarUDF, cast};

use super::bounded::{bounded, with_growth};
use super::budget::Budget;
use super::estimate::Growth;
use super::{arithmetic, substr, text};

/// Gives expressions Trino's meaning. Runs before the engine's own coercion, so that only what was written is changed.
///
/// Chains such as `1+1+1` become one call with many arguments: the engine's work on calls within calls grows with the
/// cube of their depth.
#[derive(Debug)]
pub(super) struct TrinoMeaning {
    concat: Arc<ScalarUDF>,
    substr: Arc<ScalarUDF>,
    budget: Arc<Budget>,
}

impl TrinoMeaning {
    pub(super) fn new(budget: &Arc<Budget>) -> Self {
        Self {
            concat: with_growth(text::concat_text(), Growth::Sum, budget),
            substr: substr::trino_substr(),
            budget: budget.clone(),
        }
    }
}

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
            Expr::BinaryExpr(binary) => Ok(self.binary_expr(binary, schema)),
            Expr::ScalarFunction(call) => Ok(self.scalar_call(call, schema)),
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
        _ if to.is_integer() && (from.is_floating() || is_decimal(&from)) => {
            Some(call(round(), vec![inner.clone()]))
        }
        DataType::Timestamp(..) if text => Some(call(text::moment_text(), vec![inner.clone()])),
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

impl TrinoMeaning {
    fn binary_expr(&self, binary: BinaryExpr, schema: &DFSchema) -> Transformed<Expr> {
        let kinds = (
            type_of(&binary.left, schema),
            type_of(&binary.right, schema),
        );
        let (Some(left), Some(right)) = kinds else {
            return Transformed::no(Expr::BinaryExpr(binary));
        };
        match binary.op {
            Operator::StringConcat if is_plain(&left) && is_plain(&right) => {
                let function = self.concat.clone();
                let mut arguments = match *binary.left {
                    Expr::ScalarFunction(call) if call.func == function => call.args,
                    first => vec![first],
                };
                arguments.push(*binary.right);
                Transformed::yes(call(function, arguments))
            }
            operator if left.is_signed_integer() && right.is_signed_integer() => {
                match arithmetic::chain(*binary.left, operator, *binary.right) {
                    Ok(checked) => Transformed::yes(checked),
                    Err(binary) => Transformed::no(Expr::BinaryExpr(binary)),
                }
            }
            _ => Transformed::no(Expr::BinaryExpr(binary)),
        }
    }

    fn scalar_call(&self, written: ScalarFunction, schema: &DFSchema) -> Transformed<Expr> {
        if let Some(function) = bounded(&written.func, &self.budget) {
            return Transformed::yes(call(function, written.args));
        }
        if written.func.name() == "substr" && written.func != self.substr {
            return Transformed::yes(call(self.substr.clone(), written.args));
        }
        if is_trunc_of_date(&written, schema) {
            return Transformed::yes(trunc_of_date(written));
        }
        Transformed::no(Expr::ScalarFunction(written))
    }
}

fn call(function: Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function, arguments))
}

/// Neither bytes nor a list: something that is text once concatenated.
fn is_plain(kind: &DataType) -> bool {
    !kind.is_nested() && !kind.is_binary()
}

fn is_trunc_of_date(call: &ScalarFunction, schema: &DFSchema) -> bool {
    call.func.name() == "date_trunc"
        && call.args.get(1).and_then(|arg| type_of(arg, schema)) == Some(DataType::Date32)
}

/// A date again. The argument stops being a date, so that the call is not changed once more.
fn trunc_of_date(mut call: ScalarFunction) -> Expr {
    let moment = DataType::Timestamp(arrow::datatypes::TimeUnit::Microsecond, None);
    if let Some(date) = call.args.pop() {
        call.args.push(cast(date, moment));
    }
    cast(Expr::ScalarFunction(call), DataType::Date32)
}
