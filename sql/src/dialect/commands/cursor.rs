//! A place in a list of tokens.

use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan};

use super::super::tokens::at;
use super::{Like, Name};
use crate::error::{ErrorCode, QueryError};

/// Reads tokens one after another.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    tokens: &'a [TokenWithSpan],
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(tokens: &'a [TokenWithSpan]) -> Self {
        Self { tokens, next: 0 }
    }

    fn peek(&self) -> Option<&'a TokenWithSpan> {
        self.tokens.get(self.next)
    }

    /// What has not been read.
    pub(super) fn rest(&self) -> &'a [TokenWithSpan] {
        self.tokens.get(self.next..).unwrap_or_default()
    }

    /// The next token as an unquoted word in upper case.
    pub(super) fn peek_word(&self) -> Option<String> {
        word_of(self.peek()?)
    }

    pub(super) fn any_word(&mut self) -> Result<String, QueryError> {
        let word = self.peek_word().ok_or_else(|| self.expected("a word"))?;
        self.next += 1;
        Ok(word)
    }

    pub(super) fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek_word().is_some_and(|next| next == word);
        self.next += usize::from(found);
        found
    }

    pub(super) fn words(&mut self, words: &[&str]) -> Result<(), QueryError> {
        words.iter().try_for_each(|word| {
            if self.take_word(word) {
                Ok(())
            } else {
                Err(self.expected(word))
            }
        })
    }

    pub(super) fn take(&mut self, token: &Token) -> bool {
        let found = self.peek().is_some_and(|next| next.token == *token);
        self.next += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, token: &Token) -> Result<(), QueryError> {
        if self.take(token) {
            Ok(())
        } else {
            Err(self.expected(&token.to_string()))
        }
    }

    /// True when the token after the next one is `token`.
    pub(super) fn followed_by(&self, token: &Token) -> bool {
        self.tokens
            .get(self.next + 1)
            .is_some_and(|next| next.token == *token)
    }

    /// True for `word` and one more word behind it: `INPUT name`, and not a table called `input`.
    pub(super) fn followed_by_name(&self, word: &str) -> bool {
        self.peek_word().is_some_and(|next| next == word)
            && matches!(
                self.tokens.get(self.next + 1),
                Some(TokenWithSpan {
                    token: Token::Word(_),
                    ..
                })
            )
    }

    pub(super) fn take_from_or_in(&mut self) -> bool {
        self.take_word("FROM") || self.take_word("IN")
    }

    /// One identifier, in lower case.
    pub(super) fn identifier(&mut self) -> Result<String, QueryError> {
        match self.peek().map(|token| &token.token) {
            Some(Token::Word(word)) => {
                self.next += 1;
                Ok(word.value.to_lowercase())
            }
            _ => Err(self.expected("an identifier")),
        }
    }

    /// A dotted name.
    pub(super) fn name(&mut self) -> Result<Name, QueryError> {
        let mut parts = vec![self.identifier()?];
        while self.take(&Token::Period) {
            parts.push(self.identifier()?);
        }
        Ok(parts)
    }

    pub(super) fn string(&mut self) -> Result<String, QueryError> {
        match self.peek().map(|token| &token.token) {
            Some(Token::SingleQuotedString(text)) => {
                self.next += 1;
                Ok(text.clone())
            }
            _ => Err(self.expected("a string")),
        }
    }

    /// A literal as text: a string without its quotes, a number, `true`.
    pub(super) fn literal(&mut self) -> Result<String, QueryError> {
        let negative = self.take(&Token::Minus);
        let text = match self.peek().map(|token| &token.token) {
            Some(Token::SingleQuotedString(text)) if !negative => text.clone(),
            Some(Token::Number(digits, _)) => digits.clone(),
            Some(Token::Word(word)) if !negative => word.value.clone(),
            _ => return Err(self.expected("a literal")),
        };
        self.next += 1;
        Ok(if negative { format!("-{text}") } else { text })
    }

    pub(super) fn like(&mut self) -> Result<Option<Like>, QueryError> {
        if !self.take_word("LIKE") {
            return Ok(None);
        }
        let pattern = self.string()?;
        let escape = if self.take_word("ESCAPE") {
            Some(self.string()?)
        } else {
            None
        };
        Ok(Some(Like { pattern, escape }))
    }

    /// `USING a, b`: each argument's tokens.
    pub(super) fn using(&mut self) -> Result<Vec<Vec<TokenWithSpan>>, QueryError> {
        if self.peek().is_none() {
            return Ok(Vec::new());
        }
        self.words(&["USING"])?;
        let mut arguments = vec![Vec::new()];
        let mut depth = 0_i32;
        for token in self.rest() {
            match token.token {
                Token::LParen | Token::LBracket => depth += 1,
                Token::RParen | Token::RBracket => depth -= 1,
                _ => {}
            }
            if token.token == Token::Comma && depth == 0 {
                arguments.push(Vec::new());
            } else if let Some(last) = arguments.last_mut() {
                last.push(token.clone());
            }
        }
        self.next = self.tokens.len();
        if arguments.iter().any(Vec::is_empty) {
            return Err(self.expected("an expression"));
        }
        Ok(arguments)
    }

    pub(super) fn end(&self) -> Result<(), QueryError> {
        match self.peek() {
            None => Ok(()),
            Some(token) => {
                let text = format!("mismatched input '{}'", token.token);
                Err(at(
                    QueryError::new(ErrorCode::SyntaxError, text),
                    token.span.start,
                ))
            }
        }
    }

    pub(super) fn expected(&self, what: &str) -> QueryError {
        match self.peek() {
            Some(token) => {
                let text = format!("mismatched input '{}'. Expecting: {what}", token.token);
                at(
                    QueryError::new(ErrorCode::SyntaxError, text),
                    token.span.start,
                )
            }
            None => {
                let end = self
                    .tokens
                    .last()
                    .map(|token| token.span.end)
                    .unwrap_or(Location::empty());
                let text = format!("mismatched input '<EOF>'. Expecting: {what}");
                at(QueryError::new(ErrorCode::SyntaxError, text), end)
            }
        }
    }
}

fn word_of(token: &TokenWithSpan) -> Option<String> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_uppercase()),
        _ => None,
    }
}

/// The text from a place on.
pub(super) fn text_from(sql: &str, place: Location) -> &str {
    let (mut line, mut column) = (1, 1);
    for (offset, letter) in sql.char_indices() {
        if (line, column) == (place.line, place.column) {
            return sql.get(offset..).unwrap_or_default();
        }
        if letter == '\n' {
            (line, column) = (line + 1, 1);
        } else {
            column += 1;
        }
    }
    ""
}
