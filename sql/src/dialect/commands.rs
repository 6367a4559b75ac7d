//! What a statement is: a query, or one of the commands that Trino's clients send.

use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan};

use super::tokens::{Tokens, at};
use crate::error::{ErrorCode, QueryError};

mod cursor;

use cursor::Cursor;

/// A statement, recognised by its first words.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    /// Something to run.
    Query(Tokens),
    /// `EXPLAIN`.
    Explain { mode: ExplainMode, query: Tokens },
    /// `SHOW ..` and `DESCRIBE`.
    Show(Show),
    /// `USE [catalog.]schema`.
    Use {
        catalog: Option<String>,
        schema: String,
    },
    /// `SET SESSION name = value`; the value is as it was written, without quotes.
    SetSession { name: String, value: String },
    /// `RESET SESSION name`.
    ResetSession { name: String },
    /// `SET TIME ZONE`; `None` is `LOCAL`.
    SetTimeZone { zone: Option<String> },
    /// `PREPARE name FROM statement`.
    Prepare { name: String, statement: String },
    /// `EXECUTE name USING ..`: the arguments' tokens.
    Execute {
        name: String,
        arguments: Vec<Vec<TokenWithSpan>>,
    },
    /// `EXECUTE IMMEDIATE 'statement' USING ..`.
    ExecuteImmediate {
        statement: String,
        arguments: Vec<Vec<TokenWithSpan>>,
    },
    /// `DEALLOCATE PREPARE name`.
    Deallocate { name: String },
    /// `DESCRIBE INPUT name`.
    DescribeInput { name: String },
    /// `DESCRIBE OUTPUT name`.
    DescribeOutput { name: String },
    /// `START TRANSACTION`, `COMMIT`, `ROLLBACK`: nothing is written, so there is nothing to do.
    Transaction(Transaction),
    /// `CALL system.runtime.kill_query(..)`.
    KillQuery { id: String, message: Option<String> },
}

/// What `EXPLAIN` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExplainMode {
    /// The optimised logical plan.
    Logical,
    /// The physical plan.
    Physical,
    /// Whether it can be planned.
    Validate,
    /// The physical plan with what each step did.
    Analyze,
}

/// The words of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transaction {
    Start,
    Commit,
    Rollback,
}

/// A dotted name, last part first said by the statement.
pub(crate) type Name = Vec<String>;

/// What `SHOW` shows. `like` is a pattern with its escape character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Show {
    Catalogs {
        like: Option<Like>,
    },
    Schemas {
        catalog: Option<String>,
        like: Option<Like>,
    },
    Tables {
        schema: Name,
        like: Option<Like>,
    },
    Columns {
        table: Name,
        like: Option<Like>,
    },
    Functions {
        like: Option<Like>,
    },
    Session {
        like: Option<Like>,
    },
    CreateTable {
        table: Name,
    },
    Stats {
        table: Name,
    },
}

/// `LIKE pattern [ESCAPE escape]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Like {
    pub(crate) pattern: String,
    pub(crate) escape: Option<String>,
}

/// First words of statements that would change something. Their refusal is a matter of permission, not of syntax.
const WRITES: [&str; 22] = [
    "INSERT", "UPDATE", "DELETE", "MERGE", "CREATE", "DROP", "ALTER", "TRUNCATE", "COPY", "GRANT",
    "REVOKE", "DENY", "ANALYZE", "REFRESH", "COMMENT", "LOAD", "VACUUM", "ATTACH", "DETACH",
    "INSTALL", "UNLOAD", "OPTIMIZE",
];

/// Recognises a statement. `sql` is the text behind `tokens`.
pub(crate) fn recognise(sql: &str, tokens: Tokens) -> Result<Command, QueryError> {
    let mut cursor = Cursor::new(&tokens.list);
    let Some(first) = cursor.peek_word() else {
        return match tokens.list.first() {
            None => Err(QueryError::new(
                ErrorCode::SyntaxError,
                "the statement is empty",
            )),
            Some(token) if token.token == Token::LParen => Ok(Command::Query(tokens)),
            Some(token) => Err(unexpected(token)),
        };
    };
    match first.as_str() {
        "SELECT" | "WITH" | "VALUES" | "TABLE" => Ok(Command::Query(tokens)),
        "EXPLAIN" => explain(&tokens),
        "SHOW" => show(cursor).map(Command::Show),
        "DESCRIBE" | "DESC" => describe(cursor),
        "USE" => use_schema(cursor),
        "SET" | "RESET" => session(cursor),
        "PREPARE" => prepare(sql, cursor),
        "EXECUTE" => execute(cursor),
        "DEALLOCATE" => {
            cursor.words(&["DEALLOCATE", "PREPARE"])?;
            let name = cursor.identifier()?;
            cursor.end().map(|()| Command::Deallocate { name })
        }
        "START" | "COMMIT" | "ROLLBACK" => Ok(Command::Transaction(match first.as_str() {
            "START" => Transaction::Start,
            "COMMIT" => Transaction::Commit,
            _ => Transaction::Rollback,
        })),
        "CALL" => call(cursor),
        word if WRITES.contains(&word) => Err(QueryError::new(
            ErrorCode::PermissionDenied,
            format!("Access Denied: {word} is not allowed: this endpoint only reads"),
        )),
        _ => Err(tokens.list.first().map_or_else(
            || QueryError::new(ErrorCode::SyntaxError, "empty"),
            unexpected,
        )),
    }
}

fn unexpected(token: &TokenWithSpan) -> QueryError {
    let text = format!(
        "mismatched input '{}'. Expecting: a query, SHOW, DESCRIBE, EXPLAIN or USE",
        token.token
    );
    at(
        QueryError::new(ErrorCode::SyntaxError, text),
        token.span.start,
    )
}

fn explain(tokens: &Tokens) -> Result<Command, QueryError> {
    let mut cursor = Cursor::new(&tokens.list);
    cursor.words(&["EXPLAIN"])?;
    let mut mode = ExplainMode::Physical;
    if cursor.take_word("ANALYZE") {
        mode = ExplainMode::Analyze;
        cursor.take_word("VERBOSE");
    } else if cursor.take(&Token::LParen) {
        while !cursor.take(&Token::RParen) {
            match (cursor.any_word()?.as_str(), cursor.any_word()?.as_str()) {
                ("TYPE", "LOGICAL") => mode = ExplainMode::Logical,
                ("TYPE", "DISTRIBUTED") => mode = ExplainMode::Physical,
                ("TYPE", "VALIDATE") => mode = ExplainMode::Validate,
                ("FORMAT", "TEXT") => {}
                (option, value) => {
                    let text = format!("EXPLAIN ({option} {value}) is not supported");
                    return Err(QueryError::new(ErrorCode::NotSupported, text));
                }
            }
            cursor.take(&Token::Comma);
        }
    }
    let rest = cursor.rest().to_vec();
    let query = Tokens {
        list: rest,
        written: tokens.written.clone(),
    };
    // What may be explained is what may be run: anything else is refused as it would be alone.
    match recognise("", query)? {
        Command::Query(query) => Ok(Command::Explain { mode, query }),
        _ => Err(QueryError::new(
            ErrorCode::NotSupported,
            "EXPLAIN is for queries only",
        )),
    }
}

fn show(mut cursor: Cursor<'_>) -> Result<Show, QueryError> {
    cursor.words(&["SHOW"])?;
    let shown = match cursor.any_word()?.as_str() {
        "CATALOGS" => Show::Catalogs {
            like: cursor.like()?,
        },
        "SCHEMAS" => {
            let catalog = if cursor.take_from_or_in() {
                Some(cursor.identifier()?)
            } else {
                None
            };
            Show::Schemas {
                catalog,
                like: cursor.like()?,
            }
        }
        "TABLES" => {
            let schema = if cursor.take_from_or_in() {
                cursor.name()?
            } else {
                Vec::new()
            };
            Show::Tables {
                schema,
                like: cursor.like()?,
            }
        }
        "COLUMNS" => {
            if !cursor.take_from_or_in() {
                return Err(cursor.expected("FROM"));
            }
            Show::Columns {
                table: cursor.name()?,
                like: cursor.like()?,
            }
        }
        "FUNCTIONS" => {
            if cursor.take_from_or_in() {
                cursor.name()?;
            }
            Show::Functions {
                like: cursor.like()?,
            }
        }
        "SESSION" => Show::Session {
            like: cursor.like()?,
        },
        "CREATE" => {
            cursor.words(&["TABLE"])?;
            Show::CreateTable {
                table: cursor.name()?,
            }
        }
        "STATS" => {
            cursor.words(&["FOR"])?;
            Show::Stats {
                table: cursor.name()?,
            }
        }
        other => {
            return Err(QueryError::new(
                ErrorCode::NotSupported,
                format!("SHOW {other} is not supported"),
            ));
        }
    };
    cursor.end().map(|()| shown)
}

fn describe(mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    cursor.any_word()?;
    let command = if cursor.followed_by_name("INPUT") {
        cursor.words(&["INPUT"])?;
        Command::DescribeInput {
            name: cursor.identifier()?,
        }
    } else if cursor.followed_by_name("OUTPUT") {
        cursor.words(&["OUTPUT"])?;
        Command::DescribeOutput {
            name: cursor.identifier()?,
        }
    } else {
        Command::Show(Show::Columns {
            table: cursor.name()?,
            like: None,
        })
    };
    cursor.end().map(|()| command)
}

fn use_schema(mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    cursor.words(&["USE"])?;
    let mut parts = cursor.name()?;
    cursor.end()?;
    let schema = parts.pop().unwrap_or_default();
    let catalog = parts.pop();
    if !parts.is_empty() {
        return Err(QueryError::new(
            ErrorCode::SyntaxError,
            "USE takes a schema, or catalog.schema",
        ));
    }
    Ok(Command::Use { catalog, schema })
}

fn session(mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    let set = cursor.any_word()? == "SET";
    if set && cursor.take_word("TIME") {
        cursor.words(&["ZONE"])?;
        let zone = if cursor.take_word("LOCAL") {
            None
        } else {
            Some(cursor.string()?)
        };
        return cursor.end().map(|()| Command::SetTimeZone { zone });
    }
    if !cursor.take_word("SESSION") {
        return Err(QueryError::new(
            ErrorCode::NotSupported,
            "only SET SESSION, RESET SESSION and SET TIME ZONE",
        ));
    }
    let name = cursor.name()?.join(".");
    if !set {
        return cursor.end().map(|()| Command::ResetSession { name });
    }
    if !cursor.take(&Token::Eq) {
        return Err(cursor.expected("="));
    }
    let value = cursor.literal()?;
    cursor.end().map(|()| Command::SetSession { name, value })
}

fn prepare(sql: &str, mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    cursor.words(&["PREPARE"])?;
    let name = cursor.identifier()?;
    cursor.words(&["FROM"])?;
    let Some(first) = cursor.rest().first() else {
        return Err(cursor.expected("a statement"));
    };
    let statement = cursor::text_from(sql, first.span.start)
        .trim_end()
        .trim_end_matches(';')
        .to_owned();
    Ok(Command::Prepare { name, statement })
}

fn execute(mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    cursor.words(&["EXECUTE"])?;
    if cursor.take_word("IMMEDIATE") {
        let statement = cursor.string()?;
        return Ok(Command::ExecuteImmediate {
            statement,
            arguments: cursor.using()?,
        });
    }
    let name = cursor.identifier()?;
    Ok(Command::Execute {
        name,
        arguments: cursor.using()?,
    })
}

fn call(mut cursor: Cursor<'_>) -> Result<Command, QueryError> {
    cursor.words(&["CALL"])?;
    let procedure = cursor.name()?.join(".");
    if procedure != "system.runtime.kill_query" {
        let text = format!("Procedure not registered: {procedure}");
        return Err(QueryError::new(ErrorCode::NotFound, text));
    }
    let mut values = [None, None];
    cursor.expect(&Token::LParen)?;
    for place in 0.. {
        if cursor.take(&Token::RParen) {
            break;
        }
        let place = if cursor.followed_by(&Token::RArrow) {
            let name = cursor.identifier()?;
            cursor.expect(&Token::RArrow)?;
            usize::from(name == "message")
        } else {
            place
        };
        let value = cursor.string()?;
        if let Some(slot) = values.get_mut(place) {
            *slot = Some(value);
        }
        cursor.take(&Token::Comma);
    }
    cursor.end()?;
    let [id, message] = values;
    let id = id.ok_or_else(|| {
        QueryError::new(
            ErrorCode::InvalidParameterUsage,
            "kill_query needs query_id",
        )
    })?;
    Ok(Command::KillQuery { id, message })
}

#[cfg(test)]
mod tests;
