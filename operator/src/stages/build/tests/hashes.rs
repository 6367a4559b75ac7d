//! Pods are replaced when, and only when, what they mount changes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::children;
use crate::stages::build::build;
use crate::stages::build::labels::CONFIG_HASH;
use crate::stages::children::{Built, Children};
use crate::stages::component::Component;
use crate::stages::validate::validate;
use crate::stages::validated::Platform;
use crate::testing::{observed, sample, stored, with};

/// The config hash of each component's pods.
fn hashes(children: &Children<Built>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for child in children.objects() {
        let value = child.intent().expect("JSON");
        let hash = &value["spec"]["template"]["metadata"]["annotations"][CONFIG_HASH];
        if let (Some(component), Some(hash)) = (child.component(), hash.as_str()) {
            found.insert(component.as_str().to_owned(), hash.to_owned());
        }
    }
    found
}

/// The components whose hash a change changes.
fn changed(name: &str, path: &str, value: Value) -> Vec<String> {
    let (before, after) = (
        hashes(&children(&sample(name))),
        hashes(&children(&with(&sample(name), path, value))),
    );
    assert!(before.len() >= 3);
    after
        .into_iter()
        .filter(|(component, hash)| before.get(component) != Some(hash))
        .map(|(component, _)| component)
        .collect()
}

#[test]
fn what_no_pod_mounts_changes_no_hash() {
    for (path, value) in [
        ("spec.api.replicas", json!(9)),
        ("spec.kafka.managed.brokers", json!(7)),
        ("spec.streamer.replicas", json!(9)),
        ("spec.sql.pods.labels.team", json!("x")),
        ("spec.api.pods.annotations.note", json!("x")),
        ("spec.api.resources.limits.memory", json!("4Gi")),
        ("spec.networkPolicy.enabled", json!(false)),
        ("spec.kafka.managed.storage.size", json!("600Gi")),
        ("spec.suspend", json!(true)),
        ("spec.image", json!("other:1")),
    ] {
        assert_eq!(
            changed("production", path, value),
            Vec::<String>::new(),
            "{path}"
        );
    }
}

#[test]
fn what_a_pod_mounts_changes_its_hash_and_no_others() {
    let all: &[&str] = &["api", "sql", "streamer"];
    let cases: [(&str, &str, Value, &[&str]); 11] = [
        (
            "production",
            "spec.settings.api.maxInFlight",
            json!(9),
            &["api"],
        ),
        (
            "production",
            "spec.settings.sql.maxRows",
            json!(9),
            &["sql"],
        ),
        (
            "production",
            "spec.settings.log.kafka.timeoutMs",
            json!(9),
            &["api", "streamer"],
        ),
        (
            "production",
            "spec.streamer.commitInterval",
            json!("9s"),
            &["streamer"],
        ),
        (
            "production",
            "spec.sql.resources.limits.memory",
            json!("9Gi"),
            &["sql"],
        ),
        (
            "production",
            "spec.redis.durability",
            json!("everySecond"),
            &["api", "redis"],
        ),
        (
            "production",
            "spec.redis.managed.resources.limits.memory",
            json!("9Gi"),
            &["redis"],
        ),
        (
            "production",
            "spec.kafka.managed.config",
            json!({"log.segment.bytes": "1"}),
            &["kafka"],
        ),
        (
            "production",
            "spec.lake.s3.region",
            json!("x"),
            &["sql", "streamer"],
        ),
        (
            "external",
            "spec.kafka.external.bootstrapServers",
            json!("k:1"),
            &["api", "streamer"],
        ),
        ("production", "spec.game.name", json!("trade"), all),
    ];
    for (name, path, value, wanted) in cases {
        assert_eq!(changed(name, path, value), wanted, "{path}");
    }
}

#[test]
fn a_users_secret_that_changes_replaces_those_who_use_it() {
    let pipeline = stored(&sample("external"));
    let there = observed(&pipeline);
    let of = |observed| {
        hashes(&build(
            &validate(&pipeline, &observed, &Platform::default()).expect("a plan"),
        ))
    };
    let before = of(there.clone());
    for (secret, key, wanted) in [
        ("arena-kafka-user", "password", vec!["api", "streamer"]),
        ("events-cluster-ca-cert", "ca.crt", vec!["api", "streamer"]),
        ("arena-redis", "url", vec!["api"]),
        ("lake", "secretAccessKey", vec!["sql", "streamer"]),
    ] {
        let mut now = there.clone();
        now.secrets
            .get_mut(secret)
            .expect(secret)
            .keys
            .insert(key.to_owned(), "new".to_owned());
        now.secrets
            .get_mut(secret)
            .expect(secret)
            .keys
            .insert("unused".to_owned(), "new".to_owned());
        let after = of(now);
        let changed: Vec<&str> = Component::ALL
            .iter()
            .map(|component| component.as_str())
            .filter(|name| before.get(*name) != after.get(*name))
            .collect();
        let mut changed = changed;
        changed.sort_unstable();
        assert_eq!(changed, wanted, "{secret}");
    }
}
