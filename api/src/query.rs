//! Query strings and forms: `application/x-www-form-urlencoded`, read strictly.

use crate::problem::{Problem, codes};

/// The pairs of a query string or form, in order. A broken escape or text that is not UTF-8 is refused, not guessed.
pub(crate) fn pairs(text: &[u8]) -> Result<Vec<(String, String)>, Problem> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode(halves.next().unwrap_or_default())?;
            let value = decode(halves.next().unwrap_or_default())?;
            Ok((name, value))
        })
        .collect()
}

fn decode(text: &[u8]) -> Result<String, Problem> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => match (rest.next().and_then(hex), rest.next().and_then(hex)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => {
                    return Err(refused(
                        text,
                        "% must be followed by two hexadecimal digits",
                    ));
                }
            },
            other => out.push(*other),
        }
    }
    String::from_utf8(out).map_err(|_| refused(text, "the decoded text is not UTF-8"))
}

fn hex(digit: &u8) -> Option<u8> {
    char::from(*digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

fn refused(text: &[u8], why: &str) -> Problem {
    let text = String::from_utf8_lossy(text);
    let shown: String = text.chars().take(80).collect();
    Problem::new(
        codes::INVALID_QUERY,
        format!("{shown:?} can't be read: {why}"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::pairs;

    fn read(text: &str) -> Vec<(String, String)> {
        pairs(text.as_bytes()).unwrap()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn escapes_and_plus_are_decoded_in_names_and_values() {
        assert_eq!(
            read("a=1&b+c=%C3%A9%26x=y"),
            [pair("a", "1"), pair("b c", "é&x=y")]
        );
        assert_eq!(read("flag&empty=&&"), [pair("flag", ""), pair("empty", "")]);
        assert_eq!(read(""), []);
    }

    #[test]
    fn broken_text_is_refused() {
        for text in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=\u{0}%c3"] {
            assert_eq!(
                pairs(text.as_bytes()).unwrap_err().code(),
                "invalid_query",
                "{text:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_escaped_text_round_trips(name in "\\PC{1,8}", value in "\\PC{0,20}") {
            let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
            let text = format!("{}={}", escape(&name), escape(&value));
            prop_assert_eq!(read(&text), vec![(name, value)]);
        }
    }
}
