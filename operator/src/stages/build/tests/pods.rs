//! What every pod must be like, whatever the spec: restricted, without a token, fed by what is among the children.

use std::collections::BTreeSet;

use gamepipe_config::load::{Layers, load};
use gamepipe_config::settings::Settings;
use serde_json::{Value, json};

use super::{children, object};
use crate::stages::build::settings::of;
use crate::stages::component::Component;
use crate::testing::{SAMPLES, planned, sample, with};

/// Every pod template of a sample with the name of what has it.
fn templates(manifest: &Value) -> Vec<(String, Value)> {
    let children = children(manifest);
    let workloads = children
        .objects()
        .iter()
        .filter(|child| ["StatefulSet", "Deployment"].contains(&child.kind()));
    workloads
        .map(|child| {
            (
                child.name().to_owned(),
                child.intent().expect("JSON")["spec"]["template"].clone(),
            )
        })
        .collect()
}

#[test]
fn pods_meet_the_restricted_standard_and_write_nowhere_but_to_volumes() {
    for (name, _) in SAMPLES {
        for (pod, template) in templates(&sample(name)) {
            let spec = &template["spec"];
            assert_eq!(spec["automountServiceAccountToken"], false, "{pod}");
            assert_eq!(spec["securityContext"]["runAsNonRoot"], true, "{pod}");
            assert!(
                spec["securityContext"]["runAsUser"]
                    .as_i64()
                    .is_some_and(|user| user > 0),
                "{pod}"
            );
            assert_eq!(
                spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault",
                "{pod}"
            );
            for container in spec["containers"].as_array().expect("containers") {
                let context = &container["securityContext"];
                assert_eq!(context["allowPrivilegeEscalation"], false, "{pod}");
                assert_eq!(context["readOnlyRootFilesystem"], true, "{pod}");
                assert_eq!(context["capabilities"], json!({"drop": ["ALL"]}), "{pod}");
                assert!(
                    container["readinessProbe"].is_object()
                        && container["livenessProbe"].is_object(),
                    "{pod}"
                );
            }
            let kinds = spec["volumes"].as_array().expect("volumes").iter();
            assert!(
                kinds.clone().all(|volume| volume["hostPath"].is_null()),
                "{pod}"
            );
        }
    }
}

#[test]
fn what_pods_name_is_among_the_children_or_a_users() {
    for (name, _) in SAMPLES {
        let children = children(&sample(name));
        let built: BTreeSet<(String, String)> = children
            .objects()
            .iter()
            .map(|child| (child.kind().to_owned(), child.name().to_owned()))
            .collect();
        let generated: BTreeSet<&str> = children
            .secrets()
            .iter()
            .map(|secret| secret.name.as_str())
            .collect();
        let users = [
            "lake",
            "arena-kafka-user",
            "events-cluster-ca-cert",
            "arena-redis",
        ];
        for (pod, template) in templates(&sample(name)) {
            let spec = &template["spec"];
            let account = spec["serviceAccountName"]
                .as_str()
                .expect("an account")
                .to_owned();
            assert!(
                built.contains(&("ServiceAccount".to_owned(), account)),
                "{pod}"
            );
            for volume in spec["volumes"].as_array().expect("volumes") {
                if let Some(map) = volume["configMap"]["name"].as_str() {
                    assert!(
                        built.contains(&("ConfigMap".to_owned(), map.to_owned())),
                        "{pod}: {map}"
                    );
                }
                if let Some(claim) = volume["persistentVolumeClaim"]["claimName"].as_str() {
                    assert!(
                        built.contains(&("PersistentVolumeClaim".to_owned(), claim.to_owned())),
                        "{pod}: {claim}"
                    );
                }
            }
            let text = template.to_string();
            let variables = spec["containers"][0]["env"].as_array().expect("variables");
            for variable in variables {
                if let Some(secret) = variable["valueFrom"]["secretKeyRef"]["name"].as_str() {
                    assert!(
                        generated.contains(secret) || users.contains(&secret),
                        "{pod}: {secret}"
                    );
                }
            }
            assert!(!text.contains("null"), "{pod}: {text}");
        }
    }
}

#[test]
fn rendered_settings_are_read_by_the_roles_as_they_were_meant_and_hold_no_secret() {
    for (name, _) in SAMPLES {
        let children = children(&sample(name));
        let plan = planned(&sample(name));
        for role in [Component::Api, Component::Streamer, Component::Sql] {
            let map = object(&children, "ConfigMap", &format!("arena-{role}"));
            let text = map["data"]["gamepipe.yaml"]
                .as_str()
                .expect("settings")
                .to_owned();
            let layers = Layers {
                file: Some(("gamepipe.yaml".to_owned(), text.clone())),
                ..Layers::default()
            };
            let read =
                load(&layers).unwrap_or_else(|error| panic!("{name} {role}: {error}\n{text}"));
            let meant: Settings = of(&plan, role);
            assert_eq!(read.settings, meant, "{name} {role}");
            for word in ["password:", "secretAccessKey:", "accessKeyId:"] {
                assert!(!text.contains(word), "{text}");
            }
        }
    }
}

#[test]
fn an_api_that_is_given_more_time_to_drain_has_it() {
    let slow = with(
        &sample("smallest"),
        "spec.settings.api.drainMs",
        json!(20_000),
    );
    let grace = |name: &str| {
        let role = object(&children(&slow), "Deployment", name);
        role["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].clone()
    };
    // Requests, then the relay, within the two drains; and what comes before and after.
    assert_eq!(grace("arena-api"), 62);
    assert_eq!(grace("arena-streamer"), 30);
}

#[test]
fn the_number_of_pods_is_left_alone_where_somebody_else_owns_it_and_none_when_suspended() {
    let replicas = |manifest: &Value, name: &str| {
        object(&children(manifest), "Deployment", name)["spec"]["replicas"].clone()
    };
    let production = sample("production");
    assert_eq!(
        replicas(&production, "arena-api"),
        Value::Null,
        "an autoscaler owns it"
    );
    assert_eq!(replicas(&production, "arena-streamer"), 4);
    assert_eq!(replicas(&sample("external"), "arena-streamer"), Value::Null);
    let suspended = with(&production, "spec.suspend", json!(true));
    for name in ["arena-api", "arena-streamer", "arena-sql"] {
        assert_eq!(replicas(&suspended, name), 0);
    }
    let brokers = object(&children(&suspended), "StatefulSet", "arena-kafka");
    assert_eq!(brokers["spec"]["replicas"], 5, "what keeps data stays up");
}

#[test]
fn a_lake_that_one_node_mounts_keeps_its_pods_together() {
    let terms = |manifest: &Value| {
        let streamer = object(&children(manifest), "Deployment", "arena-streamer");
        streamer["spec"]["template"]["spec"]["affinity"]["podAffinity"].clone()
    };
    assert!(terms(&sample("smallest")).is_object());
    assert_eq!(
        terms(&with(
            &sample("smallest"),
            "spec.lake.volume.accessMode",
            json!("ReadWriteMany")
        )),
        Value::Null
    );
}
