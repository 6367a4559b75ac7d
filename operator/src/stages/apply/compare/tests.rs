use serde_json::{Value, json};

use super::{differences, thousandths};

fn deployment() -> Value {
    json!({
        "kind": "Deployment",
        "metadata": {"name": "a", "labels": {"app": "a"}},
        "spec": {
            "replicas": 2,
            "selector": {"matchLabels": {"app": "a"}},
            "template": {"spec": {
                "containers": [{
                    "name": "api",
                    "image": "one",
                    "args": ["x"],
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}},
                }],
                "tolerations": [{"key": "t"}],
                "volumes": [{"name": "tmp", "emptyDir": {}}],
            }},
        },
    })
}

/// The object as the API server keeps it.
fn live() -> Value {
    let mut live = deployment();
    live["metadata"]["uid"] = json!("1");
    live["metadata"]["annotations"] = json!({"deployment.kubernetes.io/revision": "1"});
    live["spec"]["progressDeadlineSeconds"] = json!(600);
    let pod = &mut live["spec"]["template"]["spec"];
    pod["restartPolicy"] = json!("Always");
    pod["containers"][0]["resources"]["requests"]["cpu"] = json!("1");
    pod["containers"][0]["imagePullPolicy"] = json!("Always");
    live["status"] = json!({"replicas": 2});
    live
}

#[test]
fn defaults_and_another_way_of_writing_an_amount_are_no_differences() {
    assert_eq!(differences(&deployment(), &live()), Vec::<String>::new());
}

#[test]
fn what_others_add_where_they_may_is_no_difference() {
    let mut live = live();
    let pod = &mut live["spec"]["template"]["spec"];
    pod["containers"]
        .as_array_mut()
        .unwrap()
        .insert(0, json!({"name": "injected"}));
    pod["containers"][1]["env"]
        .as_array_mut()
        .unwrap()
        .insert(1, json!({"name": "C", "value": "3"}));
    pod["volumes"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "token"}));
    assert_eq!(differences(&deployment(), &live), Vec::<String>::new());
}

#[test]
fn every_field_that_was_edited_by_hand_is_named() {
    let edits: [(&str, Value, &str); 9] = [
        ("/spec/replicas", json!(3), "spec.replicas"),
        (
            "/spec/template/spec/containers/0/image",
            json!("two"),
            "spec.template.spec.containers[0].image",
        ),
        (
            "/spec/template/spec/containers/0/args",
            json!(["x", "y"]),
            "spec.template.spec.containers[0].args",
        ),
        (
            "/spec/template/spec/containers/0/env/1/value",
            json!("9"),
            "spec.template.spec.containers[0].env[1].value",
        ),
        (
            "/spec/template/spec/containers/0/resources/requests/memory",
            json!("2Gi"),
            "spec.template.spec.containers[0].resources.requests.memory",
        ),
        (
            "/spec/template/spec/tolerations",
            json!([{"key": "t"}, {"key": "u"}]),
            "spec.template.spec.tolerations",
        ),
        (
            "/spec/selector/matchLabels",
            json!({"app": "a", "b": "c"}),
            "spec.selector.matchLabels",
        ),
        ("/metadata/labels", json!({}), "metadata.labels.app"),
        (
            "/spec/template/spec/volumes",
            json!([]),
            "spec.template.spec.volumes[0]",
        ),
    ];
    for (pointer, value, path) in edits {
        let mut edited = live();
        *edited.pointer_mut(pointer).unwrap() = value;
        let found = differences(&deployment(), &edited);
        assert!(
            found.iter().any(|found| found.starts_with(path)),
            "{pointer}: {found:?}"
        );
    }
}

#[test]
fn a_door_that_somebody_opened_in_a_policy_is_seen() {
    let policy = json!({
        "kind": "NetworkPolicy",
        "spec": {
            "podSelector": {"matchLabels": {"app": "a"}},
            "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "b"}}}], "ports": [{"port": 1}]}],
        },
    });
    let mut live = policy.clone();
    live["spec"]["policyTypes"] = json!(["Ingress"]);
    live["spec"]["ingress"][0]["ports"][0]["protocol"] = json!("TCP");
    assert_eq!(differences(&policy, &live), Vec::<String>::new());
    let mut wider = live.clone();
    wider["spec"]["ingress"][0]["from"][0]["namespaceSelector"] = json!({});
    assert_eq!(differences(&policy, &wider), ["spec.ingress[0].from[0]"]);
    let mut more = live;
    more["spec"]["ingress"][0]["ports"]
        .as_array_mut()
        .unwrap()
        .push(json!({"port": 2}));
    assert_eq!(differences(&policy, &more), ["spec.ingress[0].ports"]);
}

#[test]
fn amounts_are_compared_exactly() {
    for (one, other) in [
        ("1000m", "1"),
        ("1.5", "1500m"),
        ("1Gi", "1024Mi"),
        ("0.25", "250m"),
    ] {
        assert_eq!(thousandths(one), thousandths(other), "{one} {other}");
        assert!(thousandths(one).is_some());
    }
    assert_ne!(thousandths("1.5"), thousandths("1"));
    assert_ne!(thousandths("1G"), thousandths("1Gi"));
    assert_eq!(thousandths("x"), None);
}
