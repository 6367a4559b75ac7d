//! Delta's statistics of a file, from the footer that Parquet wrote: rows, least and greatest values, nulls.

use arrow::datatypes::{DataType, Field, SchemaRef};
use gamepipe_domain::time::Timestamp;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

/// The statistics as JSON text. Text bounds may be cut short, as Parquet's are: never above the least value, never below
/// the greatest. A column without bounds in the footer has none here.
pub(crate) fn stats_json(schema: &SchemaRef, metadata: &ParquetMetaData) -> String {
    let mut least = Map::new();
    let mut greatest = Map::new();
    let mut nulls = Map::new();
    for (index, field) in schema.fields().iter().enumerate() {
        let mut bounds: Option<(Value, Value)> = None;
        let mut null_count = Some(0_u64);
        let mut bounded = true;
        for group in metadata.row_groups() {
            let statistics = group
                .columns()
                .get(index)
                .and_then(ColumnChunkMetaData::statistics);
            let chunk_nulls = statistics.and_then(Statistics::null_count_opt);
            null_count = null_count.zip(chunk_nulls).map(|(sum, more)| sum + more);
            if chunk_nulls == u64::try_from(group.num_rows()).ok() {
                continue;
            }
            match statistics.and_then(|statistics| chunk_bounds(field, statistics)) {
                Some(chunk) => bounds = Some(widen(bounds, chunk)),
                None => bounded = false,
            }
        }
        if let Some(count) = null_count {
            nulls.insert(field.name().clone(), count.into());
        }
        if let (true, Some((low, high))) = (bounded, bounds) {
            least.insert(field.name().clone(), low);
            greatest.insert(field.name().clone(), high);
        }
    }
    let rows: i64 = metadata
        .row_groups()
        .iter()
        .map(|group| group.num_rows())
        .sum();
    json!({ "numRecords": rows, "minValues": least, "maxValues": greatest, "nullCount": nulls })
        .to_string()
}

/// The least and the greatest value of a chunk in Delta's JSON forms; `None` when it has none that can be told.
fn chunk_bounds(field: &Field, statistics: &Statistics) -> Option<(Value, Value)> {
    match (field.data_type(), statistics) {
        (DataType::Int64, Statistics::Int64(values)) => {
            Some(((*values.min_opt()?).into(), (*values.max_opt()?).into()))
        }
        (DataType::Int32, Statistics::Int32(values)) => {
            Some(((*values.min_opt()?).into(), (*values.max_opt()?).into()))
        }
        (DataType::Boolean, Statistics::Boolean(values)) => {
            Some(((*values.min_opt()?).into(), (*values.max_opt()?).into()))
        }
        (DataType::Float64, Statistics::Double(values)) => {
            let number = |value: &f64| serde_json::Number::from_f64(*value).map(Value::Number);
            Some((number(values.min_opt()?)?, number(values.max_opt()?)?))
        }
        (DataType::Timestamp(..), Statistics::Int64(values)) => {
            Some((moment(*values.min_opt()?), moment(*values.max_opt()?)))
        }
        (DataType::Utf8, Statistics::ByteArray(values)) => {
            let text =
                |bytes: &parquet::data_type::ByteArray| bytes.as_utf8().ok().map(Value::from);
            Some((text(values.min_opt()?)?, text(values.max_opt()?)?))
        }
        _ => None,
    }
}

/// A moment without a zone, to the microsecond, as Delta writes it.
fn moment(micros: i64) -> Value {
    Timestamp::from_micros(micros)
        .to_rfc3339()
        .trim_end_matches('Z')
        .into()
}

fn widen(bounds: Option<(Value, Value)>, chunk: (Value, Value)) -> (Value, Value) {
    let Some((low, high)) = bounds else {
        return chunk;
    };
    let low = if is_less(&chunk.0, &low) {
        chunk.0
    } else {
        low
    };
    let high = if is_less(&high, &chunk.1) {
        chunk.1
    } else {
        high
    };
    (low, high)
}

fn is_less(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) => left < right,
            _ => left.as_f64() < right.as_f64(),
        },
        (Value::String(left), Value::String(right)) => left < right,
        (Value::Bool(left), Value::Bool(right)) => left < right,
        _ => false,
    }
}
