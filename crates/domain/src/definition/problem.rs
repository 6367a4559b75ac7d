//! What is wrong with a definition, where, and what was expected.

use std::fmt;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, as it was named.
    pub file: String,
    /// Line from 1; 0 when the text has no such place.
    pub line: usize,
    /// Column from 1; 0 when the text has no such place.
    pub column: usize,
    /// The path in the document, such as `spec.actions.attack.cases[0].when`; empty for the whole document.
    pub path: String,
    /// What is wrong, what was expected and, where it can be guessed, what was meant.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}:{}: ", self.file, self.line, self.column)?;
        if !self.path.is_empty() {
            write!(out, "{}: ", self.path)?;
        }
        out.write_str(&self.message)
    }
}

/// Everything that is wrong with a definition, in the order of the text. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            if index > 0 {
                writeln!(out)?;
            }
            write!(out, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// One thing that is wrong, before its place in the text is known: what checks and the rules' compiler report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathProblem {
    /// The path in the document, such as `spec.actions.attack.cases[0].when`.
    pub path: String,
    /// What is wrong, what was expected and, where it can be guessed, what was meant.
    pub message: String,
}

impl PathProblem {
    /// A problem at `path`.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            message: message.into(),
        }
    }
}

/// The path of the field `name` of what is at `path`.
pub(crate) fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
