//! What is wrong with the spec or with what it names: a condition with a reason and the fix, and nothing is written for it again and again.

use serde_json::{Value, json};

use crate::scene::{Scene, condition, is, managed, place};

/// What the first pass says of a spec, and that the second writes nothing.
async fn first_word(scene: &Scene) -> (String, String) {
    let outcome = scene.pass().await;
    scene.api.calls();
    scene.pass().await;
    assert_eq!(scene.api.writes(), [""; 0]);
    assert_eq!(
        condition(&outcome, "Ready"),
        condition(&outcome, "SpecValid")
    );
    assert_eq!(condition(&outcome, "Degraded").0, "True");
    condition(&outcome, "SpecValid")
}

#[tokio::test]
async fn what_the_spec_names_and_is_not_there_is_named() {
    let scene = Scene::empty();
    scene.add_secret();
    scene.add_pipeline(managed());
    assert_eq!(first_word(&scene).await, is("False", "GameNotFound"));
    scene.add_game();
    scene.settle().await;

    let scene = Scene::empty();
    scene.add_game();
    scene.add_pipeline(managed());
    assert_eq!(first_word(&scene).await, is("False", "SecretNotFound"));
    scene.add_secret();
    scene.settle().await;
}

#[tokio::test]
async fn a_secret_that_goes_missing_later_stops_changes_and_not_what_runs() {
    let scene = Scene::new();
    scene.settle().await;
    scene
        .api
        .with(|store| store.delete(&place("", "secrets", "lake"), &Value::Null))
        .unwrap();
    let outcome = scene.pass().await;
    assert_eq!(condition(&outcome, "Ready"), is("False", "SecretNotFound"));
    assert_eq!(condition(&outcome, "ApiReady"), is("True", "AllReady"));
    assert_eq!(
        outcome.status.components.len(),
        6,
        "what runs is still shown"
    );
    scene.add_secret();
    scene.settle().await;
}

#[tokio::test]
async fn a_spec_that_contradicts_itself_is_refused_with_the_path() {
    let scene = Scene::new();
    scene.edit(
        &json!({"spec": {"image": "NOT an image", "settings": {"api": {"listen": "0.0.0.0:1"}}}}),
    );
    assert_eq!(first_word(&scene).await, is("False", "SpecInvalid"));
    let status = scene.pipeline().status.unwrap();
    let message = &status
        .conditions
        .iter()
        .find(|one| one.type_ == "SpecValid")
        .unwrap()
        .message;
    assert!(
        message.contains("spec.image") && message.contains("spec.settings.api.listen"),
        "{message}"
    );
    assert_eq!(scene.names("apps", "deployments"), [""; 0]);
}

#[tokio::test]
async fn an_object_that_somebody_else_made_is_not_taken_over() {
    let scene = Scene::new();
    let theirs = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "arena-sql"},
        "spec": {"selector": {"app": "theirs"}},
    });
    scene
        .api
        .with(|store| store.create(&place("", "services", "arena-sql"), theirs))
        .unwrap();
    let outcome = scene.pass().await;
    assert_eq!(condition(&outcome, "Ready"), is("False", "Refused"));
    assert!(
        outcome.report.failures[0]
            .message
            .contains("Service arena-sql")
    );
    assert_eq!(
        scene.get("", "services", "arena-sql").unwrap()["spec"]["selector"],
        json!({"app": "theirs"})
    );
    scene
        .api
        .with(|store| store.delete(&place("", "services", "arena-sql"), &Value::Null))
        .unwrap();
    scene.settle().await;
}

#[tokio::test]
async fn pods_that_can_not_start_are_told_from_pods_that_are_starting() {
    let scene = Scene::new();
    scene.pass().await;
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "arena-api-x", "labels": {
            "app.kubernetes.io/instance": "arena",
            "app.kubernetes.io/managed-by": "gamepipe-operator",
            "app.kubernetes.io/component": "api",
        }},
        "status": {"containerStatuses": [{
            "name": "api", "image": "nowhere/it:1", "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": "ImagePullBackOff"}},
        }]},
    });
    scene
        .api
        .with(|store| store.create(&place("", "pods", "arena-api-x"), pod))
        .unwrap();
    let outcome = scene.pass().await;
    assert_eq!(condition(&outcome, "ApiReady"), is("False", "PodsNotReady"));
    assert_eq!(condition(&outcome, "SqlReady"), is("False", "RollingOut"));
    assert_eq!(condition(&outcome, "Ready"), is("False", "PodsNotReady"));
    let message = &outcome
        .status
        .conditions
        .iter()
        .find(|one| one.type_ == "ApiReady")
        .unwrap()
        .message;
    assert!(message.contains("nowhere/it:1"), "{message}");
}

#[tokio::test]
async fn the_time_of_a_condition_is_that_of_its_last_change() {
    let scene = Scene::new();
    scene.pass().await;
    let times = |scene: &Scene| {
        let conditions = scene.pipeline().status.unwrap().conditions;
        let times = conditions
            .into_iter()
            .map(|one| (one.type_, (one.status, one.last_transition_time)));
        times.collect::<std::collections::BTreeMap<_, _>>()
    };
    let first = times(&scene);
    scene.settle().await;
    let settled = times(&scene);
    for (kind, (status, time)) in &settled {
        assert_eq!(first[kind].0 == *status, first[kind].1 == *time, "{kind}");
    }
}

#[tokio::test]
async fn kept_volumes_outlive_the_pipeline_and_deleted_ones_do_not() {
    for (policy, left) in [("Retain", true), ("Delete", false)] {
        let scene = Scene::empty();
        scene.add_game();
        let mut spec = managed();
        let storage = json!({"size": "50Gi", "retention": {"whenDeleted": policy}});
        spec["lake"] = json!({"volume": {"storage": storage}});
        scene.add_pipeline(spec);
        scene.settle().await;
        assert_eq!(scene.names("", "persistentvolumeclaims"), ["arena-lake"]);
        scene
            .api
            .with(|store| store.delete(&crate::scene::pipeline_place(), &Value::Null))
            .unwrap();
        assert_eq!(
            !scene.names("", "persistentvolumeclaims").is_empty(),
            left,
            "{policy}"
        );
    }
}
