//! Reading JSON that a stranger sent: bounded in depth before any parser recurses into it.

use gamepipe_domain::JsonMap;

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

/// The one JSON object that `text` is.
pub(crate) fn object(text: &[u8]) -> Result<JsonMap, Problem> {
    if too_deep(text) {
        return Err(Problem::new(
            codes::INVALID_JSON,
            format!("the body nests deeper than {MAX_DEPTH} levels"),
        ));
    }
    serde_json::from_slice(text).map_err(|error| {
        Problem::new(
            codes::INVALID_JSON,
            format!("the body must be one JSON object: {error}"),
        )
    })
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

    proptest! {
        #[test]
        fn any_bytes_are_judged_without_a_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = too_deep(&text);
            let _ = object(&text);
        }
    }
}
