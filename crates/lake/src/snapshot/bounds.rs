//! What an `add` action says about a file: partition values and statistics, typed by the table's schema.

use std::collections::BTreeMap;

use arrow::datatypes::{DataType, Schema, TimeUnit};
use chrono::{DateTime, NaiveDate, NaiveDateTime};
use datafusion::common::ScalarValue;
use object_store::path::Path;
use serde::Deserialize;
use serde_json::Value;

use super::actions::Add;
use super::{Bounds, DataFile};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
struct RawStats {
    num_records: Option<u64>,
    #[serde(default)]
    min_values: BTreeMap<String, Value>,
    #[serde(default)]
    max_values: BTreeMap<String, Value>,
    #[serde(default)]
    null_count: BTreeMap<String, Value>,
}

/// The file at `path` that an `add` names; the error says what can't be read.
pub(crate) fn data_file(path: Path, add: &Add, schema: &Schema) -> Result<DataFile, String> {
    if add
        .deletion_vector
        .as_ref()
        .is_some_and(|vector| !vector.is_null())
    {
        return Err(format!("file {} has a deletion vector", add.path));
    }
    let size =
        u64::try_from(add.size).map_err(|_| format!("file {} has size {}", add.path, add.size))?;
    // Statistics are an optimisation: a file whose statistics can't be read is read whole.
    let stats: RawStats = add
        .stats
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    Ok(DataFile {
        path,
        size,
        modified_millis: add.modification_time,
        partition_values: partition_values(add, schema)?,
        rows: stats.num_records,
        bounds: column_bounds(&stats, schema),
    })
}

fn partition_values(add: &Add, schema: &Schema) -> Result<BTreeMap<String, ScalarValue>, String> {
    let typed = |(name, text): (&String, &Option<String>)| {
        let field = schema
            .field_with_name(name)
            .map_err(|_| format!("{name} is not a column"))?;
        let value = match text.as_deref() {
            // Delta writes null and the empty string alike.
            None | Some("") => ScalarValue::try_from(field.data_type()),
            Some(text) => ScalarValue::try_from_string(text.to_owned(), field.data_type()),
        };
        let value =
            value.map_err(|error| format!("partition value {text:?} of {name}: {error}"))?;
        Ok((name.clone(), value))
    };
    add.partition_values.iter().map(typed).collect()
}

fn column_bounds(stats: &RawStats, schema: &Schema) -> BTreeMap<String, Bounds> {
    let mut all = BTreeMap::new();
    for field in schema.fields() {
        let (name, kind) = (field.name(), field.data_type());
        let nulls = stats.null_count.get(name).and_then(Value::as_u64);
        let min = stats
            .min_values
            .get(name)
            .and_then(|value| bound(value, kind, Side::Min));
        let max = stats
            .max_values
            .get(name)
            .and_then(|value| bound(value, kind, Side::Max));
        if nulls.is_none() && min.is_none() && max.is_none() {
            continue;
        }
        let exact = kind.is_integer() || matches!(kind, DataType::Date32);
        all.insert(
            name.clone(),
            Bounds {
                min,
                max,
                exact,
                nulls,
            },
        );
    }
    all
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Min,
    Max,
}

fn bound(value: &Value, kind: &DataType, side: Side) -> Option<ScalarValue> {
    match kind {
        DataType::Int64 => value.as_i64().map(ScalarValue::from),
        DataType::Int32 => value
            .as_i64()
            .and_then(|n| i32::try_from(n).ok())
            .map(ScalarValue::from),
        DataType::Int16 => value
            .as_i64()
            .and_then(|n| i16::try_from(n).ok())
            .map(ScalarValue::from),
        DataType::Int8 => value
            .as_i64()
            .and_then(|n| i8::try_from(n).ok())
            .map(ScalarValue::from),
        DataType::Float64 => value.as_f64().map(ScalarValue::from),
        DataType::Boolean => value.as_bool().map(ScalarValue::from),
        DataType::Utf8View => text_bound(value.as_str()?, side),
        DataType::Date32 => {
            let date = NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?;
            let days = date.signed_duration_since(NaiveDate::default()).num_days();
            i32::try_from(days)
                .ok()
                .map(|days| ScalarValue::Date32(Some(days)))
        }
        DataType::Timestamp(TimeUnit::Microsecond, None) => {
            let micros = micros(value.as_str()?)?;
            // Writers cut timestamps in statistics to milliseconds, so the greatest value may be up to 999 us later.
            let micros = if side == Side::Max {
                micros.saturating_add(999)
            } else {
                micros
            };
            Some(ScalarValue::TimestampMicrosecond(Some(micros), None))
        }
        _ => None,
    }
}

/// Long text is cut in statistics, and not every writer rounds the greatest value up: a cut maximum is no bound.
fn text_bound(text: &str, side: Side) -> Option<ScalarValue> {
    /// Writers cut at 32 characters or more.
    const SHORTEST_CUT: usize = 32;
    let certain = side == Side::Min || text.len() < SHORTEST_CUT;
    certain.then(|| ScalarValue::Utf8View(Some(text.to_owned())))
}

fn micros(text: &str) -> Option<i64> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Some(moment.timestamp_micros());
    }
    let text = text.replace(' ', "T");
    let moment = NaiveDateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    Some(moment.and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
    use datafusion::common::ScalarValue;
    use object_store::path::Path;

    use super::super::actions::Add;
    use super::data_file;

    fn schema() -> Schema {
        Schema::new(vec![
            Field::new("n", DataType::Int64, true),
            Field::new("s", DataType::Utf8View, true),
            Field::new("t", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("d", DataType::Date32, true),
        ])
    }

    fn add(path: &str, stats: &str) -> Add {
        let json = serde_json::json!({"path": path, "size": 10, "partitionValues": {"d": "2026-01-02"}, "stats": stats});
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn statistics_are_typed_and_bounds_are_never_too_tight() {
        let stats = r#"{"numRecords":3,"minValues":{"n":1,"s":"a","t":"2026-01-01T00:00:00.001Z"},
            "maxValues":{"n":9,"s":"abcdefghijklmnopqrstuvwxyz0123456789","t":"2026-01-01T00:00:00.001Z"},"nullCount":{"n":2}}"#;
        let file = data_file(
            Path::from("t/a.parquet"),
            &add("a.parquet", stats),
            &schema(),
        )
        .unwrap();
        assert_eq!(file.rows, Some(3));
        assert_eq!(file.partition_values["d"], ScalarValue::Date32(Some(20455)));
        let n = &file.bounds["n"];
        assert!(n.exact && n.nulls == Some(2) && n.max == Some(ScalarValue::from(9_i64)));
        assert!(file.bounds["s"].max.is_none(), "a cut maximum is no bound");
        let ScalarValue::TimestampMicrosecond(Some(min), _) = file.bounds["t"].min.clone().unwrap()
        else {
            panic!()
        };
        let ScalarValue::TimestampMicrosecond(Some(max), _) = file.bounds["t"].max.clone().unwrap()
        else {
            panic!()
        };
        assert_eq!(max - min, 999);
    }

    #[test]
    fn deletion_vectors_are_refused() {
        let mut with_vector = add("a.parquet", "{}");
        with_vector.deletion_vector = Some(serde_json::json!({"storageType": "u"}));
        assert!(data_file(Path::from("t/a.parquet"), &with_vector, &schema()).is_err());
    }
}
