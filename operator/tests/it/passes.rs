//! What passes do to a namespace: everything is made, nothing is written twice, and what somebody changed is put right.

use gamepipe_operator::crd::PAUSED;
use serde_json::{Value, json};

use crate::scene::{Scene, condition, is, place};

#[tokio::test]
async fn a_pipeline_comes_up_and_says_so_step_by_step() {
    let scene = Scene::new();
    let first = scene.pass().await;
    assert_eq!(first.unwritten, None);
    assert_eq!(first.report.failures, []);
    assert_eq!(condition(&first, "Ready"), is("False", "RollingOut"));
    assert_eq!(condition(&first, "SpecValid"), is("True", "Accepted"));
    let settled = scene.settle().await;
    for kind in [
        "Ready",
        "KafkaReady",
        "RedisReady",
        "ApiReady",
        "StreamerReady",
        "SqlReady",
    ] {
        assert_eq!(condition(&settled, kind), is("True", "AllReady"), "{kind}");
    }
    assert_eq!(condition(&settled, "Progressing"), is("False", "Idle"));
    assert_eq!(condition(&settled, "Degraded"), is("False", "Healthy"));
    let status = settled.status;
    assert_eq!(
        status.lag.as_deref(),
        Some("unknown"),
        "no streamer can be asked here"
    );
    assert_eq!(
        status.endpoints.api.as_deref(),
        Some("http://arena-api.games.svc:5000")
    );
    assert_eq!(
        status.endpoints.sql.as_deref(),
        Some("http://arena-sql.games.svc:8080")
    );
    assert_eq!(
        status.endpoints.kafka.as_deref(),
        Some("arena-kafka.games.svc:9092")
    );
    assert_eq!(status.game.streamer, status.game.serving);
    assert_eq!(status.kafka_cluster_id.map(|id| id.len()), Some(22));
    let ready: Vec<(&str, i32, i32)> = status
        .components
        .iter()
        .map(|one| (one.name.as_str(), one.ready, one.desired))
        .collect();
    assert_eq!(
        ready,
        [
            ("kafka-controller", 3, 3),
            ("kafka", 3, 3),
            ("redis", 1, 1),
            ("streamer", 1, 1),
            ("api", 2, 2),
            ("sql", 1, 1)
        ]
    );
    // What is in the status is what the API server has.
    assert_eq!(scene.pipeline().status.unwrap().api_replicas, Some(2));
}

#[tokio::test]
async fn a_second_pass_writes_nothing_nor_does_the_first_one_of_a_new_operator() {
    let mut scene = Scene::new();
    scene.pass().await;
    assert_ne!(scene.api.writes(), [""; 0]);
    scene.pass().await;
    assert_eq!(
        scene.api.writes(),
        [""; 0],
        "nothing has changed since the first pass"
    );
    scene.settle().await;
    scene.pass().await;
    assert_eq!(scene.api.writes(), [""; 0]);
    scene.restart();
    scene.pass().await;
    assert_eq!(
        scene.api.writes(),
        [""; 0],
        "an operator that remembers nothing compares"
    );
    // Nothing was rolled a second time on the way up.
    for name in scene.names("apps", "statefulsets") {
        assert_eq!(
            scene.get("apps", "statefulsets", &name).unwrap()["metadata"]["generation"],
            1,
            "{name}"
        );
    }
}

#[tokio::test]
async fn every_child_that_is_deleted_is_made_again() {
    let scene = Scene::new();
    scene.settle().await;
    for kind in gamepipe_operator::stages::children::Child::kinds() {
        for name in scene.names(&kind.group, &kind.plural) {
            let at = place(&kind.group, &kind.plural, &name);
            scene
                .api
                .with(|store| store.delete(&at, &json!({"propagationPolicy": "Background"})))
                .unwrap();
            scene.api.calls();
            scene.pass().await;
            assert!(
                scene.get(&kind.group, &kind.plural, &name).is_some(),
                "{} {name}",
                kind.kind
            );
        }
    }
    scene.settle().await;
}

/// Edits by hand: the object, the change, and where it shows.
fn edits() -> [(
    &'static str,
    &'static str,
    &'static str,
    Value,
    &'static str,
); 7] {
    [
        (
            "apps",
            "deployments",
            "arena-api",
            json!({"spec": {"replicas": 9}}),
            "/spec/replicas",
        ),
        (
            "apps",
            "statefulsets",
            "arena-redis",
            json!({"spec": {"replicas": 0}}),
            "/spec/replicas",
        ),
        (
            "",
            "services",
            "arena-api",
            json!({"spec": {"selector": {"more": "x"}}}),
            "/spec/selector/more",
        ),
        (
            "",
            "configmaps",
            "arena-api",
            json!({"data": {"gamepipe.yaml": "{}"}}),
            "/data/gamepipe.yaml",
        ),
        (
            "networking.k8s.io",
            "networkpolicies",
            "arena-redis",
            json!({"spec": {"ingress": [{}]}}),
            "/spec/ingress",
        ),
        (
            "policy",
            "poddisruptionbudgets",
            "arena-kafka",
            json!({"spec": {"maxUnavailable": 3}}),
            "/spec/maxUnavailable",
        ),
        (
            "",
            "serviceaccounts",
            "arena-sql",
            json!({"automountServiceAccountToken": true}),
            "/automountServiceAccountToken",
        ),
    ]
}

#[tokio::test]
async fn what_is_edited_by_hand_is_put_right_and_what_is_added_beside_it_stays() {
    let scene = Scene::new();
    scene.settle().await;
    for (group, resource, name, edit, pointer) in edits() {
        let before = scene.get(group, resource, name).unwrap();
        scene
            .api
            .with(|store| store.merge(&place(group, resource, name), &edit))
            .unwrap();
        assert_ne!(
            scene.get(group, resource, name).unwrap().pointer(pointer),
            before.pointer(pointer)
        );
        scene.pass().await;
        assert_eq!(
            scene.get(group, resource, name).unwrap().pointer(pointer),
            before.pointer(pointer),
            "{resource} {name}"
        );
    }
    let mine = json!({"metadata": {"annotations": {"mine": "yes"}, "labels": {"mine": "yes"}}});
    scene
        .api
        .with(|store| store.merge(&place("", "services", "arena-api"), &mine))
        .unwrap();
    scene.settle().await;
    scene.pass().await;
    assert_eq!(scene.api.writes(), [""; 0]);
    assert_eq!(
        scene.get("", "services", "arena-api").unwrap()["metadata"]["labels"]["mine"],
        "yes"
    );
}

#[tokio::test]
async fn a_pipeline_that_is_paused_is_left_alone_but_for_its_status() {
    let scene = Scene::new();
    scene.settle().await;
    scene.edit(
        &json!({"metadata": {"annotations": {PAUSED: "true"}}, "spec": {"api": {"replicas": 5}}}),
    );
    let paused = scene.pass().await;
    assert_eq!(
        condition(&paused, "Paused"),
        is("True", "PausedByAnnotation")
    );
    assert_eq!(
        scene.api.writes(),
        ["gamepipe.dev gamepipelines/status patch games/arena"]
    );
    assert_eq!(
        scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"],
        2
    );
    scene.edit(&json!({"metadata": {"annotations": {PAUSED: null}}}));
    let resumed = scene.pass().await;
    assert_eq!(condition(&resumed, "Paused"), is("False", "NotPaused"));
    assert_eq!(
        scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"],
        5
    );
}

#[tokio::test]
async fn suspend_takes_the_roles_down_and_leaves_the_data_up() {
    let scene = Scene::new();
    scene.settle().await;
    scene.edit(&json!({"spec": {"suspend": true}}));
    scene.pass().await;
    scene.run_pods();
    let suspended = scene.pass().await;
    assert_eq!(condition(&suspended, "Ready"), is("False", "Suspended"));
    assert_eq!(condition(&suspended, "ApiReady"), is("False", "Suspended"));
    assert_eq!(condition(&suspended, "KafkaReady"), is("True", "AllReady"));
    assert_eq!(condition(&suspended, "Degraded"), is("False", "Healthy"));
    for role in ["api", "streamer", "sql"] {
        assert_eq!(
            scene
                .get("apps", "deployments", &format!("arena-{role}"))
                .unwrap()["spec"]["replicas"],
            0
        );
    }
    assert_eq!(
        scene.get("apps", "statefulsets", "arena-kafka").unwrap()["spec"]["replicas"],
        3
    );
    scene.edit(&json!({"spec": {"suspend": false}}));
    scene.settle().await;
}
