//! What the operator asks of the API server: exactly what the chart's Role has to allow.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::process::Process;
use crate::scene::{Scene, managed, place};

/// One line for each right.
fn lines(rights: &BTreeSet<String>) -> String {
    rights.iter().map(|right| format!("{right}\n")).collect()
}

#[tokio::test]
async fn the_operator_asks_for_what_is_listed_and_no_more() {
    let mut rights = BTreeSet::new();
    let scene = Scene::empty();
    scene.add_game();
    scene.add_secret();
    let mut spec = managed();
    spec["api"]["autoscaling"] = json!({"minReplicas": 2, "maxReplicas": 4});
    spec["lake"] = json!({"volume": {"storage": {"size": "5Gi"}}});
    scene.add_pipeline(spec);
    scene.settle().await;
    // Every kind loses an object that is no longer wanted.
    let orphan = |group: &str, resource: &str, kind: &str, version: &str| {
        let owner = scene.pipeline().metadata.uid.unwrap();
        let object = json!({
            "apiVersion": version, "kind": kind,
            "metadata": {
                "name": "left-over",
                "labels": {"app.kubernetes.io/instance": "arena", "app.kubernetes.io/managed-by": "gamepipe-operator"},
                "ownerReferences": [{"uid": owner, "controller": true, "kind": "GamePipeline", "name": "arena", "apiVersion": "gamepipe.dev/v1alpha1"}],
            },
        });
        scene
            .api
            .with(|store| store.create(&place(group, resource, "left-over"), object))
            .unwrap();
    };
    for kind in gamepipe_operator::stages::children::Child::kinds() {
        orphan(&kind.group, &kind.plural, &kind.kind, &kind.api_version);
    }
    scene.clock.turn(3600);
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data-arena-redis-0"},
        "spec": {"resources": {"requests": {"storage": "2Gi"}}},
    });
    scene
        .api
        .with(|store| {
            store.create(
                &place("", "persistentvolumeclaims", "data-arena-redis-0"),
                claim,
            )
        })
        .unwrap();
    scene.edit(&json!({"spec": {"redis": {"managed": {"storage": {"size": "3Gi"}}}}}));
    scene.settle().await;
    for kind in gamepipe_operator::stages::children::Child::kinds() {
        let left = scene.get(&kind.group, &kind.plural, "left-over");
        assert_eq!(
            left.is_some(),
            kind.kind == "PersistentVolumeClaim",
            "{}",
            kind.kind
        );
    }
    // The same trouble twice: an event that is there is counted.
    for _ in 0..2 {
        scene.edit(&json!({"spec": {"image": "NOT an image"}}));
        scene.pass().await;
        scene.edit(&json!({"spec": {"image": Value::Null}}));
        scene.settle().await;
    }
    rights.extend(scene.api.rights());
    let scene = Scene::new();
    scene.add_broken();
    let process = Process::start(scene, |_| ()).await;
    process.until_ready().await;
    process.until_broken_says_so().await;
    rights.extend(process.stop().await.rights());
    insta::assert_snapshot!(lines(&rights));
}
