//! From the schema in a table's metadata to Arrow.
//!
//! Text is read as views: comparing and grouping views is faster than copying strings. Both of Delta's timestamps
//! become `timestamp(6)` in UTC without a zone, which is what tables declare.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, TimeUnit};
use serde_json::Value;

/// The Arrow schema behind the text of `schemaString`; the error says which field can't be read and why.
pub(crate) fn decode_schema(text: &str) -> Result<Schema, String> {
    let value: Value =
        serde_json::from_str(text).map_err(|error| format!("the schema is not JSON: {error}"))?;
    Ok(Schema::new(decode_fields(&value)?))
}

fn decode_fields(value: &Value) -> Result<Fields, String> {
    let fields = value
        .get("fields")
        .and_then(Value::as_array)
        .ok_or("a struct without fields")?;
    fields.iter().map(decode_field).collect()
}

fn decode_field(value: &Value) -> Result<Field, String> {
    let name = value
        .get("name")
        .and_then(Value::as_str)
        .ok_or("a field without a name")?;
    let kind = value
        .get("type")
        .ok_or_else(|| format!("field {name} has no type"))?;
    let kind = decode_type(kind).map_err(|reason| format!("field {name}: {reason}"))?;
    // Files older than a column have no values for it, whatever the metadata says.
    Ok(Field::new(name, kind, true))
}

fn decode_type(value: &Value) -> Result<DataType, String> {
    if let Some(name) = value.as_str() {
        return decode_primitive(name);
    }
    match value.get("type").and_then(Value::as_str) {
        Some("struct") => Ok(DataType::Struct(decode_fields(value)?)),
        Some("array") => {
            let item = decode_type(
                value
                    .get("elementType")
                    .ok_or("an array without elementType")?,
            )?;
            Ok(DataType::List(Arc::new(Field::new("element", item, true))))
        }
        Some("map") => {
            let key = decode_type(value.get("keyType").ok_or("a map without keyType")?)?;
            let item = decode_type(value.get("valueType").ok_or("a map without valueType")?)?;
            let entries = Fields::from(vec![
                Field::new("key", key, false),
                Field::new("value", item, true),
            ]);
            Ok(DataType::Map(
                Arc::new(Field::new("key_value", DataType::Struct(entries), false)),
                false,
            ))
        }
        _ => Err(format!("type {value} is not supported")),
    }
}

fn decode_primitive(name: &str) -> Result<DataType, String> {
    Ok(match name {
        "string" => DataType::Utf8View,
        "long" => DataType::Int64,
        "integer" => DataType::Int32,
        "short" => DataType::Int16,
        "byte" => DataType::Int8,
        "double" => DataType::Float64,
        "float" => DataType::Float32,
        "boolean" => DataType::Boolean,
        "binary" => DataType::BinaryView,
        "date" => DataType::Date32,
        "timestamp" | "timestamp_ntz" => DataType::Timestamp(TimeUnit::Microsecond, None),
        decimal => return decode_decimal(decimal),
    })
}

fn decode_decimal(name: &str) -> Result<DataType, String> {
    let inner = name
        .strip_prefix("decimal(")
        .and_then(|rest| rest.strip_suffix(')'));
    let parts = inner.and_then(|inner| inner.split_once(','));
    let numbers = parts.and_then(|(p, s)| Some((p.trim().parse().ok()?, s.trim().parse().ok()?)));
    let (precision, scale) = numbers.ok_or_else(|| format!("type {name} is not supported"))?;
    Ok(DataType::Decimal128(precision, scale))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, TimeUnit};

    use super::decode_schema;

    #[test]
    fn primitive_and_nested_types_are_read() {
        let text = r#"{"type":"struct","fields":[
            {"name":"a","type":"string","nullable":true,"metadata":{}},
            {"name":"t","type":"timestamp_ntz","nullable":false,"metadata":{}},
            {"name":"d","type":"decimal(10,2)","nullable":true,"metadata":{}},
            {"name":"l","type":{"type":"array","elementType":"long","containsNull":true},"nullable":true,"metadata":{}}]}"#;
        let schema = decode_schema(text).unwrap();
        assert_eq!(schema.field(0).data_type(), &DataType::Utf8View);
        assert_eq!(
            schema.field(1).data_type(),
            &DataType::Timestamp(TimeUnit::Microsecond, None)
        );
        assert!(schema.field(1).is_nullable());
        assert_eq!(schema.field(2).data_type(), &DataType::Decimal128(10, 2));
        assert!(matches!(schema.field(3).data_type(), DataType::List(_)));
    }

    #[test]
    fn an_unknown_type_is_refused_with_the_field_that_has_it() {
        let text = r#"{"type":"struct","fields":[{"name":"v","type":"variant","nullable":true,"metadata":{}}]}"#;
        assert_eq!(
            decode_schema(text).unwrap_err(),
            "field v: type variant is not supported"
        );
    }
}
