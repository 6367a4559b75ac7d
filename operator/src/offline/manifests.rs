//! Manifests in files: read with the place of everything, given the API server's defaults, and checked as it would check them.

use gamepipe_domain::definition::document::GameDocument;
use gamepipe_domain::definition::placed::PlacedYaml;
use gamepipe_domain::definition::problem::{Problem, Problems};
use kube::core::ResourceExt;
use kube::core::cel::{Validator, apply_defaults};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::bounds::out_of_bounds;
use super::shape_of;
use crate::crd::status::Reason;
use crate::crd::{Game, GamePipeline};
use crate::stages::observed::{Observed, SecretFacts};
use crate::stages::validate::{GameVerdict, judge, secret_needs, validate};
use crate::stages::validated::{Finding, Platform, ValidatedPipeline};

/// The manifests of some files.
#[derive(Debug, Default)]
pub struct Manifests {
    /// The pipelines, in the order of the files.
    pub pipelines: Vec<Manifest>,
    /// The games.
    games: Vec<Game>,
    /// How many documents of other kinds were passed over.
    pub others: usize,
}

/// A pipeline and where it is written.
#[derive(Debug)]
pub struct Manifest {
    /// The resource, with defaults.
    pub pipeline: GamePipeline,
    yaml: PlacedYaml,
}

impl Manifests {
    /// Reads a file of one or more YAML documents. Documents of other kinds than ours are counted and passed over.
    ///
    /// # Errors
    /// Everything that is wrong with shape, bounds, rules and definitions, by file, line and path.
    pub fn read(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let mut problems = Vec::new();
        for document in documents(text) {
            if let Err(found) = self.document(file, &document) {
                problems.extend(found.0);
            }
        }
        if problems.is_empty() {
            return Ok(());
        }
        Err(Problems(problems))
    }

    /// Adds a definition that is no manifest among the files, such as a reference game.
    ///
    /// # Errors
    /// Never for a definition that was loaded.
    pub fn add_game(&mut self, document: &GameDocument) -> Result<(), serde_json::Error> {
        let value = serde_json::to_value(document)?;
        self.games.push(serde_json::from_value(value)?);
        Ok(())
    }

    /// The names of games that pipelines want and that are not here.
    pub fn missing_games(&self) -> Vec<&str> {
        let wanted = self
            .pipelines
            .iter()
            .map(|manifest| manifest.pipeline.spec.game.name.as_str());
        wanted.filter(|name| self.game(name).is_none()).collect()
    }

    /// The names of the games.
    pub fn games(&self) -> impl Iterator<Item = String> {
        self.games.iter().map(ResourceExt::name_any)
    }

    fn game(&self, name: &str) -> Option<&Game> {
        self.games.iter().find(|game| game.name_any() == name)
    }

    fn document(&mut self, file: &str, text: &str) -> Result<(), Problems> {
        let yaml = PlacedYaml::read(file, text, "the manifest")?;
        let value = yaml.json();
        let Some((strict, schema)) = value["kind"].as_str().and_then(shape_of) else {
            self.others += 1;
            return Ok(());
        };
        yaml.check_shape(&strict)?;
        let value = without_nulls(apply_defaults(&schema, &value));
        let bounds = out_of_bounds(&schema["properties"]["spec"], &value["spec"], "spec");
        let found: Vec<Problem> = bounds
            .into_iter()
            .map(|(path, message)| yaml.problem(&path, message))
            .collect();
        if !found.is_empty() {
            return Err(Problems(found));
        }
        check_rules(&yaml, &schema, &value)?;
        if value["kind"] == "Game" {
            let game: Game = typed(&yaml, value)?;
            if let GameVerdict::Invalid(finding) = judge(&game) {
                return Err(Problems(vec![yaml.problem("spec", finding.message)]));
            }
            self.games.push(game);
        } else {
            let pipeline = typed(&yaml, value)?;
            self.pipelines.push(Manifest { pipeline, yaml });
        }
        Ok(())
    }

    /// What build needs of a pipeline, in a namespace that has nothing of it yet. Secrets that it names are presumed to be there.
    ///
    /// # Errors
    /// What the operator would refuse, by file, line and path.
    pub fn plan(
        &self,
        manifest: &Manifest,
        platform: &Platform,
    ) -> Result<ValidatedPipeline, Problems> {
        let spec = &manifest.pipeline.spec;
        let observed = Observed {
            game: self.game(&spec.game.name).cloned(),
            secrets: presumed_secrets(spec),
            ..Observed::default()
        };
        let placed = |finding: &Finding| {
            let message = match finding.reason {
                Reason::GameNotFound => format!(
                    "there is no Game {:?} in these files: add its manifest (`gamepipe game render DIR`), or name its definition with --game",
                    spec.game.name
                ),
                _ => finding.message.clone(),
            };
            manifest.yaml.problem(&finding.path, message)
        };
        validate(&manifest.pipeline, &observed, platform)
            .map_err(|findings| Problems(findings.iter().map(placed).collect()))
    }
}

/// The Secrets that a spec names, as if they were there.
fn presumed_secrets(
    spec: &crate::crd::pipeline::GamePipelineSpec,
) -> std::collections::BTreeMap<String, SecretFacts> {
    let mut facts: std::collections::BTreeMap<String, SecretFacts> =
        std::collections::BTreeMap::new();
    for need in secret_needs(spec) {
        let keys = &mut facts.entry(need.name).or_default().keys;
        for key in need.required {
            keys.insert((*key).to_owned(), "presumed".to_owned());
        }
    }
    facts
}

fn check_rules(yaml: &PlacedYaml, schema: &Value, value: &Value) -> Result<(), Problems> {
    // An API server gives rules at the root only the name out of the metadata.
    let mut seen = value.clone();
    seen["metadata"] = json!({"name": value["metadata"]["name"]});
    Validator::new()
        .validate(schema, &seen, None)
        .map_err(|errors| {
            let problems = errors.into_vec().into_iter().map(|error| {
                let path = error.field_path.trim_start_matches('.').to_owned();
                yaml.problem(&path, error.message)
            });
            Problems(problems.collect())
        })
}

/// Anything that is still wrong is what a schema can't say.
fn typed<T: DeserializeOwned>(yaml: &PlacedYaml, value: Value) -> Result<T, Problems> {
    serde_path_to_error::deserialize(value).map_err(|error| {
        Problems(vec![
            yaml.problem(&error.path().to_string(), error.inner().to_string()),
        ])
    })
}

/// The API server drops nulls.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(_, field)| !field.is_null());
            Value::Object(
                kept.map(|(name, field)| (name, without_nulls(field)))
                    .collect(),
            )
        }
        other => other,
    }
}

/// The documents of a file, each with empty lines in the place of those before it, so that lines keep their numbers.
fn documents(text: &str) -> Vec<String> {
    let mut documents = Vec::new();
    let mut current = String::new();
    for (number, line) in text.lines().enumerate() {
        if line == "---" || line.starts_with("--- ") {
            documents.push(std::mem::take(&mut current));
            current = "\n".repeat(number + 1);
        } else {
            current.push_str(line);
            current.push('\n');
        }
    }
    documents.push(current);
    let says_something = |document: &String| {
        document
            .lines()
            .any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))
    };
    documents.retain(says_something);
    documents
}

#[cfg(test)]
mod tests {
    use super::documents;

    #[test]
    fn documents_keep_their_line_numbers() {
        let found = documents("a: 1\n---\n# nothing\n---\nb: 2\n");
        assert_eq!(found, ["a: 1\n", "\n\n\n\nb: 2\n"]);
    }
}
