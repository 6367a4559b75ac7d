//! Why a record can't be rows, in words and with a pointer to the culprit.

use crate::json::scan::{Fault, MAX_DEPTH, Member, Value};
use crate::json::text::unescape;
use crate::messages::{BadRecord, bad_code};

/// How much of a culprit's text a detail quotes, in characters.
const QUOTED_CHARACTERS: usize = 80;

pub(super) fn of_fault(fault: Fault, text: &str) -> BadRecord {
    let (code, detail) = match fault {
        Fault::Grammar { at, expected } => (
            bad_code::INVALID_JSON,
            format!(
                "expected {expected} at byte {at}, got {}",
                quote(text.get(at..).unwrap_or_default())
            ),
        ),
        Fault::NotAnObject { found } => (
            bad_code::NOT_AN_OBJECT,
            format!("expected an object, got {found}"),
        ),
        Fault::TooDeep { at } => (
            bad_code::TOO_DEEP,
            format!("nested more than {MAX_DEPTH} levels deep at byte {at}"),
        ),
        Fault::DuplicateKey { key } => (
            bad_code::DUPLICATE_KEY,
            format!("key {} occurs twice in an object", quote(key.of(text))),
        ),
    };
    BadRecord {
        code,
        detail,
        pointer: String::new(),
    }
}

pub(super) fn missing(field: &str) -> BadRecord {
    BadRecord {
        code: bad_code::MISSING_FIELD,
        detail: format!("every event has a field {field}"),
        pointer: format!("/{field}"),
    }
}

pub(super) fn mismatch(pointer: String, expected: &str, value: Value, text: &str) -> BadRecord {
    BadRecord {
        code: bad_code::WRONG_TYPE,
        detail: format!(
            "expected {expected}, got {}: {}",
            value.kind.name(),
            quote(value.json(text))
        ),
        pointer,
    }
}

/// The beginning of a text, for a detail.
fn quote(text: &str) -> String {
    if text.is_empty() {
        return "the end of the record".to_owned();
    }
    let end = text
        .char_indices()
        .nth(QUOTED_CHARACTERS)
        .map_or(text.len(), |(at, _)| at);
    let mark = if end < text.len() { "..." } else { "" };
    format!("`{}{mark}`", text.get(..end).unwrap_or_default())
}

pub(super) fn plain_key<'a>(member: &Member, text: &'a str) -> std::borrow::Cow<'a, str> {
    if !member.key_escaped {
        return member.key.of(text).into();
    }
    let mut plain = String::new();
    unescape(member.key.of(text), &mut plain);
    plain.into()
}

pub(super) fn pointer(member: &Member, text: &str) -> String {
    format!(
        "/{}",
        plain_key(member, text)
            .replace('~', "~0")
            .replace('/', "~1")
    )
}
