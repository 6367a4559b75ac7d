//! The text as tokens, and how much of it is too much.
//!
//! The parser and the planner recurse over what they read. All that could make them recurse deeply is counted here, on
//! the flat list of tokens, before they start.

use std::collections::HashMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::TrinoDialect;
use crate::error::{ErrorCode, QueryError};

/// Chains such as `1+1+1` become trees as deep as they are long. 5,000 terms pass on a stack of 64 MiB.
const MAX_OPERATORS: usize = 2_000;
/// Parentheses, brackets and `CASE` within one another. Hand-written and generated SQL stays below 30.
pub(crate) const MAX_NESTING: usize = 100;
/// Literals of up to this many bytes may be as many as there are tokens.
const LONG_LITERAL_BYTES: usize = 256;
/// A plan copies a literal to each place where it is named, of which there are at most as many as tokens. This bounds what
/// all copies of the long ones take, in bytes: 64 KiB of text may stand in a statement of 1,000 tokens.
const MAX_COPIED_BYTES: usize = 64 << 20;
/// 1 MiB of text can hold half a million tokens, each about 100 bytes as one.
const MAX_TOKENS: usize = 300_000;

/// A statement's tokens without white space, comments and the closing semicolon.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tokens {
    /// Quoted identifiers are in lower case: Trino does not tell `"Host"` from `host`.
    pub(crate) list: Vec<TokenWithSpan>,
    /// How quoted identifiers were written, where that differs.
    pub(crate) written: HashMap<(u64, u64), String>,
}

/// Splits a statement into tokens and refuses what is too much for the parser.
pub(crate) fn tokenize(sql: &str) -> Result<Tokens, QueryError> {
    let all = Tokenizer::new(&TrinoDialect, sql)
        .tokenize_with_location()
        .map_err(|error| {
            QueryError::new(ErrorCode::SyntaxError, error.message)
                .at(error.location.line, error.location.column)
        })?;
    let mut tokens = Tokens::default();
    for mut token in all {
        match &mut token.token {
            Token::Whitespace(_) | Token::EOF => continue,
            Token::Word(word) if word.quote_style == Some('`') => {
                let text = "backquoted identifiers are not supported; use double quotes to quote identifiers";
                return Err(at(
                    QueryError::new(ErrorCode::SyntaxError, text),
                    token.span.start,
                ));
            }
            Token::Word(word) if word.quote_style.is_some() => {
                let lower = word.value.to_lowercase();
                if lower != word.value {
                    let start = token.span.start;
                    tokens.written.insert(
                        (start.line, start.column),
                        std::mem::replace(&mut word.value, lower),
                    );
                }
            }
            _ => {}
        }
        tokens.list.push(token);
    }
    while tokens
        .list
        .last()
        .is_some_and(|last| last.token == Token::SemiColon)
    {
        tokens.list.pop();
    }
    if let Some(second) = tokens
        .list
        .iter()
        .find(|token| token.token == Token::SemiColon)
    {
        return Err(at(
            QueryError::new(ErrorCode::SyntaxError, "only one statement at a time"),
            second.span.start,
        ));
    }
    check_size(&tokens.list)?;
    Ok(tokens)
}

/// The error at a token's place.
pub(crate) fn at(error: QueryError, place: Location) -> QueryError {
    error.at(place.line, place.column)
}

/// The first long literal and the bytes of all of them.
fn long_literals(tokens: &[TokenWithSpan]) -> Option<(&TokenWithSpan, usize)> {
    let mut found: Option<(&TokenWithSpan, usize)> = None;
    for token in tokens {
        let bytes = match &token.token {
            Token::SingleQuotedString(text)
            | Token::NationalStringLiteral(text)
            | Token::HexStringLiteral(text)
            | Token::EscapedStringLiteral(text)
            | Token::UnicodeStringLiteral(text) => text.len(),
            _ => 0,
        };
        if bytes > LONG_LITERAL_BYTES {
            let (first, sum) = found.unwrap_or((token, 0));
            found = Some((first, sum + bytes));
        }
    }
    found
}

fn check_size(tokens: &[TokenWithSpan]) -> Result<(), QueryError> {
    let rejected = |what: String, token: &TokenWithSpan| {
        at(
            QueryError::new(ErrorCode::QueryRejected, format!("the query has {what}")),
            token.span.start,
        )
    };
    if let Some(token) = tokens.get(MAX_TOKENS) {
        return Err(rejected(format!("more than {MAX_TOKENS} tokens"), token));
    }
    if let Some((token, bytes)) = long_literals(tokens)
        && bytes.saturating_mul(tokens.len()) > MAX_COPIED_BYTES
    {
        let what = format!(
            "{bytes} bytes of long texts in {} words and signs; at most {MAX_COPIED_BYTES} as a product of both",
            tokens.len()
        );
        return Err(rejected(what, token));
    }
    let (mut operators, mut nesting) = (0_usize, 0_usize);
    for token in tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => nesting += 1,
            Token::RParen | Token::RBracket | Token::RBrace => nesting = nesting.saturating_sub(1),
            Token::Word(word) => match word.keyword {
                Keyword::CASE => nesting += 1,
                Keyword::END => nesting = nesting.saturating_sub(1),
                Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
                | Keyword::JOIN
                | Keyword::IS
                | Keyword::LIKE
                | Keyword::BETWEEN => operators += 1,
                _ => {}
            },
            Token::Comma | Token::Period | Token::Number(..) | Token::SingleQuotedString(_) => {}
            _ => operators += 1,
        }
        if operators > MAX_OPERATORS {
            return Err(rejected(
                format!("more than {MAX_OPERATORS} operators"),
                token,
            ));
        }
        if nesting > MAX_NESTING {
            return Err(rejected(
                format!("more than {MAX_NESTING} levels of nesting"),
                token,
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::tokenize;
    use crate::error::ErrorCode;

    #[test]
    fn closing_semicolons_and_comments_are_dropped_and_a_second_statement_is_refused() {
        assert_eq!(tokenize("select 1 -- one\n;;").unwrap().list.len(), 2);
        let error = tokenize("select 1; select 2").unwrap_err();
        assert_eq!(error.message(), "line 1:9: only one statement at a time");
    }

    #[test]
    fn long_chains_and_deep_nesting_are_refused_before_parsing() {
        for sql in [
            format!("select 1{}", "+1".repeat(3_000)),
            format!("select {}1", "not ".repeat(3_000)),
            format!("select {}1", "- ".repeat(3_000)),
            format!("select {}1{}", "(".repeat(200), ")".repeat(200)),
            format!("select {}1", "case when ".repeat(200)),
            format!("select 1 {}", "union select 1 ".repeat(3_000)),
        ] {
            assert_eq!(
                tokenize(&sql).unwrap_err().code,
                ErrorCode::QueryRejected,
                "{}",
                &sql[..40]
            );
        }
    }

    #[test]
    fn quoted_identifiers_lose_their_case_but_it_is_remembered() {
        let tokens = tokenize("select \"User-Agent\"").unwrap();
        assert!(
            tokens.list[1].to_string().contains("user-agent"),
            "{}",
            tokens.list[1]
        );
        assert_eq!(tokens.written[&(1, 8)], "User-Agent");
    }
}
