//! Values as JSON, straight from Arrow: one writer per column, chosen once from its type.
//!
//! The forms are those of Trino's protocol: decimals, dates and times are text, doubles always have a point or an
//! exponent, bytes are base64, rows are lists.

use std::io::Write;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, FixedSizeBinaryArray, GenericListArray, MapArray,
    OffsetSizeTrait, PrimitiveArray, StructArray,
};
use arrow::compute::cast;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::error::ArrowError;

mod moments;
mod text;

use moments::Moments;
pub(crate) use text::write_string;

/// Writes one column's values.
pub(crate) enum Writer {
    Null,
    Boolean(BooleanArray),
    Integer(PrimitiveArray<Int64Type>),
    Unsigned(PrimitiveArray<UInt64Type>),
    Real(PrimitiveArray<Float32Type>),
    Double(PrimitiveArray<Float64Type>),
    Utf8(arrow::array::StringArray),
    LargeUtf8(arrow::array::LargeStringArray),
    Utf8View(arrow::array::StringViewArray),
    Bytes(arrow::array::LargeBinaryArray),
    Date(PrimitiveArray<Date32Type>),
    Moments(Moments),
    /// Values whose text Arrow knows how to write: decimals and what is rare.
    Shown(arrow::array::StringArray),
    List {
        offsets: Vec<usize>,
        nulls: ArrayRef,
        items: Box<Writer>,
    },
    Map {
        offsets: Vec<usize>,
        nulls: ArrayRef,
        keys: Box<Writer>,
        values: Box<Writer>,
    },
    Row {
        nulls: ArrayRef,
        fields: Vec<Writer>,
    },
}

impl Writer {
    /// A writer for `array`. `time_digits` limits the digits of seconds, for clients that know no more.
    pub(crate) fn new(array: &ArrayRef, time_digits: Option<u32>) -> Result<Self, ArrowError> {
        Ok(match array.data_type() {
            DataType::Null => Self::Null,
            DataType::Boolean => Self::Boolean(array.as_boolean().clone()),
            DataType::Int8 => widened::<Int8Type>(array),
            DataType::Int16 => widened::<Int16Type>(array),
            DataType::Int32 => widened::<Int32Type>(array),
            DataType::Int64 => Self::Integer(array.as_primitive().clone()),
            DataType::UInt8 => widened::<UInt8Type>(array),
            DataType::UInt16 => widened::<UInt16Type>(array),
            DataType::UInt32 => widened::<UInt32Type>(array),
            DataType::UInt64 => Self::Unsigned(array.as_primitive().clone()),
            DataType::Float16 => {
                Self::Real(cast(array, &DataType::Float32)?.as_primitive().clone())
            }
            DataType::Float32 => Self::Real(array.as_primitive().clone()),
            DataType::Float64 => Self::Double(array.as_primitive().clone()),
            DataType::Utf8 => Self::Utf8(array.as_string().clone()),
            DataType::LargeUtf8 => Self::LargeUtf8(array.as_string().clone()),
            DataType::Utf8View => Self::Utf8View(array.as_string_view().clone()),
            DataType::Binary
            | DataType::BinaryView
            | DataType::LargeBinary
            | DataType::FixedSizeBinary(_) => Self::Bytes(
                cast(&sized_as_binary(array), &DataType::LargeBinary)?
                    .as_binary()
                    .clone(),
            ),
            DataType::Date32 => Self::Date(array.as_primitive().clone()),
            DataType::Date64 => Self::Date(cast(array, &DataType::Date32)?.as_primitive().clone()),
            DataType::Timestamp(..)
            | DataType::Time32(_)
            | DataType::Time64(_)
            | DataType::Interval(_)
            | DataType::Duration(_) => Self::Moments(Moments::new(array, time_digits)?),
            DataType::List(_) => list(array.as_list::<i32>(), time_digits)?,
            DataType::LargeList(_) => list(array.as_list::<i64>(), time_digits)?,
            DataType::FixedSizeList(item, _)
            | DataType::ListView(item)
            | DataType::LargeListView(item) => {
                let plain = cast(array, &DataType::LargeList(item.clone()))?;
                list(plain.as_list::<i64>(), time_digits)?
            }
            DataType::Map(..) => map(array.as_map(), time_digits)?,
            DataType::Struct(_) => row(array.as_struct(), time_digits)?,
            DataType::Dictionary(_, value) => Self::new(&cast(array, value)?, time_digits)?,
            _ => Self::Shown(cast(array, &DataType::Utf8)?.as_string().clone()),
        })
    }

    /// Writes the value in row `index`.
    pub(crate) fn write(&self, index: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        if self.is_null(index) {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        match self {
            Self::Null => {}
            Self::Boolean(array) => out.extend_from_slice(if array.value(index) {
                b"true"
            } else {
                b"false"
            }),
            Self::Integer(array) => text::write_integer(array.value(index), out),
            Self::Unsigned(array) => {
                let signed = i64::try_from(array.value(index)).map_err(|_| {
                    ArrowError::ArithmeticOverflow("a number is out of range for bigint".to_owned())
                })?;
                text::write_integer(signed, out);
            }
            Self::Real(array) => text::write_real(array.value(index), out),
            Self::Double(array) => text::write_double(array.value(index), out),
            Self::Utf8(array) => write_string(array.value(index), out),
            Self::LargeUtf8(array) => write_string(array.value(index), out),
            Self::Utf8View(array) => write_string(array.value(index), out),
            Self::Bytes(array) => text::write_base64(array.value(index), out),
            Self::Date(array) => moments::write_date(array.value(index), out),
            Self::Moments(moments) => moments.write(index, out),
            Self::Shown(array) => write_string(array.value(index), out),
            Self::List { offsets, items, .. } => {
                out.push(b'[');
                for (place, item) in span(offsets, index).enumerate() {
                    separate(place, out);
                    items.write(item, out)?;
                }
                out.push(b']');
            }
            Self::Map {
                offsets,
                keys,
                values,
                ..
            } => {
                out.push(b'{');
                for (place, item) in span(offsets, index).enumerate() {
                    separate(place, out);
                    keys.write_key(item, out)?;
                    out.push(b':');
                    values.write(item, out)?;
                }
                out.push(b'}');
            }
            Self::Row { fields, .. } => {
                out.push(b'[');
                for (place, field) in fields.iter().enumerate() {
                    separate(place, out);
                    field.write(index, out)?;
                }
                out.push(b']');
            }
        }
        Ok(())
    }

    /// The value as the key of a JSON object: always a string.
    fn write_key(&self, index: usize, out: &mut Vec<u8>) -> Result<(), ArrowError> {
        let start = out.len();
        self.write(index, out)?;
        if out.get(start) != Some(&b'"') {
            let bare = out.split_off(start);
            write_string(&String::from_utf8_lossy(&bare), out);
        }
        Ok(())
    }

    fn is_null(&self, index: usize) -> bool {
        match self {
            Self::Null => true,
            Self::Boolean(array) => array.is_null(index),
            Self::Integer(array) => array.is_null(index),
            Self::Unsigned(array) => array.is_null(index),
            Self::Real(array) => array.is_null(index),
            Self::Double(array) => array.is_null(index),
            Self::Utf8(array) => array.is_null(index),
            Self::LargeUtf8(array) => array.is_null(index),
            Self::Utf8View(array) => array.is_null(index),
            Self::Bytes(array) => array.is_null(index),
            Self::Date(array) => array.is_null(index),
            Self::Moments(moments) => moments.is_null(index),
            Self::Shown(array) => array.is_null(index),
            Self::List { nulls, .. } | Self::Map { nulls, .. } | Self::Row { nulls, .. } => {
                nulls.is_null(index)
            }
        }
    }
}

fn separate(place: usize, out: &mut Vec<u8>) {
    if place > 0 {
        out.push(b',');
    }
}

fn span(offsets: &[usize], index: usize) -> std::ops::Range<usize> {
    let at = |index: usize| offsets.get(index).copied().unwrap_or(0);
    at(index)..at(index + 1)
}

fn widened<T>(array: &ArrayRef) -> Writer
where
    T: ArrowPrimitiveType,
    T::Native: Into<i64>,
{
    Writer::Integer(array.as_primitive::<T>().unary(Into::into))
}

fn sized_as_binary(array: &ArrayRef) -> ArrayRef {
    match array.as_any().downcast_ref::<FixedSizeBinaryArray>() {
        Some(fixed) => std::sync::Arc::new(arrow::array::LargeBinaryArray::from_iter(fixed.iter())),
        None => array.clone(),
    }
}

fn offsets_of<O: OffsetSizeTrait>(offsets: &[O]) -> Vec<usize> {
    offsets.iter().map(|offset| offset.as_usize()).collect()
}

fn list<O: OffsetSizeTrait>(
    array: &GenericListArray<O>,
    time_digits: Option<u32>,
) -> Result<Writer, ArrowError> {
    let items = Box::new(Writer::new(array.values(), time_digits)?);
    let nulls: ArrayRef = std::sync::Arc::new(array.clone());
    Ok(Writer::List {
        offsets: offsets_of(array.value_offsets()),
        nulls,
        items,
    })
}

fn map(array: &MapArray, time_digits: Option<u32>) -> Result<Writer, ArrowError> {
    let keys = Box::new(Writer::new(array.keys(), time_digits)?);
    let values = Box::new(Writer::new(array.values(), time_digits)?);
    let nulls: ArrayRef = std::sync::Arc::new(array.clone());
    Ok(Writer::Map {
        offsets: offsets_of(array.value_offsets()),
        nulls,
        keys,
        values,
    })
}

fn row(array: &StructArray, time_digits: Option<u32>) -> Result<Writer, ArrowError> {
    let fields = array
        .columns()
        .iter()
        .map(|column| Writer::new(column, time_digits))
        .collect::<Result<_, _>>()?;
    Ok(Writer::Row {
        nulls: std::sync::Arc::new(array.clone()),
        fields,
    })
}

/// What a unit's values are counted in: units per second.
fn per_second(unit: &TimeUnit) -> i64 {
    match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    }
}

/// Writes a number in at least `width` digits.
fn write_padded(value: u64, width: usize, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    let _ = write!(out, "{value:0width$}");
}

#[cfg(test)]
mod tests;
