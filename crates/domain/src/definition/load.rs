//! From text to a game, in stages: tree, shape, document, checks, rules. Each stage reports all that it finds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::check::{self, Report};
use super::document::GameDocument;
use super::game::{Action, Game};
use super::problem::{PathProblem, Problem, Problems};
use super::shape::check_shape;
use super::yaml::{self, Node, PlacedProblem};
use crate::rules::compile::{compile_action, compile_simulation};
use crate::rules::simulation::CompiledSimulation;

/// More problems than this are not read by anyone; the rest shows when these are solved.
const MAX_PROBLEMS: usize = 100;

static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema::json_schema);

/// Reads, checks and compiles a definition.
pub(super) fn load(
    file: &str,
    text: &str,
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Game, Problems> {
    let tree = yaml::parse(text).map_err(|found| problems(file, found))?;
    let misshapen = check_shape(&SCHEMA, &tree);
    if !misshapen.is_empty() {
        return Err(problems(file, misshapen));
    }
    let mut document = deserialize(&tree).map_err(|found| problems(file, vec![found]))?;
    let mut report = Report::default();
    check::check_document(&document, &mut report);
    check::inline_files(&mut document, read_file, &mut report);
    let tables = check::check_tables(&document, &mut report);
    let actions = compile_actions(&document, &mut report);
    let simulation = compile_play(&document, &mut report);
    if report.problems.is_empty() {
        return Ok(Game::new(document, tables, actions, simulation));
    }
    Err(problems(file, place(&tree, report.problems)))
}

/// Reads another YAML file of gamepipe's, such as settings, as strictly as a definition: what does not have the shape of
/// `schema` (JSON Schema, a root with `$defs`) is told with its place and near names. Gives the file's JSON.
pub fn read_yaml(file: &str, text: &str, schema: &Value) -> Result<Value, Problems> {
    let tree = yaml::parse(text).map_err(|found| problems(file, found))?;
    let misshapen = check_shape(schema, &tree);
    if misshapen.is_empty() {
        Ok(tree.to_json())
    } else {
        Err(problems(file, misshapen))
    }
}

/// The JSON of a YAML text that lies beside a definition, such as its cases: read by the same rules as the definition.
/// Its shape is not checked. An error names line, column and what is wrong.
pub fn read_plain_yaml(text: &str) -> Result<serde_json::Value, String> {
    yaml::parse(text)
        .map(|tree| tree.to_json())
        .map_err(|problems| {
            let lines: Vec<String> = problems
                .iter()
                .map(|problem| {
                    format!(
                        "{}:{}: {}",
                        problem.place.line, problem.place.column, problem.message
                    )
                })
                .collect();
            lines.join("\n")
        })
}

fn compile_actions(document: &GameDocument, report: &mut Report) -> BTreeMap<String, Action> {
    let spec = &document.spec;
    let mut actions = BTreeMap::new();
    for (name, action) in &spec.actions {
        if !report.is_clean(&format!("spec.actions.{name}.entities")) {
            // Every rule that uses an entity of a wrong type would be wrong, too.
            continue;
        }
        match compile_action(spec, name) {
            Ok(rules) => drop(actions.insert(name.clone(), Action::new(name, action, rules))),
            Err(problems) => report.add_consequences(problems),
        }
    }
    actions
}

fn compile_play(document: &GameDocument, report: &mut Report) -> Option<CompiledSimulation> {
    compile_simulation(&document.spec).unwrap_or_else(|problems| {
        report.add_consequences(problems);
        None
    })
}

/// The shape is right by now, so an error here is one that JSON Schema can't express.
fn deserialize(tree: &Node) -> Result<GameDocument, PlacedProblem> {
    serde_path_to_error::deserialize(tree.to_json()).map_err(|error| {
        let path = error.path().to_string();
        PlacedProblem {
            place: tree.place_of(&path),
            path,
            message: error.inner().to_string(),
        }
    })
}

fn place(tree: &Node, found: Vec<PathProblem>) -> Vec<PlacedProblem> {
    found
        .into_iter()
        .map(|problem| PlacedProblem {
            place: tree.place_of(&problem.path),
            path: problem.path,
            message: problem.message,
        })
        .collect()
}

fn problems(file: &str, mut found: Vec<PlacedProblem>) -> Problems {
    found.sort_by_key(|problem| problem.place);
    found.truncate(MAX_PROBLEMS);
    Problems(
        found
            .into_iter()
            .map(|problem| Problem {
                file: file.to_owned(),
                line: problem.place.line,
                column: problem.place.column,
                path: problem.path,
                message: problem.message,
            })
            .collect(),
    )
}
