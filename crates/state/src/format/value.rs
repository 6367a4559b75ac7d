//! JSON values in binary. Text would not do: reading a number back from text may change its last bit, and then a
//! decision made again from a stored state would not be the same decision.

use gamepipe_domain::JsonMap;
use serde_json::{Number, Value};

use super::FormatError;
use super::bytes::{Reader, put_bytes, put_varint};

/// How deep values may be nested: as deep as JSON text can be that came in over HTTP.
const MAX_DEPTH: usize = 128;

// Persisted: keep stable.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const UNSIGNED: u8 = 3;
const NEGATIVE: u8 = 4;
const FLOAT: u8 = 5;
const STRING: u8 = 6;
const ARRAY: u8 = 7;
const OBJECT: u8 = 8;

/// Appends a JSON object.
pub(crate) fn encode_map(out: &mut Vec<u8>, map: &JsonMap) -> Result<(), FormatError> {
    encode_object(out, map, 0)
}

/// Takes the object that [`encode_map`] appended.
pub(crate) fn decode_map(reader: &mut Reader<'_>) -> Result<JsonMap, FormatError> {
    decode_object(reader, 0)
}

fn encode_object(out: &mut Vec<u8>, map: &JsonMap, depth: usize) -> Result<(), FormatError> {
    put_varint(out, map.len() as u64);
    for (name, value) in map {
        put_bytes(out, name.as_bytes());
        encode_value(out, value, depth + 1)?;
    }
    Ok(())
}

fn encode_value(out: &mut Vec<u8>, value: &Value, depth: usize) -> Result<(), FormatError> {
    if depth > MAX_DEPTH {
        return Err(FormatError::Depth(MAX_DEPTH));
    }
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(false) => out.push(FALSE),
        Value::Bool(true) => out.push(TRUE),
        Value::Number(number) => encode_number(out, number)?,
        Value::String(text) => {
            out.push(STRING);
            put_bytes(out, text.as_bytes());
        }
        Value::Array(items) => {
            out.push(ARRAY);
            put_varint(out, items.len() as u64);
            for item in items {
                encode_value(out, item, depth + 1)?;
            }
        }
        Value::Object(map) => {
            out.push(OBJECT);
            encode_object(out, map, depth)?;
        }
    }
    Ok(())
}

fn encode_number(out: &mut Vec<u8>, number: &Number) -> Result<(), FormatError> {
    if let Some(unsigned) = number.as_u64() {
        out.push(UNSIGNED);
        put_varint(out, unsigned);
    } else if let Some(negative) = number.as_i64() {
        out.push(NEGATIVE);
        put_varint(out, negative.unsigned_abs());
    } else {
        let float = number.as_f64().ok_or(FormatError::Malformed("a number"))?;
        out.push(FLOAT);
        out.extend_from_slice(&float.to_le_bytes());
    }
    Ok(())
}

fn decode_object(reader: &mut Reader<'_>, depth: usize) -> Result<JsonMap, FormatError> {
    let count = reader.count()?;
    let mut map = JsonMap::new();
    for _ in 0..count {
        let name = reader.text()?;
        map.insert(name, decode_value(reader, depth + 1)?);
    }
    Ok(map)
}

fn decode_value(reader: &mut Reader<'_>, depth: usize) -> Result<Value, FormatError> {
    if depth > MAX_DEPTH {
        return Err(FormatError::Depth(MAX_DEPTH));
    }
    Ok(match reader.byte()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        UNSIGNED => Value::from(reader.varint()?),
        NEGATIVE => {
            let magnitude = reader.varint()?;
            Value::from(
                0_i64
                    .checked_sub_unsigned(magnitude)
                    .ok_or(reader.malformed())?,
            )
        }
        FLOAT => {
            let float = f64::from_le_bytes(reader.array()?);
            Value::Number(Number::from_f64(float).ok_or(reader.malformed())?)
        }
        STRING => Value::String(reader.text()?),
        ARRAY => {
            let count = reader.count()?;
            // Not reserved at once: a damaged count must not reserve memory.
            let mut items = Vec::new();
            for _ in 0..count {
                items.push(decode_value(reader, depth + 1)?);
            }
            Value::Array(items)
        }
        OBJECT => Value::Object(decode_object(reader, depth)?),
        tag => return Err(FormatError::Tag("a value", tag)),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::super::bytes::Reader;
    use super::{JsonMap, decode_map, encode_map};

    /// Any JSON object, some levels deep.
    pub(crate) fn any_map() -> impl Strategy<Value = JsonMap> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        let value = leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        });
        prop::collection::btree_map(any::<String>(), value, 0..6)
            .prop_map(|map| map.into_iter().collect())
    }

    fn decode(bytes: &[u8]) -> JsonMap {
        let mut reader = Reader::new(bytes, "a map");
        let map = decode_map(&mut reader).unwrap();
        reader.end().unwrap();
        map
    }

    proptest! {
        #[test]
        fn every_json_object_round_trips(map in any_map()) {
            let mut bytes = Vec::new();
            encode_map(&mut bytes, &map).unwrap();
            prop_assert_eq!(decode(&bytes), map);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode_map(&mut Reader::new(&bytes, "a map"));
        }
    }

    #[test]
    fn numbers_keep_their_kind_and_every_bit() {
        let numbers = json!({
            "a": 1, "b": 1.0, "c": -1, "d": i64::MIN, "e": u64::MAX, "f": f64::MIN_POSITIVE, "g": 0.1 + 0.2,
            "h": -0.0,
        });
        let map = numbers.as_object().unwrap();
        let mut bytes = Vec::new();
        encode_map(&mut bytes, map).unwrap();
        let read = decode(&bytes);
        assert_eq!(&read, map);
        assert!(read["b"].is_f64() && read["a"].is_u64());
        assert!(read["h"].as_f64().unwrap().is_sign_negative());
    }

    #[test]
    fn nesting_beyond_the_limit_is_refused_both_ways() {
        let mut deep = Value::Null;
        for _ in 0..200 {
            deep = Value::Array(vec![deep]);
        }
        let map = JsonMap::from_iter([("deep".to_owned(), deep)]);
        assert!(encode_map(&mut Vec::new(), &map).is_err());
        let mut bytes = vec![1, 1, b'x'];
        bytes.extend(std::iter::repeat_n([7, 1], 100_000).flatten());
        assert!(decode_map(&mut Reader::new(&bytes, "a map")).is_err());
    }
}
