//! Event ids as numbers: sixteen bytes instead of a text, since there may be millions.

/// The number behind a UUID's text; `None` for any other text.
pub(crate) fn parse_uuid(text: &str) -> Option<u128> {
    let mut value = 0_u128;
    let mut digits = 0;
    for letter in text.chars().filter(|letter| *letter != '-') {
        value = value << 4 | u128::from(letter.to_digit(16)?);
        digits += 1;
    }
    (digits == 32).then_some(value)
}

/// The inverse of [`parse_uuid`].
pub(crate) fn format_uuid(id: u128) -> String {
    let digits = format!("{id:032x}");
    let part = |from: usize, to: usize| digits.get(from..to).unwrap_or_default();
    [
        part(0, 8),
        part(8, 12),
        part(12, 16),
        part(16, 20),
        part(20, 32),
    ]
    .join("-")
}

#[cfg(test)]
mod tests {
    use super::{format_uuid, parse_uuid};

    #[test]
    fn uuids_round_trip_and_other_texts_are_refused() {
        let text = "0190a1b2-c3d4-7e5f-8a6b-0c0d0e0f0102";
        assert_eq!(parse_uuid(text).map(format_uuid).as_deref(), Some(text));
        assert_eq!(parse_uuid("client-1"), None);
        assert_eq!(parse_uuid(""), None);
    }
}
