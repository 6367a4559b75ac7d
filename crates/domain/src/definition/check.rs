//! The second check of a definition: does what it says make sense? Everything but the rules themselves, which the
//! rules' compiler checks.

mod actions;
mod entities;
mod events;
mod game;
mod names;
mod queries;
mod routes;
mod simulation;
mod tables;
mod values;

use std::collections::BTreeMap;

use super::document::GameDocument;
use super::game::Table;
use super::problem::PathProblem;

pub(super) use queries::{inline_files, one_statement};

/// Whole numbers up to this one (2^53) are exact as 64-bit floats; bounds of integers stay within it.
pub(super) const EXACT_INTEGER: f64 = 9_007_199_254_740_992.0;

/// What has been found so far.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<PathProblem>,
}

impl Report {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(PathProblem::new(path, message));
    }

    /// Adds what the rules' compiler found, unless a check has spoken of the same place: it knows better what was meant.
    /// A catalog's problem comes with every action that uses it, and is told once.
    pub(super) fn add_consequences(&mut self, found: Vec<PathProblem>) {
        for problem in found {
            if self.is_clean(&problem.path) {
                self.problems.push(problem);
            }
        }
    }

    /// True when nothing is wrong at `path` or inside it.
    pub(super) fn is_clean(&self, path: &str) -> bool {
        !self.problems.iter().any(|problem| {
            problem
                .path
                .strip_prefix(path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }
}

/// Checks all that is not about files, tables or rules.
pub(super) fn check_document(document: &GameDocument, report: &mut Report) {
    let spec = &document.spec;
    game::check(document, report);
    entities::check(spec, report);
    events::check(spec, report);
    actions::check(spec, report);
    routes::check(spec, report);
    queries::check(spec, report);
    simulation::check(spec, report);
}

/// The names of a map, for "did you mean".
fn keys<T>(map: &BTreeMap<String, T>) -> impl Iterator<Item = &str> {
    map.keys().map(String::as_str)
}

/// Compiled tables, or problems in the report.
pub(super) fn check_tables(document: &GameDocument, report: &mut Report) -> Vec<Table> {
    tables::compile(&document.spec, report)
}
