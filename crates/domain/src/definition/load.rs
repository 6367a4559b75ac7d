//! From text to a game, in stages: tree, shape, document, checks, rules. Each stage reports all that it finds.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde_json::Value;

use super::check::{self, Report};
use super::document::GameDocument;
use super::game::{Action, Game};
use super::placed::PlacedYaml;
use super::problem::Problems;
use crate::rules::compile::{compile_action, compile_simulation};
use crate::rules::simulation::CompiledSimulation;

static SCHEMA: LazyLock<Value> = LazyLock::new(super::schema::json_schema);

/// Reads, checks and compiles a definition.
pub(super) fn load(
    file: &str,
    text: &str,
    read_file: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Game, Problems> {
    let yaml = PlacedYaml::read(file, text, "the definition")?;
    yaml.check_shape(&SCHEMA)?;
    let mut document = deserialize(&yaml)?;
    let mut report = Report::default();
    check::check_document(&document, &mut report);
    check::inline_files(&mut document, read_file, &mut report);
    let tables = check::check_tables(&document, &mut report);
    let actions = compile_actions(&document, &mut report);
    let simulation = compile_play(&document, &mut report);
    if report.problems.is_empty() {
        return Ok(Game::new(document, tables, actions, simulation));
    }
    let found = report.problems.into_iter();
    Err(yaml.problems(found.map(|problem| (problem.path, problem.message))))
}

/// Reads another YAML file of gamepipe's, such as settings, as strictly as a definition: what does not have the shape of
/// `schema` (JSON Schema, a root with `$defs`) is told with its place and near names. Gives the file's JSON.
pub fn read_yaml(file: &str, text: &str, schema: &Value) -> Result<Value, Problems> {
    let yaml = PlacedYaml::read(file, text, "the file")?;
    yaml.check_shape(schema)?;
    Ok(yaml.json())
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
fn deserialize(yaml: &PlacedYaml) -> Result<GameDocument, Problems> {
    serde_path_to_error::deserialize(yaml.json()).map_err(|error| {
        let path = error.path().to_string();
        Problems(vec![yaml.problem(&path, error.inner().to_string())])
    })
}
