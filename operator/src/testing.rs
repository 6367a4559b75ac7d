//! What the crate's tests share: the samples, the reference games as resources, and spelling changes of a spec.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use gamepipe_domain::definition::Game as Definition;
use kube::core::cel::apply_defaults;
use serde_json::{Value, json};

use crate::crd::{Game, GamePipeline, crds, schema_of};
use crate::stages::observed::{Observed, SecretFacts};
use crate::stages::validate::{secret_needs, validate};
use crate::stages::validated::{Platform, ValidatedPipeline};

/// The samples by name, as they are in the repository.
pub(crate) const SAMPLES: [(&str, &str); 4] = [
    (
        "smallest",
        include_str!("../../manifests/samples/smallest.yaml"),
    ),
    (
        "bucket",
        include_str!("../../manifests/samples/bucket.yaml"),
    ),
    (
        "external",
        include_str!("../../manifests/samples/external.yaml"),
    ),
    (
        "production",
        include_str!("../../manifests/samples/production.yaml"),
    ),
];

/// The schema of GamePipelines as it is served.
pub(crate) fn schema() -> Value {
    static SCHEMA: LazyLock<Value> = LazyLock::new(|| schema_of(&crds()[1]));
    SCHEMA.clone()
}

/// A sample as JSON, without defaults.
pub(crate) fn sample(name: &str) -> Value {
    let (_, text) = SAMPLES
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a sample");
    let placed = gamepipe_domain::definition::placed::PlacedYaml::read(name, text, "the sample");
    placed
        .unwrap_or_else(|problems| panic!("{problems}"))
        .json()
}

/// The manifest as the API server stores it.
pub(crate) fn stored(manifest: &Value) -> GamePipeline {
    let mut manifest = apply_defaults(&schema(), manifest);
    manifest["metadata"]["namespace"] = json!("games");
    manifest["metadata"]["uid"] = json!("00000000-0000-4000-8000-000000000001");
    serde_json::from_value(manifest).unwrap_or_else(|error| panic!("{error}"))
}

/// A reference game as a resource.
pub(crate) fn game(name: &str) -> Game {
    static GAMES: LazyLock<BTreeMap<&str, Game>> = LazyLock::new(|| {
        let names = ["arena", "quest", "guild", "market", "trade"];
        names.into_iter().map(|name| (name, load(name))).collect()
    });
    GAMES.get(name).expect("a reference game").clone()
}

fn load(name: &str) -> Game {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../games")
        .join(name);
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    let text = read("game.yaml").expect("the game's file");
    let definition =
        Definition::load(name, &text, &read).unwrap_or_else(|problems| panic!("{problems}"));
    let document = serde_json::to_value(definition.document()).expect("a document");
    serde_json::from_value(document).expect("a resource")
}

/// A namespace with the game and every Secret that the spec names, and nothing else.
pub(crate) fn observed(pipeline: &GamePipeline) -> Observed {
    let mut observed = Observed {
        game: Some(game(&pipeline.spec.game.name)),
        ..Observed::default()
    };
    for need in secret_needs(&pipeline.spec) {
        let facts: &mut SecretFacts = observed.secrets.entry(need.name).or_default();
        for key in need.required {
            facts
                .keys
                .insert((*key).to_owned(), format!("hash of {key}"));
        }
    }
    observed
}

/// The plan of a manifest in such a namespace.
pub(crate) fn planned(manifest: &Value) -> ValidatedPipeline {
    let pipeline = stored(manifest);
    validate(&pipeline, &observed(&pipeline), &Platform::default())
        .unwrap_or_else(|findings| panic!("{findings:#?}"))
}

/// The manifest with the value at a path such as `spec.kafka.managed.brokers` set, or taken out when it is null.
pub(crate) fn with(manifest: &Value, path: &str, value: Value) -> Value {
    let mut changed = manifest.clone();
    let (parents, name) = path.rsplit_once('.').unwrap_or(("", path));
    let mut place = &mut changed;
    for parent in parents.split('.') {
        if !place[parent].is_object() {
            place[parent] = json!({});
        }
        place = &mut place[parent];
    }
    if let Some(fields) = place.as_object_mut() {
        if value.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), value);
        }
    }
    changed
}
