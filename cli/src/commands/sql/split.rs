//! Where a statement ends: at a semicolon that is not in a string, a quoted name or a comment.

/// What the scanner is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    /// A string or quoted name, with its quote.
    Quotes(u8),
    LineComment,
    BlockComment,
}

/// The statements of a text, without their semicolons; empty ones and mere comments are left out.
pub(crate) fn statements(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(end) = first_end(rest) {
        found.push(rest.get(..end).unwrap_or_default());
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    found.push(rest);
    found.retain(|statement| !is_blank(statement));
    found.iter().map(|statement| statement.trim()).collect()
}

/// True when the text ends a statement: its last semicolon is one that counts, and nothing but space and comments follows.
pub(crate) fn is_complete(text: &str) -> bool {
    let mut rest = text;
    let mut ended = false;
    while let Some(end) = first_end(rest) {
        ended = true;
        rest = rest.get(end + 1..).unwrap_or_default();
    }
    ended && is_blank(rest)
}

/// True when there is nothing to run in the text.
pub(crate) fn is_blank(text: &str) -> bool {
    scan(text, |byte, inside| {
        inside == Inside::Nothing && !byte.is_ascii_whitespace()
    })
    .is_none()
}

fn first_end(text: &str) -> Option<usize> {
    scan(text, |byte, inside| {
        inside == Inside::Nothing && byte == b';'
    })
}

/// The place of the first byte that `found` takes. Bytes of comments and quoted parts are told as inside of them,
/// quotes themselves as outside.
fn scan(text: &str, found: impl Fn(u8, Inside) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut inside = Inside::Nothing;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = (byte, bytes.get(at + 1).copied());
        match (inside, pair) {
            (Inside::Nothing, (b'-', Some(b'-'))) => inside = Inside::LineComment,
            (Inside::Nothing, (b'/', Some(b'*'))) => inside = Inside::BlockComment,
            (Inside::LineComment, (b'\n', _)) => inside = Inside::Nothing,
            (Inside::BlockComment, (b'*', Some(b'/'))) => {
                inside = Inside::Nothing;
                at += 2;
                continue;
            }
            (Inside::Quotes(quote), _) if byte == quote => inside = Inside::Nothing,
            (Inside::Nothing, _) => {
                if found(byte, inside) {
                    return Some(at);
                }
                if matches!(byte, b'\'' | b'"' | b'`') {
                    inside = Inside::Quotes(byte);
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// What other shells take, and no SQL.
pub(super) fn leaves(line: &str) -> bool {
    let word = line.trim_end_matches(';').trim();
    ["exit", "quit"]
        .iter()
        .any(|leave| word.eq_ignore_ascii_case(leave))
}

#[cfg(test)]
mod tests {
    use super::{is_blank, is_complete, statements};

    #[test]
    fn statements_end_at_semicolons_outside_of_quotes_and_comments() {
        let text = "select ';' as \"a;b\"; -- one; two\nselect 2 /* ; */;\n\n;select 'it''s;'";
        assert_eq!(
            statements(text),
            [
                "select ';' as \"a;b\"",
                "-- one; two\nselect 2 /* ; */",
                "select 'it''s;'"
            ]
        );
    }

    #[test]
    fn a_statement_is_complete_with_its_semicolon() {
        assert!(is_complete("select 1;"));
        assert!(is_complete("select 1; -- done"));
        assert!(!is_complete("select 1"));
        assert!(!is_complete("select ';"));
        assert!(!is_complete("select 1; select 2"));
    }

    #[test]
    fn comments_alone_are_blank() {
        assert!(is_blank(" -- nothing\n /* here */ "));
        assert!(!is_blank("-- a\nselect 1"));
        assert!(!is_blank("'"));
    }

    #[test]
    fn exit_and_quit_leave_as_in_other_shells() {
        assert!(super::leaves("exit") && super::leaves("QUIT;") && super::leaves("quit ;"));
        assert!(!super::leaves("select exit") && !super::leaves("exits"));
    }
}
