//! One text for equal JSON: what hashes are taken over.

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

/// SHA-256 of the canonical text of `value`, in 64 hexadecimal digits.
pub(crate) fn sha256_hex(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Names sorted by their bytes, no blanks. Persisted (versions and fingerprints are made of it): keep stable.
fn write(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<(&String, &Value)> = fields.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_str());
            out.push('{');
            for (index, (name, field)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push(':');
                write(field, out);
            }
            out.push('}');
        }
        Value::Number(number) => out.push_str(&shortest(number)),
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// Up to here a float is every whole number: 2 to the 53rd.
const LAST_EXACT: f64 = 9_007_199_254_740_992.0;

/// A number's text. Whole floats are written as integers: a Kubernetes API server keeps 1.0 as 1, and a definition that went through one is the same.
fn shortest(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() <= LAST_EXACT => {
            // Minus zero is zero.
            format!("{:.0}", float + 0.0)
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::sha256_hex;

    #[test]
    fn whole_floats_are_integers() {
        assert_eq!(sha256_hex(&json!([1.0, -0.0])), sha256_hex(&json!([1, 0])));
        assert_ne!(sha256_hex(&json!(1.5)), sha256_hex(&json!(1)));
    }

    #[test]
    fn the_hash_of_known_json_never_changes() {
        // SHA-256 of `{"a":[1,2.5,null],"b":"x"}`.
        let expected = "6739d783db2ab3fd0e308ed566ca042752f3cab5f9516e0e6d9e411041c24c13";
        assert_eq!(
            sha256_hex(&json!({"b": "x", "a": [1, 2.5, null]})),
            expected
        );
    }
}
