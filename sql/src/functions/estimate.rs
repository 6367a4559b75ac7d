//! How large a function's result can be at most, told from its arguments before it is made.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::ColumnarValue;

/// What an item of a list takes at least, in bytes.
const ITEM_BYTES: u64 = 16;

/// How a function's result grows with its arguments.
#[derive(Debug, Clone, Copy)]
pub(super) enum Growth {
    /// It is no longer than all arguments together.
    Sum,
    /// It follows from numbers among the arguments, row by row.
    PerRow(fn(&[Size]) -> u64),
}

/// What matters of one argument in one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    /// A number's value.
    Number(i64),
    /// A text's bytes, or a list's items and the bytes that they take.
    Length { items: u64, bytes: u64 },
    /// Null, or of a type that does not matter.
    Unknown,
}

impl Size {
    fn count(self) -> u64 {
        match self {
            Self::Number(number) => u64::try_from(number).unwrap_or(0),
            _ => 0,
        }
    }

    fn items(self) -> u64 {
        match self {
            Self::Length { items, .. } => items,
            _ => 0,
        }
    }

    fn bytes(self) -> u64 {
        match self {
            Self::Length { bytes, .. } => bytes,
            _ => ITEM_BYTES,
        }
    }
}

/// How the results of a function of the engine grow; `None` when they can't outgrow one of its arguments by much.
pub(super) fn growth_of(function: &str) -> Option<Growth> {
    Some(match function {
        "concat" | "make_array" | "array_concat" | "array_append" | "array_prepend" => Growth::Sum,
        "concat_ws" => Growth::PerRow(|sizes| {
            let parts: u64 = sizes.iter().map(|size| size.bytes()).sum();
            let gaps = sizes.len() as u64;
            parts.saturating_add(nth(sizes, 0).bytes().saturating_mul(gaps))
        }),
        "repeat" => {
            Growth::PerRow(|sizes| nth(sizes, 0).bytes().saturating_mul(nth(sizes, 1).count()))
        }
        // A character has up to four bytes.
        "lpad" | "rpad" => Growth::PerRow(|sizes| nth(sizes, 1).count().saturating_mul(4)),
        "array_repeat" => Growth::PerRow(|sizes| {
            let item = nth(sizes, 0).bytes().max(ITEM_BYTES);
            nth(sizes, 1).count().saturating_mul(item)
        }),
        "array_resize" => Growth::PerRow(|sizes| {
            let item = nth(sizes, 2).bytes().max(ITEM_BYTES);
            let added = nth(sizes, 1).count().saturating_mul(item);
            added.saturating_add(nth(sizes, 0).bytes())
        }),
        "range" | "generate_series" => Growth::PerRow(series),
        "replace" => Growth::PerRow(|sizes| {
            let grown = nth(sizes, 2).bytes() / nth(sizes, 1).bytes().max(1) + 1;
            nth(sizes, 0).bytes().saturating_mul(grown)
        }),
        "regexp_replace" => Growth::PerRow(|sizes| {
            // A pattern may match between all characters, and the replacement may name the whole match.
            let text = nth(sizes, 0).bytes() + 1;
            let references = nth(sizes, 2).bytes() / 2;
            let replaced = text.saturating_mul(nth(sizes, 2).bytes() + 1);
            replaced.saturating_add(text.saturating_mul(references))
        }),
        "array_to_string" => Growth::PerRow(|sizes| {
            let list = nth(sizes, 0);
            let item = nth(sizes, 1).bytes().saturating_add(ITEM_BYTES);
            list.items()
                .saturating_mul(item)
                .saturating_add(list.bytes())
        }),
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
            let items = u64::try_from(items).unwrap_or(u64::MAX);
            items.saturating_mul(ITEM_BYTES)
        }
        _ => 0,
    }
}

/// The largest value and the whole column that a call makes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Estimate {
    pub(super) largest: u64,
    pub(super) total: u64,
}

impl Estimate {
    /// Of a call with these arguments on `rows` rows.
    pub(super) fn of(growth: Growth, args: &[ColumnarValue], rows: usize) -> Result<Self> {
        match growth {
            Growth::Sum => sum(args, rows),
            Growth::PerRow(size) => per_row(size, args, rows),
        }
    }
}

/// The largest value is not looked for: it can't be longer than what was there before.
fn sum(args: &[ColumnarValue], rows: usize) -> Result<Estimate> {
    let mut total = 0_u64;
    for arg in args {
        total = total.saturating_add(match arg {
            ColumnarValue::Scalar(value) => {
                let bytes = Measured::of(&value.to_array()?)?.at(0).bytes();
                bytes.saturating_mul(rows as u64)
            }
            ColumnarValue::Array(array) => array_bytes(array),
        });
    }
    Ok(Estimate { largest: 0, total })
}

/// The bytes of the rows of an array, not those that it shares with others.
fn array_bytes(array: &ArrayRef) -> u64 {
    match array.data_type() {
        DataType::Utf8View => array
            .as_string_view()
            .lengths()
            .map(u64::from)
            .sum::<u64>()
            .saturating_add(ITEM_BYTES * array.len() as u64),
        _ => array.to_data().get_slice_memory_size().unwrap_or(0) as u64,
    }
}

fn per_row(size: fn(&[Size]) -> u64, args: &[ColumnarValue], rows: usize) -> Result<Estimate> {
    let measured = args
        .iter()
        .map(|arg| match arg {
            ColumnarValue::Scalar(ScalarValue::Null) => Ok(Measured::All(Size::Unknown)),
            ColumnarValue::Scalar(value) => {
                Ok(Measured::All(Measured::of(&value.to_array()?)?.at(0)))
            }
            ColumnarValue::Array(array) => Measured::of(array),
        })
        .collect::<Result<Vec<_>>>()?;
    let mut estimate = Estimate::default();
    let mut sizes = vec![Size::Unknown; measured.len()];
    for row in 0..rows {
        for (size, column) in sizes.iter_mut().zip(&measured) {
            *size = column.at(row);
        }
        let bytes = size(&sizes);
        estimate.largest = estimate.largest.max(bytes);
        estimate.total = estimate.total.saturating_add(bytes);
    }
    Ok(estimate)
}

/// The sizes of one argument, row by row.
enum Measured {
    All(Size),
    Numbers(ArrayRef),
    Lengths(Vec<Size>),
}

impl Measured {
    fn of(array: &ArrayRef) -> Result<Self> {
        let lengths = |length: &dyn Fn(usize) -> Size| {
            let size = |row| {
                if array.is_null(row) {
                    Size::Unknown
                } else {
                    length(row)
                }
            };
            Self::Lengths((0..array.len()).map(size).collect())
        };
        let text = |bytes: usize| Size::Length {
            items: 1,
            bytes: bytes as u64,
        };
        let list = |items: &ArrayRef| Size::Length {
            items: items.len() as u64,
            bytes: array_bytes(items),
        };
        Ok(match array.data_type() {
            kind if kind.is_integer() => {
                Self::Numbers(arrow::compute::cast(array, &DataType::Int64)?)
            }
            DataType::Utf8 => lengths(&|row| text(array.as_string::<i32>().value(row).len())),
            DataType::LargeUtf8 => lengths(&|row| text(array.as_string::<i64>().value(row).len())),
            DataType::Utf8View => lengths(&|row| text(array.as_string_view().value(row).len())),
            DataType::List(_) => lengths(&|row| list(&array.as_list::<i32>().value(row))),
            DataType::LargeList(_) => lengths(&|row| list(&array.as_list::<i64>().value(row))),
            _ => Self::All(Size::Unknown),
        })
    }

    fn at(&self, row: usize) -> Size {
        match self {
            Self::All(size) => *size,
            Self::Numbers(array) => {
                let numbers = array.as_primitive::<Int64Type>();
                match numbers.is_valid(row) {
                    true => Size::Number(numbers.value(row)),
                    false => Size::Unknown,
                }
            }
            Self::Lengths(lengths) => lengths.get(row).copied().unwrap_or(Size::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray};
    use datafusion::common::ScalarValue;
    use datafusion::logical_expr::ColumnarValue;

    use super::{Estimate, growth_of};

    fn estimate(function: &str, args: &[ColumnarValue], rows: usize) -> Estimate {
        Estimate::of(growth_of(function).unwrap(), args, rows).unwrap()
    }

    fn text(value: &str) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(value))
    }

    fn number(value: i64) -> ColumnarValue {
        ColumnarValue::Scalar(ScalarValue::from(value))
    }

    #[test]
    fn sizes_follow_from_constants() {
        for (function, args, largest) in [
            ("repeat", vec![text("ten bytes!"), number(1_000)], 10_000),
            ("repeat", vec![text("ten bytes!"), number(-5)], 0),
            ("lpad", vec![text("a"), number(100), text("b")], 400),
            ("range", vec![number(0), number(i64::MAX)], u64::MAX),
            ("range", vec![number(10), number(0), number(-1)], 11 * 16),
            ("range", vec![number(0), number(10), number(0)], 0),
            (
                "replace",
                vec![text("ten bytes!"), text("t"), text("to")],
                30,
            ),
        ] {
            assert_eq!(estimate(function, &args, 1).largest, largest, "{function}");
        }
        assert!(growth_of("upper").is_none());
    }

    #[test]
    fn rows_are_looked_at_one_by_one() {
        let counts = Arc::new(Int64Array::from(vec![Some(1), None, Some(5)]));
        let texts = Arc::new(StringArray::from(vec![Some("ab"), Some("ab"), Some("abc")]));
        let args = [ColumnarValue::Array(texts), ColumnarValue::Array(counts)];
        let found = estimate("repeat", &args, 3);
        assert_eq!(
            found,
            Estimate {
                largest: 15,
                total: 17
            }
        );
    }

    #[test]
    fn a_constant_counts_for_every_row() {
        let names = Arc::new(StringArray::from(vec!["a"; 100]));
        let args = [ColumnarValue::Array(names), text(&"x".repeat(50))];
        assert!(estimate("concat", &args, 100).total >= 5_100);
    }
}
