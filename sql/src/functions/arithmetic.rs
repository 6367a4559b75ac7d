//! Whole numbers whose sums, differences and products fail when they do not fit, as in Trino; the engine's wrap.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, div, mul, rem, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility,
};

use crate::error::{ErrorCode, QueryError};

/// `left operator right` as a checked call, or the same expression when the operator is not one of arithmetic.
///
/// A chain such as `a + b * 2 - c` is one call: its operators apply from left to right, each to what came before.
pub(super) fn chain(
    left: Expr,
    operator: Operator,
    right: Expr,
) -> std::result::Result<Expr, BinaryExpr> {
    let Some(operation) = Operation::of(operator) else {
        return Err(BinaryExpr::new(Box::new(left), operator, Box::new(right)));
    };
    let (mut operations, mut arguments) = match left {
        Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<Arithmetic>() {
            Some(before) => (before.operations.clone(), call.args),
            None => (Vec::new(), vec![Expr::ScalarFunction(call)]),
        },
        first => (Vec::new(), vec![first]),
    };
    operations.push(operation);
    arguments.push(right);
    let function = ScalarUDF::new_from_impl(Arithmetic {
        operations,
        signature: Signature::user_defined(Volatility::Immutable),
    });
    let call = ScalarFunction::new_udf(Arc::new(function), arguments);
    Ok(Expr::ScalarFunction(call))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Operation {
    fn of(operator: Operator) -> Option<Self> {
        Some(match operator {
            Operator::Plus => Self::Add,
            Operator::Minus => Self::Subtract,
            Operator::Multiply => Self::Multiply,
            Operator::Divide => Self::Divide,
            Operator::Modulo => Self::Remainder,
            _ => return None,
        })
    }

    fn apply(self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let (result, name) = match self {
            Self::Add => (add(left, right), "addition"),
            Self::Subtract => (sub(left, right), "subtraction"),
            Self::Multiply => (mul(left, right), "multiplication"),
            Self::Divide => (div(left, right), "division"),
            Self::Remainder => (rem(left, right), "modulus"),
        };
        result.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => {
                let kind = match left.get().0.data_type() {
                    DataType::Int64 => "bigint",
                    _ => "integer",
                };
                let error = QueryError::new(
                    ErrorCode::NumericValueOutOfRange,
                    format!("{kind} {name} overflow"),
                );
                DataFusionError::External(Box::new(error))
            }
            other => other.into(),
        })
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Arithmetic {
    /// One fewer than there are arguments.
    operations: Vec<Operation>,
    signature: Signature,
}

impl ScalarUDFImpl for Arithmetic {
    fn name(&self) -> &str {
        "arithmetic"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let narrow = [DataType::Int8, DataType::Int16, DataType::Int32];
        let kind = match kinds.iter().all(|kind| narrow.contains(kind)) {
            true => DataType::Int32,
            false => DataType::Int64,
        };
        Ok(vec![kind; kinds.len()])
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds.first().cloned().unwrap_or(DataType::Int64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let mut arguments = args.args.into_iter();
        let Some(mut result) = arguments.next() else {
            let text = "arithmetic without arguments".to_owned();
            return Err(DataFusionError::Execution(text));
        };
        for (operation, argument) in self.operations.iter().zip(arguments) {
            result = apply(*operation, &result, &argument)?;
        }
        Ok(result)
    }
}

fn apply(
    operation: Operation,
    left: &ColumnarValue,
    right: &ColumnarValue,
) -> Result<ColumnarValue> {
    use ColumnarValue::{Array, Scalar};
    Ok(match (left, right) {
        (Array(left), Array(right)) => Array(operation.apply(left, right)?),
        (Array(left), Scalar(right)) => Array(operation.apply(left, &right.to_scalar()?)?),
        (Scalar(left), Array(right)) => Array(operation.apply(&left.to_scalar()?, right)?),
        (Scalar(left), Scalar(right)) => {
            let result = operation.apply(&left.to_scalar()?, &right.to_scalar()?)?;
            Scalar(ScalarValue::try_from_array(&result, 0)?)
        }
    })
}
