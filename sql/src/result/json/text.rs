//! Strings, numbers and bytes as JSON.

use std::io::Write;

/// Writes a JSON string.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (index, byte) in bytes.iter().enumerate() {
        let escape: &[u8] = match byte {
            b'"' => b"\\\"",
            b'\\' => b"\\\\",
            b'\n' => b"\\n",
            b'\r' => b"\\r",
            b'\t' => b"\\t",
            0..=0x1f => b"",
            _ => continue,
        };
        out.extend_from_slice(bytes.get(start..index).unwrap_or_default());
        start = index + 1;
        if escape.is_empty() {
            // Writing to memory does not fail.
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.extend_from_slice(escape);
        }
    }
    out.extend_from_slice(bytes.get(start..).unwrap_or_default());
    out.push(b'"');
}

pub(super) fn write_integer(value: i64, out: &mut Vec<u8>) {
    let _ = write!(out, "{value}");
}

/// A float with a point or an exponent, so that no decoder takes it for an integer; what JSON has no number for is text.
pub(super) fn write_double(value: f64, out: &mut Vec<u8>) {
    if let Some(name) = name_of(value) {
        write_string(name, out);
    } else {
        let _ = write!(out, "{value:?}");
    }
}

pub(super) fn write_real(value: f32, out: &mut Vec<u8>) {
    if let Some(name) = name_of(f64::from(value)) {
        write_string(name, out);
    } else {
        let _ = write!(out, "{value:?}");
    }
}

fn name_of(value: f64) -> Option<&'static str> {
    if value.is_nan() {
        Some("NaN")
    } else if value == f64::INFINITY {
        Some("Infinity")
    } else if value == f64::NEG_INFINITY {
        Some("-Infinity")
    } else {
        None
    }
}

/// Writes bytes as a string in base64 with padding.
pub(super) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    out.push(b'"');
    for chunk in bytes.chunks(3) {
        let at = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let joined = (at(0) << 16) | (at(1) << 8) | at(2);
        for place in 0..4 {
            let letter = LETTERS
                .get(((joined >> (18 - 6 * place)) & 63) as usize)
                .copied()
                .unwrap_or(b'=');
            out.push(if place <= chunk.len() { letter } else { b'=' });
        }
    }
    out.push(b'"');
}
