//! Why a query failed: Trino's code, a text for people, and where in the SQL.

mod code;
pub(crate) mod from_datafusion;

pub(crate) use code::ErrorCode;

use std::fmt;

/// A place in the SQL text, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: u64,
    /// The column, in characters.
    pub(crate) column: u64,
}

/// A failed query. Its text never names files or settings of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QueryError {
    /// Which kind.
    pub(crate) code: ErrorCode,
    /// What is wrong, without the position.
    pub(crate) detail: String,
    /// Where, when known.
    pub(crate) position: Option<Position>,
}

impl QueryError {
    /// An error without a place in the text.
    pub(crate) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
            position: None,
        }
    }

    /// The same at a place.
    #[must_use]
    pub(crate) fn at(mut self, line: u64, column: u64) -> Self {
        self.position = (line > 0).then_some(Position { line, column });
        self
    }

    /// The text as Trino words it: `line 1:8: Column 'x' cannot be resolved`.
    pub(crate) fn message(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(at) => write!(out, "line {}:{}: {}", at.line, at.column, self.detail),
            None => out.write_str(&self.detail),
        }
    }
}

impl std::error::Error for QueryError {}

/// Why the endpoint can't be started or has stopped.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The query threads can't be started.
    #[error("can't start the query threads: {0}")]
    Runtime(std::io::Error),
    /// The query engine refuses its settings.
    #[error("can't build the query engine: {0}")]
    Engine(String),
    /// The socket failed.
    #[error("the SQL endpoint stopped: {0}")]
    Serve(std::io::Error),
}
