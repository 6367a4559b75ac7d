//! Reading JSON that a stranger sent: bounded in depth before any parser recurses into it.

use std::cell::RefCell;
use std::fmt;

use gamepipe_domain::JsonMap;
use serde::Deserializer;
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use crate::problem::{Problem, codes};

/// How deep arrays and objects may nest. Games declare a handful of levels; every JSON reader out there takes 64.
pub(crate) const MAX_DEPTH: usize = 64;

/// True when `text` nests deeper than [`MAX_DEPTH`]. Right for any bytes: what is no JSON is refused later.
pub(crate) fn too_deep(text: &[u8]) -> bool {
    // Text with fewer brackets than that can't be too deep, and counting them is many times faster than following them.
    let opening = text
        .iter()
        .filter(|byte| matches!(byte, b'{' | b'['))
        .count();
    if opening <= MAX_DEPTH {
        return false;
    }
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The one JSON object that `text` is. A name that an object gives twice is refused at any depth: the reader that takes the
/// last and the one that takes the first would see two requests.
pub(crate) fn object(text: &[u8]) -> Result<JsonMap, Problem> {
    if too_deep(text) {
        return Err(Problem::new(
            codes::INVALID_JSON,
            format!("the body nests deeper than {MAX_DEPTH} levels"),
        ));
    }
    let twice = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = reader
        .deserialize_map(Strict(&twice))
        .and_then(|read| reader.end().map(|()| read));
    match (read, twice.into_inner()) {
        (Ok(Value::Object(fields)), None) => Ok(fields),
        (_, Some(name)) => Err(Problem::new(
            codes::DUPLICATE_PARAMETER,
            format!("the body gives {name:?} twice"),
        )),
        (Ok(_), None) => Err(not_an_object("it is something else")),
        (Err(error), None) => Err(not_an_object(&error)),
    }
}

fn not_an_object(reason: impl std::fmt::Display) -> Problem {
    Problem::new(
        codes::INVALID_JSON,
        format!("the body must be one JSON object: {reason}"),
    )
}

/// Reads any value and notes the first name that an object gives twice.
#[derive(Clone, Copy)]
struct Strict<'a>(&'a RefCell<Option<String>>);

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut fields = JsonMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if fields.contains_key(&name) {
                self.0.borrow_mut().get_or_insert_with(|| name.clone());
            }
            let value = entries.next_value_seed(self)?;
            fields.insert(name, value);
        }
        Ok(Value::Object(fields))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{MAX_DEPTH, object, too_deep};

    fn nested(depth: usize) -> String {
        "[".repeat(depth) + &"]".repeat(depth)
    }

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(!too_deep(nested(MAX_DEPTH).as_bytes()));
        assert!(too_deep(nested(MAX_DEPTH + 1).as_bytes()));
        assert!(!too_deep(
            format!("{{\"a\":\"{}\"}}", "[".repeat(200)).as_bytes()
        ));
        assert!(!too_deep(
            format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(200)).as_bytes()
        ));
        assert!(!too_deep("[],".repeat(200).as_bytes()));
    }

    #[test]
    fn only_one_object_is_taken() {
        assert!(object(b"{\"a\":1}").is_ok());
        for text in ["", "[]", "1", "{", "{} {}", "{\"a\":1}x", "\u{feff}{}"] {
            assert_eq!(
                object(text.as_bytes()).unwrap_err().code(),
                "invalid_json",
                "{text:?}"
            );
        }
    }

    #[test]
    fn a_name_given_twice_is_refused_at_any_depth() {
        for (text, name) in [
            (r#"{"name":"dora","name":"eve"}"#, "name"),
            (r#"{"a":[{"b":{"c":1,"c":1}}]}"#, "c"),
            (r#"{"a":1,"\u0061":2}"#, "a"),
        ] {
            let problem = object(text.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), "duplicate_parameter", "{text}");
            let body = String::from_utf8(problem.to_json()).unwrap();
            assert!(body.contains(&format!("\\\"{name}\\\" twice")), "{body}");
        }
        assert!(object(br#"{"a":{"c":1},"b":{"c":1}}"#).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_serde_json_reads(text in r#"[\[\]{}:,"a0-9.eE+\-tfn]{0,12}"#) {
            let text = format!("{{\"k\":{text}}}");
            let theirs = serde_json::from_str::<gamepipe_domain::JsonMap>(&text).ok();
            match object(text.as_bytes()) {
                Ok(ours) => prop_assert_eq!(Some(ours), theirs),
                Err(problem) => prop_assert!(problem.code() == "duplicate_parameter" || theirs.is_none(), "{}", text),
            }
        }

        #[test]
        fn any_bytes_are_judged_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = too_deep(&text);
            let _ = object(&text);
        }
    }
}
