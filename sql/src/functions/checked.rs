//! Sums, differences and products of whole numbers that fail when they do not fit, as in Trino; the engine's wrap.

use std::sync::Arc;

use arrow::array::{ArrayRef, Datum};
use arrow::compute::kernels::numeric::{add, mul, sub};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, Operator, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

use crate::error::{ErrorCode, QueryError};

/// The three of them.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [Operator::Plus, Operator::Minus, Operator::Multiply]
        .into_iter()
        .filter_map(function_for)
        .collect()
}

/// The checked form of an operator; `None` when it needs none.
pub(super) fn function_for(operator: Operator) -> Option<Arc<ScalarUDF>> {
    let name = match operator {
        Operator::Plus => "checked_add",
        Operator::Minus => "checked_subtract",
        Operator::Multiply => "checked_multiply",
        _ => return None,
    };
    let signature = Signature::user_defined(Volatility::Immutable);
    Some(Arc::new(ScalarUDF::new_from_impl(Checked {
        name,
        operator,
        signature,
    })))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    name: &'static str,
    operator: Operator,
    signature: Signature,
}

impl Checked {
    fn apply(&self, left: &dyn Datum, right: &dyn Datum) -> Result<ArrayRef> {
        let result = match self.operator {
            Operator::Plus => add(left, right),
            Operator::Minus => sub(left, right),
            _ => mul(left, right),
        };
        result.map_err(|error| match error {
            ArrowError::ArithmeticOverflow(_) => {
                let text = format!(
                    "bigint overflow in {}",
                    self.name.trim_start_matches("checked_")
                );
                DataFusionError::External(Box::new(QueryError::new(
                    ErrorCode::NumericValueOutOfRange,
                    text,
                )))
            }
            other => other.into(),
        })
    }
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, kinds: &[DataType]) -> Result<Vec<DataType>> {
        let wide = kinds
            .iter()
            .any(|kind| !matches!(kind, DataType::Int8 | DataType::Int16 | DataType::Int32));
        let kind = if wide {
            DataType::Int64
        } else {
            DataType::Int32
        };
        Ok(vec![kind; kinds.len()])
    }

    fn return_type(&self, kinds: &[DataType]) -> Result<DataType> {
        Ok(kinds.first().cloned().unwrap_or(DataType::Int64))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = args.args.as_slice() else {
            return Err(DataFusionError::Execution(format!(
                "{} takes two arguments",
                self.name
            )));
        };
        match (left, right) {
            (ColumnarValue::Array(left), ColumnarValue::Array(right)) => {
                self.apply(left, right).map(ColumnarValue::Array)
            }
            (ColumnarValue::Array(left), ColumnarValue::Scalar(right)) => self
                .apply(left, &right.to_scalar()?)
                .map(ColumnarValue::Array),
            (ColumnarValue::Scalar(left), ColumnarValue::Array(right)) => self
                .apply(&left.to_scalar()?, right)
                .map(ColumnarValue::Array),
            (ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)) => {
                let result = self.apply(&left.to_scalar()?, &right.to_scalar()?)?;
                ScalarValue::try_from_array(&result, 0).map(ColumnarValue::Scalar)
            }
        }
    }
}
