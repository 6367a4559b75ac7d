//! A YAML file of gamepipe's whose values keep their places, so that what is wrong with one is told with line and column.

use serde_json::Value;

use super::problem::{Problem, Problems};
use super::shape::check_shape;
use super::yaml::{self, Node, PlacedProblem};

/// More problems than this are not read by anyone; the rest shows when these are solved.
const MAX_PROBLEMS: usize = 100;

/// A YAML text, read by the rules of definitions.
#[derive(Debug, Clone)]
pub struct PlacedYaml {
    file: String,
    pub(super) tree: Node,
}

impl PlacedYaml {
    /// Reads `text`. `file` names it in problems; `what` is what it is, such as `the definition`.
    ///
    /// # Errors
    /// Everything that is not YAML, or YAML that would have to be guessed at.
    pub fn read(file: &str, text: &str, what: &str) -> Result<Self, Problems> {
        match yaml::parse(text, what) {
            Ok(tree) => Ok(Self {
                file: file.to_owned(),
                tree,
            }),
            Err(found) => Err(in_file(file, found)),
        }
    }

    /// Compares the text with `schema`: JSON Schema, a root with `$defs`.
    ///
    /// # Errors
    /// Everything in which it differs.
    pub fn check_shape(&self, schema: &Value) -> Result<(), Problems> {
        match check_shape(schema, &self.tree) {
            misshapen if misshapen.is_empty() => Ok(()),
            misshapen => Err(in_file(&self.file, misshapen)),
        }
    }

    /// The value without its places.
    pub fn json(&self) -> Value {
        self.tree.to_json()
    }

    /// Line and column of what is at `path`, both from 1; 0 when the text has no such place.
    pub fn place(&self, path: &str) -> (usize, usize) {
        let place = self.tree.place_of(path);
        (place.line, place.column)
    }

    /// A problem with what is at `path`.
    pub fn problem(&self, path: &str, message: impl Into<String>) -> Problem {
        let (line, column) = self.place(path);
        Problem {
            file: self.file.clone(),
            line,
            column,
            path: path.to_owned(),
            message: message.into(),
        }
    }

    /// The problems, each with its place, in the order of the text.
    pub(super) fn problems(&self, found: impl IntoIterator<Item = (String, String)>) -> Problems {
        let placed = found.into_iter().map(|(path, message)| PlacedProblem {
            place: self.tree.place_of(&path),
            path,
            message,
        });
        in_file(&self.file, placed.collect())
    }
}

fn in_file(file: &str, mut found: Vec<PlacedProblem>) -> Problems {
    found.sort_by_key(|problem| problem.place);
    found.truncate(MAX_PROBLEMS);
    let problems = found.into_iter().map(|problem| Problem {
        file: file.to_owned(),
        line: problem.place.line,
        column: problem.place.column,
        path: problem.path,
        message: problem.message,
    });
    Problems(problems.collect())
}
