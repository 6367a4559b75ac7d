//! What a change of the spec or the Game does, and in which order.

use gamepipe_operator::controller::games;
use gamepipe_operator::crd::{ACCEPT_CHANGES, ALLOW_BROKER_REMOVAL, Game};
use serde_json::{Value, json};

use crate::scene::{Scene, condition, game_place, is, managed, place};

/// The image of a workload's first container.
fn image(workload: &Value) -> &str {
    workload["spec"]["template"]["spec"]["containers"][0]["image"]
        .as_str()
        .unwrap()
}

fn generation(scene: &Scene, resource: &str, name: &str) -> i64 {
    scene.get("apps", resource, name).unwrap()["metadata"]["generation"]
        .as_i64()
        .unwrap()
}

fn version(scene: &Scene, role: &str) -> String {
    let deployment = scene.get("apps", "deployments", role).unwrap();
    deployment["spec"]["template"]["metadata"]["annotations"]["gamepipe.dev/game-version"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_image_is_upgraded_in_the_roles_and_nowhere_else() {
    let scene = Scene::new();
    scene.settle().await;
    scene.edit(&json!({"spec": {"image": "example.org/gamepipe:2"}}));
    let rolling = scene.pass().await;
    assert_eq!(condition(&rolling, "Progressing"), is("True", "RollingOut"));
    for role in ["arena-api", "arena-streamer", "arena-sql"] {
        assert_eq!(
            image(&scene.get("apps", "deployments", role).unwrap()),
            "example.org/gamepipe:2"
        );
    }
    assert_eq!(generation(&scene, "statefulsets", "arena-kafka"), 1);
    assert_eq!(generation(&scene, "statefulsets", "arena-redis"), 1);
    let settled = scene.settle().await;
    let images: Vec<Option<&str>> = settled
        .status
        .components
        .iter()
        .map(|one| one.image.as_deref())
        .collect();
    assert_eq!(images[3..], [Some("example.org/gamepipe:2"); 3]);
}

#[tokio::test]
async fn a_number_of_pods_restarts_nothing_and_a_setting_restarts_its_role() {
    let scene = Scene::new();
    scene.settle().await;
    let template =
        |name: &str| scene.get("apps", "deployments", name).unwrap()["spec"]["template"].clone();
    let (api, sql) = (template("arena-api"), template("arena-sql"));
    scene.edit(&json!({"spec": {"api": {"replicas": 4}}}));
    scene.settle().await;
    assert_eq!(template("arena-api"), api);
    assert_eq!(scene.pipeline().status.unwrap().api_replicas, Some(4));
    scene.edit(&json!({"spec": {"settings": {"api": {"maxInFlight": 123}}}}));
    scene.settle().await;
    assert_ne!(template("arena-api"), api);
    assert_eq!(template("arena-sql"), sql);
}

#[tokio::test]
async fn a_secret_of_the_user_that_changes_restarts_what_uses_it() {
    let scene = Scene::new();
    scene.settle().await;
    let before = generation(&scene, "deployments", "arena-streamer");
    let other = json!({"data": {"secretAccessKey": "Yw=="}});
    scene
        .api
        .with(|store| store.merge(&place("", "secrets", "lake"), &other))
        .unwrap();
    scene.settle().await;
    assert_eq!(
        generation(&scene, "deployments", "arena-streamer"),
        before + 1
    );
    assert_eq!(
        generation(&scene, "deployments", "arena-api"),
        1,
        "the API does not read the bucket"
    );
}

#[tokio::test]
async fn a_new_definition_goes_to_the_streamers_first_and_to_the_others_when_all_of_these_have_it()
{
    let scene = Scene::new();
    let before = scene.settle().await.status.game;
    let old = before.serving.clone().unwrap();
    let field = json!({"spec": {"entities": {"player": {"state": {"medals": {"type": "integer", "default": 0}}}}}});
    scene
        .api
        .with(|store| store.merge(&game_place(), &field))
        .unwrap();
    let rolling = scene.pass().await;
    let new = version(&scene, "arena-streamer");
    assert_ne!(new, old);
    assert_eq!(version(&scene, "arena-api"), old);
    assert_eq!(version(&scene, "arena-sql"), old);
    assert_eq!(rolling.status.game.streamer.as_deref(), Some(new.as_str()));
    assert_eq!(rolling.status.game.serving.as_deref(), Some(old.as_str()));
    scene.pass().await;
    assert_eq!(
        version(&scene, "arena-api"),
        old,
        "the streamers are not there yet"
    );
    assert!(
        scene
            .get("", "configmaps", &format!("arena-game-{old}"))
            .is_some(),
        "old pods may start again"
    );
    scene.run("deployments", "arena-streamer");
    scene.pass().await;
    assert_eq!(version(&scene, "arena-api"), new);
    assert_eq!(version(&scene, "arena-sql"), new);
    let settled = scene.settle().await;
    assert_eq!(settled.status.game.serving.as_deref(), Some(new.as_str()));
    assert_eq!(
        scene.get("", "configmaps", &format!("arena-game-{old}")),
        None,
        "nobody mounts it any more"
    );
}

#[tokio::test]
async fn a_definition_that_the_data_does_not_fit_changes_nothing_until_it_is_accepted() {
    let scene = Scene::new();
    let medals = |field: Value| {
        let change = json!({"spec": {"entities": {"player": {"state": {"medals": field}}}}});
        scene
            .api
            .with(|store| store.merge(&game_place(), &change))
            .unwrap();
    };
    medals(json!({"type": "integer", "default": 0}));
    let old = scene.settle().await.status.game.serving.unwrap();
    medals(Value::Null);
    let refused = scene.pass().await;
    assert_eq!(
        condition(&refused, "Ready"),
        is("False", "GameChangeRefused")
    );
    assert_eq!(
        condition(&refused, "ApiReady"),
        is("True", "AllReady"),
        "what runs goes on"
    );
    assert_eq!(version(&scene, "arena-streamer"), old);
    let game: Game =
        serde_json::from_value(scene.api.with(|store| store.get(&game_place())).unwrap()).unwrap();
    games::pass(&game, &scene.context).await.unwrap();
    let new =
        scene.api.with(|store| store.get(&game_place())).unwrap()["status"]["version"].clone();
    let accepted = json!({"metadata": {"annotations": {ACCEPT_CHANGES: new}}});
    scene
        .api
        .with(|store| store.merge(&game_place(), &accepted))
        .unwrap();
    let settled = scene.settle().await;
    assert_eq!(settled.status.game.serving.as_deref(), new.as_str());
}

#[tokio::test]
async fn brokers_are_not_removed_without_somebodys_word_not_even_while_their_statefulset_is_away() {
    let scene = Scene::new();
    scene.edit(&json!({"spec": {"kafka": {"managed": {"brokers": 4}}}}));
    scene.settle().await;
    scene.edit(&json!({"spec": {"kafka": {"managed": {"brokers": 3}}}}));
    let held = scene.pass().await;
    assert_eq!(
        condition(&held, "Ready"),
        is("False", "BrokerRemovalBlocked")
    );
    assert_eq!(condition(&held, "KafkaReady"), is("True", "AllReady"));
    let brokers =
        || scene.get("apps", "statefulsets", "arena-kafka").unwrap()["spec"]["replicas"].clone();
    assert_eq!(brokers(), 4);
    let at = place("apps", "statefulsets", "arena-kafka");
    scene
        .api
        .with(|store| store.delete(&at, &json!({"propagationPolicy": "Orphan"})))
        .unwrap();
    scene.pass().await;
    assert_eq!(brokers(), 4);
    scene.edit(&json!({"metadata": {"annotations": {ALLOW_BROKER_REMOVAL: "3"}}}));
    scene.settle().await;
    assert_eq!(brokers(), 3);
}

#[tokio::test]
async fn volumes_grow_and_their_statefulset_is_made_anew_around_its_pods() {
    let scene = Scene::new();
    for ordinal in 0..3 {
        let name = format!("data-arena-kafka-{ordinal}");
        let claim = json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
            "spec": {"resources": {"requests": {"storage": "20Gi"}}},
        });
        scene
            .api
            .with(|store| store.create(&place("", "persistentvolumeclaims", &name), claim))
            .unwrap();
    }
    scene.settle().await;
    let uid = |scene: &Scene| {
        scene
            .get("apps", "statefulsets", "arena-kafka")
            .map(|set| set["metadata"]["uid"].clone())
    };
    let before = uid(&scene);
    scene.edit(&json!({"spec": {"kafka": {"managed": {"storage": {"size": "30Gi"}}}}}));
    let growing = scene.pass().await;
    assert_eq!(condition(&growing, "Progressing"), is("True", "RollingOut"));
    assert_eq!(condition(&growing, "Degraded"), is("False", "Healthy"));
    scene.settle().await;
    assert_ne!(uid(&scene), before);
    for ordinal in 0..3 {
        let claim = scene
            .get(
                "",
                "persistentvolumeclaims",
                &format!("data-arena-kafka-{ordinal}"),
            )
            .unwrap();
        assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "30Gi");
    }
    let told = scene.names("events.k8s.io", "events");
    let reasons: Vec<Value> = told
        .iter()
        .map(|name| scene.get("events.k8s.io", "events", name).unwrap()["reason"].clone())
        .collect();
    assert!(
        reasons.contains(&json!("StatefulSetRecreated")),
        "{reasons:?}"
    );
}

#[tokio::test]
async fn a_field_that_can_not_be_changed_is_named_and_the_rest_goes_on() {
    let scene = Scene::new();
    scene.settle().await;
    // As if an older operator had made it otherwise.
    let at = place("apps", "statefulsets", "arena-redis");
    scene
        .api
        .with(|store| store.merge(&at, &json!({"spec": {"serviceName": "other"}})))
        .unwrap();
    scene.edit(&json!({"spec": {"api": {"replicas": 3}}}));
    let outcome = scene.pass().await;
    assert_eq!(condition(&outcome, "Ready"), is("False", "ImmutableField"));
    assert_eq!(
        condition(&outcome, "Degraded"),
        is("True", "ImmutableField")
    );
    let message = &outcome.report.failures[0].message;
    assert!(
        message.contains("spec.serviceName") && message.contains("arena-redis"),
        "{message}"
    );
    assert_eq!(
        scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"],
        3
    );
}

#[tokio::test]
async fn generated_secrets_are_made_once_and_outlive_the_pipeline() {
    let scene = Scene::new();
    scene.settle().await;
    let secrets = || {
        ["arena-kafka", "arena-redis"]
            .map(|name| scene.get("", "secrets", name).unwrap()["data"].clone())
    };
    let made = secrets();
    let id = scene.pipeline().status.unwrap().kafka_cluster_id;
    scene
        .api
        .with(|store| store.delete(&crate::scene::pipeline_place(), &Value::Null))
        .unwrap();
    assert_eq!(
        scene.names("apps", "statefulsets"),
        [""; 0],
        "children go with the pipeline"
    );
    assert_eq!(secrets(), made);
    scene.add_pipeline(managed());
    let again = scene.settle().await;
    assert_eq!(secrets(), made);
    assert_eq!(
        again.status.kafka_cluster_id, id,
        "the volumes that were kept have the same id in them"
    );
}

#[tokio::test]
async fn the_number_of_pods_is_left_to_an_autoscaler_that_owns_it() {
    let scene = Scene::new();
    scene.settle().await;
    scene.edit(&json!({"spec": {"api": {"autoscaling": {"minReplicas": 2, "maxReplicas": 8, "cpuPercent": 70, "external": false}}}}));
    scene.settle().await;
    let at = place("apps", "deployments", "arena-api");
    scene
        .api
        .with(|store| store.merge(&at, &json!({"spec": {"replicas": 7}})))
        .unwrap();
    let scaled = scene.settle().await;
    assert_eq!(
        scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"],
        7
    );
    assert_eq!(scaled.status.api_replicas, Some(7));
    assert_eq!(
        scene.names("autoscaling", "horizontalpodautoscalers"),
        ["arena-api"]
    );
    scene.edit(&json!({"spec": {"api": {"autoscaling": null}}}));
    scene.settle().await;
    assert_eq!(
        scene.names("autoscaling", "horizontalpodautoscalers"),
        [""; 0],
        "what is no longer wanted is deleted"
    );
    assert_eq!(
        scene.get("apps", "deployments", "arena-api").unwrap()["spec"]["replicas"],
        2
    );
}
