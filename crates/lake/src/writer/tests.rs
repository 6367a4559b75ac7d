//! Files: one for each date, with statistics that are true.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use serde_json::{Value, json};

use super::{ROW_GROUP_ROWS, encode_files};

fn stats(columns: Vec<(&str, ArrayRef)>) -> Value {
    let batch = RecordBatch::try_from_iter_with_nullable(
        columns
            .into_iter()
            .map(|(name, values)| (name, values, true)),
    );
    let files = encode_files("t", &[batch.unwrap()]).unwrap();
    serde_json::from_str(&files[0].stats).unwrap()
}

#[test]
fn each_date_has_its_file() {
    let batch = RecordBatch::try_from_iter([
        (
            "_event_date",
            Arc::new(Date32Array::from(vec![20_000, 20_001, 20_000])) as ArrayRef,
        ),
        ("n", Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef),
    ])
    .unwrap();
    let files = encode_files("t", &[batch]).unwrap();
    let found: Vec<_> = files
        .iter()
        .map(|file| {
            let stats: Value = serde_json::from_str(&file.stats).unwrap();
            (
                file.date.unwrap().to_string(),
                stats["numRecords"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [("2024-10-04".to_owned(), 2), ("2024-10-05".to_owned(), 1)]
    );
}

#[test]
fn statistics_are_the_bounds_and_nulls_of_the_rows() {
    let found = stats(vec![
        (
            "n",
            Arc::new(Int64Array::from(vec![Some(-5), None, Some(i64::MAX)])),
        ),
        (
            "f",
            Arc::new(Float64Array::from(vec![
                Some(0.5),
                Some(f64::NAN),
                Some(-1.0),
            ])),
        ),
        (
            "t",
            Arc::new(TimestampMicrosecondArray::from(vec![0, 1_500_000, -1])),
        ),
        ("s", Arc::new(StringArray::from(vec!["b", "é", "a"]))),
        (
            "z",
            Arc::new(StringArray::from(vec![None::<&str>, None, None])),
        ),
        ("_extra", Arc::new(StringArray::from(vec!["x", "y", "z"]))),
    ]);
    assert_eq!(
        found,
        json!({
            "numRecords": 3,
            "minValues": {"n": -5, "f": -1.0, "t": "1969-12-31T23:59:59.999999", "s": "a"},
            "maxValues": {"n": i64::MAX, "f": 0.5, "t": "1970-01-01T00:00:01.500000", "s": "é"},
            "nullCount": {"n": 1, "f": 0, "t": 0, "s": 0, "z": 3},
        })
    );
}

#[test]
fn long_texts_have_short_bounds_that_still_hold() {
    let (low, high) = ("a".repeat(500), "é".repeat(500));
    let found = stats(vec![(
        "s",
        Arc::new(StringArray::from(vec![low.as_str(), high.as_str()])),
    )]);
    let bound = |which: &str| found[which]["s"].as_str().unwrap().to_owned();
    assert!(bound("minValues").len() <= 64 && bound("minValues") <= low);
    assert!(bound("maxValues").len() <= 66 && bound("maxValues") >= high);
}

#[test]
fn bounds_span_all_row_groups() {
    let rows = i64::try_from(ROW_GROUP_ROWS).unwrap() * 2;
    let found = stats(vec![(
        "n",
        Arc::new((0..rows).map(|n| rows - n).collect::<Int64Array>()),
    )]);
    assert_eq!(
        (
            found["minValues"]["n"].as_i64(),
            found["maxValues"]["n"].as_i64()
        ),
        (Some(1), Some(rows))
    );
}
