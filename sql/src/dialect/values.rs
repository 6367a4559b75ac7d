//! `VALUES 1, 2` and `TABLE t`, which the parser does not read: as `VALUES (1), (2)` and `SELECT * FROM t`.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// Rewrites both forms on the list of tokens.
pub(super) fn spell_out(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some((token, behind)) = rest.split_first() {
        rest = behind;
        match keyword(token) {
            Some(Keyword::TABLE)
                if starts_query(out.last()) && behind.first().is_some_and(is_word) =>
            {
                for (text, word) in [
                    ("SELECT", Keyword::SELECT),
                    ("", Keyword::NoKeyword),
                    ("FROM", Keyword::FROM),
                ] {
                    let spelled = match word {
                        Keyword::NoKeyword => Token::Mul,
                        keyword => Token::Word(Word {
                            value: text.to_owned(),
                            quote_style: None,
                            keyword,
                        }),
                    };
                    out.push(TokenWithSpan::new(spelled, token.span));
                }
            }
            Some(Keyword::VALUES)
                if behind
                    .first()
                    .is_some_and(|next| next.token != Token::LParen) =>
            {
                out.push(token.clone());
                rest = parenthesise(behind, &mut out);
            }
            _ => out.push(token.clone()),
        }
    }
    out
}

/// Puts each item of a list into parentheses; returns what comes behind the list.
fn parenthesise<'a>(
    list: &'a [TokenWithSpan],
    out: &mut Vec<TokenWithSpan>,
) -> &'a [TokenWithSpan] {
    let mut depth = 0_usize;
    let mut open = false;
    for (index, token) in list.iter().enumerate() {
        let at_top = depth == 0;
        if at_top && (token.token == Token::RParen || ends_list(token)) {
            if open {
                out.push(TokenWithSpan::new(Token::RParen, token.span));
            }
            return list.get(index..).unwrap_or_default();
        }
        if at_top && token.token == Token::Comma {
            out.push(TokenWithSpan::new(Token::RParen, token.span));
            out.push(token.clone());
            open = false;
            continue;
        }
        if !open {
            out.push(TokenWithSpan::new(Token::LParen, token.span));
            open = true;
        }
        match token.token {
            Token::LParen | Token::LBracket => depth += 1,
            Token::RParen | Token::RBracket => depth = depth.saturating_sub(1),
            _ => {}
        }
        out.push(token.clone());
    }
    if let (true, Some(last)) = (open, list.last()) {
        out.push(TokenWithSpan::new(Token::RParen, last.span));
    }
    &[]
}

fn keyword(token: &TokenWithSpan) -> Option<Keyword> {
    match &token.token {
        Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
        _ => None,
    }
}

fn is_word(token: &TokenWithSpan) -> bool {
    matches!(token.token, Token::Word(_))
}

/// A query can begin behind this token.
fn starts_query(previous: Option<&TokenWithSpan>) -> bool {
    previous.is_none_or(|token| {
        token.token == Token::LParen
            || matches!(
                keyword(token),
                Some(Keyword::UNION | Keyword::ALL | Keyword::EXCEPT | Keyword::INTERSECT)
            )
    })
}

fn ends_list(token: &TokenWithSpan) -> bool {
    matches!(
        keyword(token),
        Some(
            Keyword::ORDER
                | Keyword::LIMIT
                | Keyword::OFFSET
                | Keyword::FETCH
                | Keyword::UNION
                | Keyword::EXCEPT
                | Keyword::INTERSECT
        )
    )
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokenize;
    use super::spell_out;

    fn spelled(sql: &str) -> String {
        let tokens = spell_out(tokenize(sql).unwrap().list);
        tokens
            .iter()
            .map(|token| token.token.to_string())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn bare_values_get_parentheses() {
        assert_eq!(
            spelled("values 1, f(2, 3) order by 1"),
            "values ( 1 ) , ( f ( 2 , 3 ) ) order by 1"
        );
        assert_eq!(
            spelled("select * from (values 1, 2) t(x)"),
            "select * from ( values ( 1 ) , ( 2 ) ) t ( x )"
        );
        assert_eq!(spelled("values (1), (2)"), "values ( 1 ) , ( 2 )");
    }

    #[test]
    fn a_table_is_selected_from() {
        assert_eq!(spelled("table t limit 1"), "SELECT * FROM t limit 1");
        assert_eq!(
            spelled("select \"table\" from t"),
            "select \"table\" from t"
        );
    }
}
