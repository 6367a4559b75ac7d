//! Tests of the commands that need no cluster.

use std::path::Path;

use gamepipe_domain::definition::problem::Problems;
use serde_json::Value;

use super::{Manifests, RESOURCES, crd, reference, render, schema};
use crate::stages::validated::Platform;
use crate::testing::{SAMPLES, game};

fn arena() -> String {
    serde_json::to_string(&game("arena")).expect("JSON")
}

/// What is wrong with a pipeline of the game arena, a line each.
fn problems(text: &str) -> Vec<String> {
    let mut manifests = Manifests::default();
    manifests
        .read("arena.json", &arena())
        .unwrap_or_else(|problems| panic!("{problems}"));
    let found = manifests.read("p.yaml", text).and_then(|()| {
        manifests
            .pipelines
            .iter()
            .try_for_each(|manifest| manifests.plan(manifest, &Platform::default()).map(drop))
    });
    let lines = |problems: Problems| problems.to_string().lines().map(str::to_owned).collect();
    found.map_or_else(lines, |()| Vec::new())
}

/// The smallest sample with something in it replaced.
fn smallest(from: &str, to: &str) -> String {
    let text = SAMPLES[0].1;
    assert!(text.contains(from), "{from}");
    text.replace(from, to)
}

#[test]
fn every_sample_is_taken() {
    for (name, text) in SAMPLES {
        assert_eq!(problems(text), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn what_is_wrong_is_told_by_line_and_path_with_what_to_write_instead() {
    let cases = [
        smallest("brokers: 1", "broker: 1"),
        smallest("brokers: 1", "brokers: many"),
        smallest("brokers: 1", "brokers: 0"),
        smallest("replicationFactor: 1", "replicationFactor: 3"),
        smallest("size: 5Gi", "size: 5 GB"),
        smallest("accessMode: ReadWriteOnce", "accessMode: ReadOnce"),
        smallest("name: arena\nspec", "name: Arena\nspec"),
        smallest("game: {name: arena}", "game: {name: areena}"),
        smallest("api: {replicas: 1}", "image: Gamepipe:1"),
        smallest("api: {replicas: 1}", "settings: {api: {maxInFlight: lots}}"),
        smallest("api: {replicas: 1}", "settings: {api: {maxInflight: 5}}"),
        smallest("v1alpha1", "v1"),
        smallest(
            "      storage: {size: 5Gi}\n",
            "      storage: {size: 5Gi}\n      config: {node.id: '3', log.x: \"a\\nb\"}\n",
        ),
    ];
    let told: Vec<String> = cases.iter().map(|text| problems(text).join("\n")).collect();
    assert!(
        told.iter().all(|told| told.starts_with("p.yaml:")),
        "{told:#?}"
    );
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn documents_of_other_kinds_are_passed_over_and_counted() {
    let mut manifests = Manifests::default();
    let text = format!(
        "apiVersion: v1\nkind: Secret\nmetadata: {{name: x}}\n---\n{}",
        SAMPLES[0].1
    );
    manifests
        .read("p.yaml", &text)
        .unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!((manifests.pipelines.len(), manifests.others), (1, 1));
    assert_eq!(manifests.missing_games(), ["arena"]);
}

#[test]
fn a_game_that_does_not_load_is_told_as_game_check_tells_it() {
    let mut manifests = Manifests::default();
    let broken = arena().replace("player.health > 0", "player.helth > 0");
    let told = manifests
        .read("arena.json", &broken)
        .expect_err("a field that is not there")
        .to_string();
    assert!(
        told.contains("helth") && told.contains("spec.actions."),
        "{told}"
    );
}

#[test]
fn rendering_gives_documents_that_can_be_applied_and_no_secret_value() {
    let mut manifests = Manifests::default();
    manifests
        .read("arena.json", &arena())
        .unwrap_or_else(|problems| panic!("{problems}"));
    manifests
        .read("p.yaml", SAMPLES[0].1)
        .unwrap_or_else(|problems| panic!("{problems}"));
    let plan = manifests.plan(&manifests.pipelines[0], &Platform::default());
    let text = render(&plan.unwrap_or_else(|problems| panic!("{problems}")));
    let documents: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    assert!(documents.len() > 20, "{}", documents.len());
    for document in &documents {
        assert!(
            document["kind"].is_string() && document["metadata"]["name"].is_string(),
            "{document}"
        );
        assert!(
            document["kind"] != "Secret"
                || (document["data"].is_null() && document["stringData"].is_null())
        );
    }
}

#[test]
fn definitions_schema_and_reference_say_the_same_of_a_field() {
    let page = reference();
    assert!(page.contains("### spec.kafka.managed\n"), "{page}");
    assert!(page.contains("| `partitions` | integer | `12` |"), "{page}");
    assert!(crd(Some("games")).contains("kind: Game\n"));
    assert!(!crd(Some("games")).contains("GamePipeline"));
    assert_eq!(
        schema().pointer(
            "/properties/spec/properties/kafka/properties/topic/properties/partitions/default"
        ),
        Some(&12.into())
    );
}

#[test]
fn committed_files_say_what_the_code_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![("docs/reference/resources.md".to_owned(), reference())];
    for resource in RESOURCES {
        files.push((
            format!("manifests/crds/{resource}.yaml"),
            crd(Some(resource)),
        ));
    }
    for (path, text) in files {
        let found = std::fs::read_to_string(root.join(&path)).unwrap_or_default();
        // Standard output ends in one line end.
        assert!(
            found == format!("{}\n", text.trim_end()),
            "{path} is not current: run `cargo xtask codegen`"
        );
    }
}
