//! Values of every type as JSON.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, Date32Array, Decimal128Array, DurationMillisecondArray, Float64Array,
    Int64Array, Int64Builder, MapBuilder, StringArray, StringBuilder, StructArray,
    TimestampMicrosecondArray, UInt64Array,
};
use arrow::datatypes::{DataType, Field};

use super::Writer;

fn written(array: impl Into<ArrayRef>) -> Vec<String> {
    let array = array.into();
    let writer = Writer::new(&array, None).unwrap();
    let value = |index| {
        let mut out = Vec::new();
        writer.write(index, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    (0..array.len()).map(value).collect()
}

fn array<A: arrow::array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn numbers_keep_their_kind() {
    assert_eq!(
        written(array(Int64Array::from(vec![Some(i64::MAX), None]))),
        ["9223372036854775807", "null"]
    );
    let doubles = Float64Array::from(vec![2.0, 1.5e300, f64::NAN, f64::NEG_INFINITY]);
    assert_eq!(
        written(array(doubles)),
        ["2.0", "1.5e300", "\"NaN\"", "\"-Infinity\""]
    );
    let decimals = Decimal128Array::from(vec![1_250])
        .with_precision_and_scale(10, 2)
        .unwrap();
    assert_eq!(written(array(decimals)), ["\"12.50\""]);
    let too_large = array(UInt64Array::from(vec![u64::MAX]));
    assert!(
        Writer::new(&too_large, None)
            .unwrap()
            .write(0, &mut Vec::new())
            .is_err()
    );
}

#[test]
fn text_is_escaped_and_bytes_are_base64() {
    assert_eq!(
        written(array(StringArray::from(vec!["a\"b\\\n\u{1}é"]))),
        ["\"a\\\"b\\\\\\n\\u0001é\""]
    );
    let bytes: Vec<&[u8]> = vec![b"", b"f", b"fo", b"foo"];
    assert_eq!(
        written(array(BinaryArray::from(bytes))),
        ["\"\"", "\"Zg==\"", "\"Zm8=\"", "\"Zm9v\""]
    );
}

#[test]
fn moments_are_trinos_text() {
    let micros = vec![1_709_210_096_789_012];
    assert_eq!(
        written(array(TimestampMicrosecondArray::from(micros.clone()))),
        ["\"2024-02-29 12:34:56.789012\""]
    );
    let zoned = TimestampMicrosecondArray::from(micros).with_timezone("America/New_York");
    assert_eq!(
        written(array(zoned)),
        ["\"2024-02-29 07:34:56.789012 America/New_York\""]
    );
    assert_eq!(
        written(array(Date32Array::from(vec![19_782]))),
        ["\"2024-02-29\""]
    );
    let span = DurationMillisecondArray::from(vec![183_845_678, -1]);
    assert_eq!(
        written(array(span)),
        ["\"2 03:04:05.678\"", "\"-0 00:00:00.001\""]
    );
}

#[test]
fn clients_that_know_milliseconds_only_get_milliseconds() {
    let array = array(TimestampMicrosecondArray::from(vec![1]));
    let mut out = Vec::new();
    Writer::new(&array, Some(3))
        .unwrap()
        .write(0, &mut out)
        .unwrap();
    assert_eq!(out, b"\"1970-01-01 00:00:00.000\"");
}

#[test]
fn nested_values_are_lists_and_objects() {
    let row = StructArray::from(vec![
        (
            Arc::new(Field::new("x", DataType::Int64, true)),
            array(Int64Array::from(vec![1])),
        ),
        (
            Arc::new(Field::new("y", DataType::Utf8, true)),
            array(StringArray::from(vec!["s"])),
        ),
    ]);
    assert_eq!(written(array(row)), ["[1,\"s\"]"]);
    let mut map = MapBuilder::new(None, Int64Builder::new(), StringBuilder::new());
    map.keys().append_value(1);
    map.values().append_value("x");
    map.append(true).unwrap();
    assert_eq!(written(array(map.finish())), ["{\"1\":\"x\"}"]);
}
