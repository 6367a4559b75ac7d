//! Functions whose result can be far larger than their arguments: they are refused before they allocate.
//!
//! A call with constant arguments is evaluated while the query is planned, where no memory is counted and no deadline
//! is looked at. `repeat('x', 500000000)` alone would take gigabytes there.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature,
};

use crate::error::{ErrorCode, QueryError};

/// The largest single value, in bytes. Far above any name, message or event.
const MAX_VALUE_BYTES: u64 = 16 << 20;
/// The largest value of constant arguments, in bytes: it may be repeated for each of the 8,192 rows of a batch.
const MAX_CONSTANT_BYTES: u64 = 64 << 10;
/// The largest column of one batch of 8,192 rows, in bytes: a batch of values of 64 KB each still passes.
const MAX_BATCH_BYTES: u64 = 512 << 20;
/// What an item of a list takes at least.
const ITEM_BYTES: u64 = 16;

/// From what is known of the arguments to the size of the result, in bytes.
pub(super) type Estimate = fn(&[Size]) -> u64;

/// What matters of one argument: a number's value, a text's length in bytes, a list's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Number(i64),
    Length(u64),
    Unknown,
}

impl Size {
    fn count(self) -> u64 {
        match self {
            Self::Number(number) => u64::try_from(number).unwrap_or(0),
            _ => 0,
        }
    }

    fn length(self) -> u64 {
        match self {
            Self::Length(length) => length,
            _ => 0,
        }
    }
}

/// The estimate for a function that needs one.
pub(super) fn estimate_for(name: &str) -> Option<Estimate> {
    Some(match name {
        "repeat" => |sizes| nth(sizes, 0).length().saturating_mul(nth(sizes, 1).count()),
        "lpad" | "rpad" => |sizes| nth(sizes, 1).count().saturating_mul(4),
        "array_repeat" => |sizes| nth(sizes, 1).count().saturating_mul(ITEM_BYTES),
        "array_resize" => |sizes| nth(sizes, 1).count().saturating_mul(ITEM_BYTES),
        "range" | "generate_series" => series,
        "replace" => |sizes| {
            let grown = nth(sizes, 2).length() / nth(sizes, 1).length().max(1);
            nth(sizes, 0).length().saturating_mul(grown.max(1))
        },
        "regexp_replace" => {
            |sizes| (nth(sizes, 0).length() + 1).saturating_mul(nth(sizes, 2).length() + 1)
        }
        "array_to_string" => |sizes| {
            nth(sizes, 0)
                .length()
                .saturating_mul(nth(sizes, 1).length())
        },
        _ => return None,
    })
}

fn nth(sizes: &[Size], index: usize) -> Size {
    sizes.get(index).copied().unwrap_or(Size::Unknown)
}

/// `(stop)`, `(start, stop)` or `(start, stop, step)`. Series of dates are bounded by the calendar.
fn series(sizes: &[Size]) -> u64 {
    let number = |index| match nth(sizes, index) {
        Size::Number(number) => Some(i128::from(number)),
        _ => None,
    };
    let (start, stop) = match sizes.len() {
        0 | 1 => (Some(0), number(0)),
        _ => (number(0), number(1)),
    };
    let step = number(2).unwrap_or(1);
    match (start, stop) {
        // A step of zero is an error of its own.
        (Some(start), Some(stop)) if step != 0 => {
            let items = ((stop - start) / step).max(0) + 1;
            u64::try_from(items)
                .unwrap_or(u64::MAX)
                .saturating_mul(ITEM_BYTES)
        }
        _ => 0,
    }
}

/// The engine's function behind a look at its arguments.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Capped {
    inner: Arc<ScalarUDF>,
    estimate: Fixed,
}

/// A function pointer that takes no part in comparisons: it follows from the name.
#[derive(Clone, Copy)]
struct Fixed(Estimate);

impl PartialEq for Fixed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Fixed {}

impl std::hash::Hash for Fixed {
    fn hash<H: std::hash::Hasher>(&self, _: &mut H) {}
}

impl std::fmt::Debug for Fixed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Estimate")
    }
}

impl Capped {
    pub(super) fn new(inner: Arc<ScalarUDF>, estimate: Estimate) -> Self {
        Self {
            inner,
            estimate: Fixed(estimate),
        }
    }

    fn check(&self, args: &ScalarFunctionArgs) -> Result<()> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let rows = if constant { 1 } else { args.number_rows };
        let measured = args
            .args
            .iter()
            .map(|arg| measure(arg, rows))
            .collect::<Result<Vec<_>>>()?;
        let mut total = 0_u64;
        for row in 0..rows {
            let sizes: Vec<Size> = measured.iter().map(|column| column.at(row)).collect();
            let bytes = (self.estimate.0)(&sizes);
            let most = if constant {
                MAX_CONSTANT_BYTES
            } else {
                MAX_VALUE_BYTES
            };
            if bytes > most {
                let text = format!(
                    "the result of {} would have more than {most} bytes",
                    self.name()
                );
                return Err(refused(ErrorCode::InvalidFunctionArgument, text));
            }
            total = total.saturating_add(bytes);
        }
        if total > MAX_BATCH_BYTES {
            let text = format!(
                "the results of {} would have more than {MAX_BATCH_BYTES} bytes in a batch",
                self.name()
            );
            return Err(refused(ErrorCode::ExceededLocalMemoryLimit, text));
        }
        Ok(())
    }
}

fn refused(code: ErrorCode, text: String) -> DataFusionError {
    DataFusionError::External(Box::new(QueryError::new(code, text)))
}

/// The sizes of one argument, row by row.
enum Measured {
    All(Size),
    Numbers(ArrayRef),
    Lengths(Vec<u64>),
}

impl Measured {
    fn at(&self, row: usize) -> Size {
        match self {
            Self::All(size) => *size,
            Self::Numbers(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                if numbers.is_null(row) {
                    Size::Number(0)
                } else {
                    Size::Number(numbers.value(row))
                }
            }
            Self::Lengths(lengths) => lengths
                .get(row)
                .map_or(Size::Unknown, |length| Size::Length(*length)),
        }
    }
}

fn measure(arg: &ColumnarValue, rows: usize) -> Result<Measured> {
    match arg {
        ColumnarValue::Scalar(ScalarValue::Null) => Ok(Measured::All(Size::Unknown)),
        ColumnarValue::Scalar(scalar) => {
            Ok(Measured::All(measure_array(&scalar.to_array()?)?.at(0)))
        }
        ColumnarValue::Array(array) if array.len() < rows => Ok(Measured::All(Size::Unknown)),
        ColumnarValue::Array(array) => measure_array(array),
    }
}

fn measure_array(array: &ArrayRef) -> Result<Measured> {
    let lengths = |length: &dyn Fn(usize) -> usize| {
        let value = |row| {
            if array.is_null(row) {
                0
            } else {
                length(row) as u64
            }
        };
        Measured::Lengths((0..array.len()).map(value).collect())
    };
    Ok(match array.data_type() {
        kind if kind.is_integer() => {
            Measured::Numbers(arrow::compute::cast(array, &DataType::Int64)?)
        }
        DataType::Utf8 => lengths(&|row| array.as_string::<i32>().value_length(row) as usize),
        DataType::LargeUtf8 => lengths(&|row| array.as_string::<i64>().value(row).len()),
        DataType::Utf8View => lengths(&|row| array.as_string_view().value(row).len()),
        DataType::List(_) => lengths(&|row| array.as_list::<i32>().value_length(row) as usize),
        DataType::LargeList(_) => lengths(&|row| array.as_list::<i64>().value(row).len()),
        _ => Measured::All(Size::Unknown),
    })
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        self.check(&args)?;
        self.inner.invoke_with_args(args)
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        self.inner.simplify(args, info)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arg_types)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

#[cfg(test)]
mod tests {
    use super::{Size, estimate_for};

    #[test]
    fn estimates_follow_from_the_arguments() {
        let bytes = |name: &str, sizes: &[Size]| estimate_for(name).unwrap()(sizes);
        let (text, many) = (Size::Length(10), Size::Number(1_000));
        assert_eq!(bytes("repeat", &[text, many]), 10_000);
        assert_eq!(bytes("repeat", &[text, Size::Number(-5)]), 0);
        assert_eq!(
            bytes("range", &[Size::Number(0), Size::Number(i64::MAX)]),
            u64::MAX
        );
        assert_eq!(
            bytes(
                "range",
                &[Size::Number(10), Size::Number(0), Size::Number(-1)]
            ),
            11 * 16
        );
        assert_eq!(
            bytes("replace", &[text, Size::Length(1), Size::Length(100)]),
            1_000
        );
        assert!(estimate_for("upper").is_none());
    }
}
