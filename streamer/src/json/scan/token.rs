//! The smallest parts of the grammar: keys, strings, numbers, words and white space.

use super::parts::{Fault, Kind, Span, Value};
use crate::json::text;

/// Reads a key and its colon; returns its span, whether it has escapes, and where the value begins.
pub(super) fn key(bytes: &[u8], at: usize) -> Result<(Span, bool, usize), Fault> {
    if bytes.get(at) != Some(&b'"') {
        return Err(Fault::Grammar {
            at,
            expected: "a key in double quotes",
        });
    }
    let (span, escaped, end) = string(bytes, at)?;
    let colon = skip_space(bytes, end);
    if bytes.get(colon) != Some(&b':') {
        return Err(Fault::Grammar {
            at: colon,
            expected: "`:`",
        });
    }
    Ok((span, escaped, skip_space(bytes, colon + 1)))
}

pub(super) fn scalar(bytes: &[u8], at: usize) -> Result<(Value, usize), Fault> {
    let (kind, span) = match bytes.get(at) {
        Some(b'"') => {
            let (span, escaped, end) = string(bytes, at)?;
            return Ok((
                Value {
                    kind: Kind::Text { escaped },
                    span,
                },
                end,
            ));
        }
        Some(b'-' | b'0'..=b'9') => number(bytes, at)?,
        Some(b't') => (Kind::Boolean(true), literal(bytes, at, b"true")?),
        Some(b'f') => (Kind::Boolean(false), literal(bytes, at, b"false")?),
        Some(b'n') => (Kind::Null, literal(bytes, at, b"null")?),
        _ => {
            return Err(Fault::Grammar {
                at,
                expected: "a value",
            });
        }
    };
    Ok((Value { kind, span }, span.end as usize))
}

fn literal(bytes: &[u8], at: usize, word: &'static [u8]) -> Result<Span, Fault> {
    let end = at + word.len();
    if bytes.get(at..end) == Some(word) {
        return Ok(Span::new(at, end));
    }
    Err(Fault::Grammar {
        at,
        expected: "a value",
    })
}

fn number(bytes: &[u8], start: usize) -> Result<(Kind, Span), Fault> {
    let digits = |mut at: usize| {
        let first = at;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        if at == first {
            Err(Fault::Grammar {
                at,
                expected: "a digit",
            })
        } else {
            Ok(at)
        }
    };
    let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
    let mut kind = Kind::Integer;
    at = if bytes.get(at) == Some(&b'0') {
        at + 1
    } else {
        digits(at)?
    };
    if bytes.get(at) == Some(&b'.') {
        kind = Kind::Decimal;
        at = digits(at + 1)?;
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        kind = Kind::Decimal;
        let sign = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
        at = digits(at + 1 + usize::from(sign))?;
    }
    Ok((kind, Span::new(start, at)))
}

/// Reads a string from its opening quote on: the span inside the quotes, whether it has escapes, and the place after it.
fn string(bytes: &[u8], open: usize) -> Result<(Span, bool, usize), Fault> {
    let start = open + 1;
    let mut at = start;
    let mut escaped = false;
    loop {
        at = text::plain_until(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((Span::new(start, at), escaped, at + 1)),
            Some(b'\\') => {
                escaped = true;
                at = text::escape_end(bytes, at).ok_or(Fault::Grammar {
                    at,
                    expected: "a valid escape",
                })?;
            }
            Some(_) => {
                return Err(Fault::Grammar {
                    at,
                    expected: "no control character in a string",
                });
            }
            None => {
                return Err(Fault::Grammar {
                    at,
                    expected: "the end of a string",
                });
            }
        }
    }
}

pub(super) fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}
