//! Parameters: `?` and `:name` become the tokens of their values, so that nothing in a value is ever read as SQL.

use std::collections::BTreeMap;

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};
use serde_json::Value;

use super::tokens::{Tokens, at};
use crate::error::{ErrorCode, QueryError};

/// The values for a statement's parameters, as tokens.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters {
    /// For `?`, in order.
    pub(crate) ordered: Vec<Vec<TokenWithSpan>>,
    /// For `:name`.
    pub(crate) named: BTreeMap<String, Vec<TokenWithSpan>>,
}

impl Parameters {
    /// Those of a JSON request: a list for `?`, or an object for `:name`.
    pub(crate) fn from_json(value: &Value) -> Result<Self, QueryError> {
        let mut parameters = Self::default();
        match value {
            Value::Null => {}
            Value::Array(values) => {
                parameters.ordered = values.iter().map(literal).collect::<Result<_, _>>()?;
            }
            Value::Object(values) => {
                for (name, value) in values {
                    parameters
                        .named
                        .insert(name.to_lowercase(), literal(value)?);
                }
            }
            _ => return Err(wrong("params must be a list or an object")),
        }
        Ok(parameters)
    }
}

fn wrong(text: impl Into<String>) -> QueryError {
    QueryError::new(ErrorCode::InvalidParameterUsage, text)
}

fn token(token: Token) -> TokenWithSpan {
    TokenWithSpan::new(token, Span::empty())
}

fn keyword(word: &str, keyword: Keyword) -> TokenWithSpan {
    token(Token::Word(Word {
        value: word.to_owned(),
        quote_style: None,
        keyword,
    }))
}

fn literal(value: &Value) -> Result<Vec<TokenWithSpan>, QueryError> {
    Ok(match value {
        Value::Null => vec![keyword("NULL", Keyword::NULL)],
        Value::Bool(true) => vec![keyword("TRUE", Keyword::TRUE)],
        Value::Bool(false) => vec![keyword("FALSE", Keyword::FALSE)],
        Value::String(text) => vec![token(Token::SingleQuotedString(text.clone()))],
        Value::Number(number) => {
            let text = number.to_string();
            match text.strip_prefix('-') {
                Some(digits) => vec![
                    token(Token::Minus),
                    token(Token::Number(digits.to_owned(), false)),
                ],
                None => vec![token(Token::Number(text, false))],
            }
        }
        Value::Array(_) | Value::Object(_) => {
            return Err(wrong(
                "a parameter must be a string, a number, true, false or null",
            ));
        }
    })
}

/// Puts the values in their places. Each `?` needs a value and each value a `?`.
pub(crate) fn bind(tokens: Tokens, parameters: &Parameters) -> Result<Tokens, QueryError> {
    let mut values = parameters.ordered.iter();
    let mut list = Vec::with_capacity(tokens.list.len());
    let mut source = tokens.list.into_iter().peekable();
    let mut wanted = 0_usize;
    while let Some(next) = source.next() {
        let value = match &next.token {
            Token::Placeholder(text) if text == "?" => Some(values.next()),
            Token::Question => Some(values.next()),
            Token::Colon => match source.peek().map(|following| &following.token) {
                Some(Token::Word(word)) => {
                    let name = word.value.to_lowercase();
                    let value = parameters.named.get(&name);
                    if value.is_none() {
                        return Err(at(
                            wrong(format!("parameter :{name} has no value")),
                            next.span.start,
                        ));
                    }
                    source.next();
                    Some(value)
                }
                _ => None,
            },
            _ => None,
        };
        match value {
            None => list.push(next),
            Some(value) => {
                wanted += 1;
                let value = value.ok_or_else(|| {
                    let text = format!(
                        "Incorrect number of parameters: expected at least {wanted} but found {}",
                        parameters.ordered.len()
                    );
                    at(wrong(text), next.span.start)
                })?;
                // Its own parentheses: -1 and a + b stay one operand.
                let place = next.span;
                list.push(TokenWithSpan::new(Token::LParen, place));
                list.extend(
                    value
                        .iter()
                        .cloned()
                        .map(|token| TokenWithSpan::new(token.token, place)),
                );
                list.push(TokenWithSpan::new(Token::RParen, place));
            }
        }
    }
    if values.next().is_some() {
        let text = format!(
            "Incorrect number of parameters: expected {wanted} but found {}",
            parameters.ordered.len()
        );
        return Err(wrong(text));
    }
    Ok(Tokens {
        list,
        written: tokens.written,
    })
}

/// How many `?` a statement has.
pub(crate) fn count_placeholders(tokens: &Tokens) -> usize {
    let is_placeholder = |token: &&TokenWithSpan| match &token.token {
        Token::Placeholder(text) => text == "?",
        Token::Question => true,
        _ => false,
    };
    tokens.list.iter().filter(is_placeholder).count()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::tokens::tokenize;
    use super::{Parameters, bind};

    fn bound(sql: &str, params: serde_json::Value) -> Result<String, String> {
        let parameters = Parameters::from_json(&params).map_err(|error| error.message())?;
        let tokens = bind(tokenize(sql).unwrap(), &parameters).map_err(|error| error.message())?;
        Ok(tokens
            .list
            .iter()
            .map(|token| token.token.to_string())
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn values_are_literals_whatever_they_contain() {
        assert_eq!(
            bound("SELECT ?, ?", json!(["x' OR '1'='1", -5])).unwrap(),
            "SELECT ( 'x' OR '1'='1' ) , ( - 5 )"
        );
        assert_eq!(
            bound("SELECT :a, :A", json!({"a": null})).unwrap(),
            "SELECT ( NULL ) , ( NULL )"
        );
        assert_eq!(bound("SELECT '?'", json!([])).unwrap(), "SELECT '?'");
    }

    #[test]
    fn each_place_needs_a_value_and_each_value_a_place() {
        assert!(bound("SELECT ?", json!([])).is_err());
        assert!(bound("SELECT ?", json!([1, 2])).is_err());
        assert!(bound("SELECT :b", json!({"a": 1})).is_err());
        assert!(bound("SELECT ?", json!([[1]])).is_err());
    }
}
