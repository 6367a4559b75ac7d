//! The inside of JSON strings: finding their end fast, checking escapes, and undoing them.

/// The place of the next byte from `at` on that is a quote, a backslash or a control character, or the end of the text.
pub(crate) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    // Eight bytes at a time: a byte's high bit is set in `hit` if it is one of the three (or, rarely and harmlessly,
    // follows one); bytes above 0x7f are part of UTF-8 sequences and never are.
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (LOW * u64::from(b'"'));
        let backslash = word ^ (LOW * u64::from(b'\\'));
        let hit = (quote.wrapping_sub(LOW) & !quote)
            | (backslash.wrapping_sub(LOW) & !backslash)
            | (word.wrapping_sub(LOW * 0x20) & !word);
        let hit = hit & HIGH;
        if hit != 0 {
            return at + (hit.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..=0x1f) {
            break;
        }
        at += 1;
    }
    at
}

/// The place after an escape sequence whose backslash is at `at`; `None` when it is none. A half of a surrogate pair
/// stands for no character and is none either.
pub(crate) fn escape_end(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at + 1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
        b'u' => match code_unit(bytes, at + 2)? {
            0xd800..=0xdbff => {
                let pair = bytes.get(at + 6..at + 8)? == b"\\u";
                (pair && matches!(code_unit(bytes, at + 8)?, 0xdc00..=0xdfff)).then_some(at + 12)
            }
            0xdc00..=0xdfff => None,
            _ => Some(at + 6),
        },
        _ => None,
    }
}

/// Appends the text that the inside of a checked JSON string stands for.
pub(crate) fn unescape(inside: &str, out: &mut String) {
    let bytes = inside.as_bytes();
    let mut from = 0;
    while let Some(found) = inside.get(from..).and_then(|rest| rest.find('\\')) {
        let at = from + found;
        out.push_str(inside.get(from..at).unwrap_or_default());
        let Some(end) = escape_end(bytes, at) else {
            return;
        };
        match bytes.get(at + 1) {
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'u') => out.push(character(bytes, at).unwrap_or(char::REPLACEMENT_CHARACTER)),
            Some(other) => out.push(char::from(*other)),
            None => return,
        }
        from = end;
    }
    out.push_str(inside.get(from..).unwrap_or_default());
}

fn character(bytes: &[u8], at: usize) -> Option<char> {
    let first = code_unit(bytes, at + 2)?;
    if (0xd800..=0xdbff).contains(&first) {
        let second = code_unit(bytes, at + 8)?;
        return char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second.checked_sub(0xdc00)?));
    }
    char::from_u32(first)
}

fn code_unit(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.iter().try_fold(0, |unit, byte| {
        Some(unit * 16 + char::from(*byte).to_digit(16)?)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{plain_until, unescape};

    proptest! {
        #[test]
        fn end_of_plain_text_is_where_a_byte_by_byte_search_finds_it(
            bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(0x1f_u8), Just(0x20), Just(0x80), Just(0xff), any::<u8>()], 0..40),
        ) {
            let expected = bytes.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).unwrap_or(bytes.len());
            prop_assert_eq!(plain_until(&bytes, 0), expected);
        }

        #[test]
        fn escaped_text_reads_as_what_was_written(text in any::<String>()) {
            let json = serde_json::to_string(&text).unwrap();
            let mut read = String::new();
            unescape(&json[1..json.len() - 1], &mut read);
            prop_assert_eq!(read, text);
        }
    }

    #[test]
    fn surrogate_pairs_are_one_character() {
        let mut read = String::new();
        unescape(r"a\ud83d\ude00\u00e9\/", &mut read);
        assert_eq!(read, "a😀é/");
    }
}
