//! Every CEL rule, evaluated as the API server does: after defaults, with the stored object for rules about changes.

use std::collections::BTreeSet;

use kube::core::cel::{Validator, WarningKind, apply_defaults, compile_schema, estimate_rule_cost};
use serde_json::{Value, json};

use crate::crd::{crds, schema_of};
use crate::testing::{SAMPLES, game, sample, schema, with};

/// What is broken: words of the rule's message, the sample, the changes that break it, and those of a neighbour that holds.
type Case = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

/// Rules about what is written.
const CREATING: [Case; 19] = [
    (
        "a GamePipeline's name is",
        "smallest",
        &[("metadata.name", "\"2arena\"")],
        &[("metadata.name", "\"arena-2\"")],
    ),
    (
        "give exactly one of managed (the operator runs Kafka)",
        "smallest",
        &[("spec.kafka.external", "{\"bootstrapServers\": \"k:9092\"}")],
        &[],
    ),
    (
        "give exactly one of managed (the operator runs Redis)",
        "smallest",
        &[("spec.redis.managed", "null")],
        &[
            ("spec.redis.managed", "null"),
            ("spec.redis.external", "{\"urlSecret\": \"r\"}"),
        ],
    ),
    (
        "give exactly one of s3",
        "smallest",
        &[("spec.lake.volume", "null")],
        &[],
    ),
    (
        "replicationFactor must not be above brokers",
        "smallest",
        &[("spec.kafka.managed.replicationFactor", "2")],
        &[
            ("spec.kafka.managed.brokers", "2"),
            ("spec.kafka.managed.replicationFactor", "2"),
        ],
    ),
    (
        "minInSyncReplicas must not be above",
        "bucket",
        &[("spec.kafka.managed.minInSyncReplicas", "4")],
        &[("spec.kafka.managed.minInSyncReplicas", "3")],
    ),
    (
        "controllers must be 1, 3 or 5",
        "bucket",
        &[("spec.kafka.managed.controllers", "{\"replicas\": 2}")],
        &[("spec.kafka.managed.controllers", "{\"replicas\": 5}")],
    ),
    (
        "credentialsSecret goes with",
        "external",
        &[("spec.kafka.external.credentialsSecret", "null")],
        &[],
    ),
    (
        "credentialsSecret goes with",
        "external",
        &[("spec.kafka.external.securityProtocol", "\"ssl\"")],
        &[
            ("spec.kafka.external.securityProtocol", "\"ssl\""),
            ("spec.kafka.external.credentialsSecret", "null"),
        ],
    ),
    (
        "caSecret and certificateSecret are for TLS",
        "external",
        &[("spec.kafka.external.securityProtocol", "\"saslPlaintext\"")],
        &[
            ("spec.kafka.external.securityProtocol", "\"saslPlaintext\""),
            ("spec.kafka.external.caSecret", "null"),
        ],
    ),
    (
        "the mechanism plain sends",
        "external",
        &[
            ("spec.kafka.external.securityProtocol", "\"saslPlaintext\""),
            ("spec.kafka.external.caSecret", "null"),
            ("spec.kafka.external.saslMechanism", "\"plain\""),
        ],
        &[("spec.kafka.external.saslMechanism", "\"plain\"")],
    ),
    (
        "this endpoint has no TLS",
        "external",
        &[("spec.lake.s3.endpoint", "\"http://minio:9000\"")],
        &[
            ("spec.lake.s3.endpoint", "\"http://minio:9000\""),
            ("spec.lake.s3.allowHttp", "true"),
        ],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.api.autoscaling", "{}")],
        &[("spec.api.autoscaling", "{\"maxReplicas\": 4}")],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.sql.autoscaling", "{}")],
        &[("spec.sql.autoscaling", "{\"external\": true}")],
    ),
    (
        "set maxReplicas, or external: true",
        "smallest",
        &[("spec.streamer.autoscaling", "{}")],
        &[("spec.streamer.autoscaling", "{\"external\": true}")],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.api.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[(
            "spec.api.autoscaling",
            "{\"minReplicas\": 4, \"maxReplicas\": 4}",
        )],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.sql.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[],
    ),
    (
        "minReplicas must not be above",
        "smallest",
        &[(
            "spec.streamer.autoscaling",
            "{\"minReplicas\": 5, \"maxReplicas\": 4}",
        )],
        &[],
    ),
    (
        "commitInterval must be from",
        "smallest",
        &[("spec.streamer.commitInterval", "\"11m\"")],
        &[("spec.streamer.commitInterval", "\"100ms\"")],
    ),
];

/// Rules about changes of what is stored.
const CHANGING: [Case; 23] = [
    (
        "a pipeline can't change to another game",
        "smallest",
        &[("spec.game.name", "\"trade\"")],
        &[],
    ),
    (
        "a log can't move between",
        "smallest",
        &[
            ("spec.kafka.managed", "null"),
            ("spec.kafka.external", "{\"bootstrapServers\": \"k:9092\"}"),
        ],
        &[],
    ),
    (
        "the topic can't be changed",
        "external",
        &[("spec.kafka.topic.name", "\"other\"")],
        &[("spec.kafka.topic.create", "false")],
    ),
    (
        "the topic can't be changed",
        "external",
        &[("spec.kafka.topic.name", "null")],
        &[],
    ),
    (
        "partitions can't be changed",
        "external",
        &[("spec.kafka.topic.partitions", "48")],
        &[],
    ),
    (
        "replicationFactor can't be changed",
        "production",
        &[("spec.kafka.managed.replicationFactor", "2")],
        &[("spec.kafka.managed.brokers", "7")],
    ),
    (
        "the number of controllers can't be changed",
        "smallest",
        &[("spec.kafka.managed.controllers.replicas", "3")],
        &[],
    ),
    (
        "the state can't move between",
        "smallest",
        &[
            ("spec.redis.managed", "null"),
            ("spec.redis.external", "{\"urlSecret\": \"r\"}"),
        ],
        &[("spec.redis.durability", "\"always\"")],
    ),
    (
        "the name can't be changed: players",
        "external",
        &[("spec.redis.external.name", "\"other\"")],
        &[("spec.redis.external.urlSecret", "\"other\"")],
    ),
    (
        "a lake can't move between",
        "smallest",
        &[
            ("spec.lake.volume", "null"),
            (
                "spec.lake.s3",
                "{\"bucket\": \"games\", \"prefix\": \"arena\"}",
            ),
        ],
        &[],
    ),
    (
        "the bucket can't be changed",
        "bucket",
        &[("spec.lake.s3.bucket", "\"other\"")],
        &[("spec.lake.s3.credentialsSecret", "\"other\"")],
    ),
    (
        "the prefix can't be changed",
        "bucket",
        &[("spec.lake.s3.prefix", "\"other\"")],
        &[],
    ),
    (
        "accessMode can't be changed",
        "smallest",
        &[("spec.lake.volume.accessMode", "\"ReadWriteMany\"")],
        &[],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.kafka.managed.storage.size", "\"4Gi\"")],
        &[("spec.kafka.managed.storage.size", "\"5120Mi\"")],
    ),
    (
        "a volume can't shrink",
        "production",
        &[("spec.kafka.managed.controllers.storage.size", "\"9Gi\"")],
        &[("spec.kafka.managed.controllers.storage.size", "\"1Ti\"")],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.redis.managed.storage.size", "\"2G\"")],
        &[("spec.redis.managed.storage.size", "\"3Gi\"")],
    ),
    (
        "a volume can't shrink",
        "smallest",
        &[("spec.lake.volume.storage.size", "\"9999Mi\"")],
        &[("spec.lake.volume.storage.size", "\"11Gi\"")],
    ),
    (
        "volumes can't move to another",
        "production",
        &[("spec.kafka.managed.storage.storageClassName", "\"slow\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "production",
        &[(
            "spec.kafka.managed.controllers.storage.storageClassName",
            "null",
        )],
        &[],
    ),
    (
        "volumes can't move to another",
        "smallest",
        &[("spec.redis.managed.storage.storageClassName", "\"fast\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "smallest",
        &[("spec.lake.volume.storage.storageClassName", "\"fast\"")],
        &[],
    ),
    (
        "volumes can't move to another",
        "production",
        &[("spec.kafka.managed.storage", "{\"size\": \"500Gi\"}")],
        &[],
    ),
    (
        "partitions can't be changed",
        "external",
        &[("spec.kafka.topic", "{\"name\": \"arena-events\"}")],
        &[],
    ),
];

fn edited(sample_name: &str, edits: &[(&str, &str)]) -> Value {
    let mut manifest = sample(sample_name);
    for (path, value) in edits {
        manifest = with(&manifest, path, serde_json::from_str(value).expect("JSON"));
    }
    apply_defaults(&schema(), &manifest)
}

/// The broken rules: where, and their messages.
fn broken(schema: &Value, value: &Value, old: Option<&Value>) -> Vec<(String, String)> {
    match Validator::new().validate(schema, value, old) {
        Ok(()) => Vec::new(),
        Err(errors) => errors
            .into_vec()
            .into_iter()
            .map(|error| (error.field_path, error.message))
            .collect(),
    }
}

/// Every rule of a schema: the place of the schema that has it, the rule, and its message.
fn rules(schema: &Value, path: &str, found: &mut Vec<(String, String, String)>) {
    for rule in schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
        found.push((path.to_owned(), text("rule"), text("message")));
    }
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        rules(field, &format!("{path}.{name}"), found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            rules(&schema[inner], &format!("{path}[]"), found);
        }
    }
}

#[test]
fn every_rule_refuses_what_it_is_about_and_takes_its_neighbour() {
    let schema = schema();
    let mut refused: BTreeSet<String> = BTreeSet::new();
    for (cases, changing) in [(&CREATING[..], false), (&CHANGING[..], true)] {
        for (message, name, bad, good) in cases {
            let stored = edited(name, &[]);
            let old = changing.then_some(&stored);
            let found = broken(&schema, &edited(name, bad), old);
            assert!(
                found.iter().any(|(_, text)| text.starts_with(message)),
                "{message} after {bad:?}: {found:?}"
            );
            assert!(
                !found
                    .iter()
                    .any(|(_, text)| text.contains("evaluation") || text.contains("rror:")),
                "{found:?}"
            );
            refused.extend(found.into_iter().map(|(path, text)| {
                let owner = path.trim_start_matches('.').to_owned();
                format!("{owner} {text}")
            }));
            assert_eq!(
                broken(&schema, &edited(name, good), old),
                [],
                "{message} after {good:?}"
            );
        }
    }
    let mut all = Vec::new();
    rules(&schema, "", &mut all);
    assert!(all.len() > 30, "{}", all.len());
    for (path, rule, message) in all {
        assert!(!message.is_empty(), "{path}: {rule} has no message");
        // A rule may point at a field of the object that it stands on.
        let place = path.trim_start_matches('.');
        let seen = refused
            .iter()
            .any(|seen| seen.starts_with(place) && seen.ends_with(&message));
        assert!(seen, "no case breaks the rule at {place}: {message}");
    }
}

#[test]
fn samples_and_reference_games_break_no_rule() {
    for (name, _) in SAMPLES {
        assert_eq!(broken(&schema(), &edited(name, &[]), None), [], "{name}");
        assert_eq!(
            broken(&schema(), &edited(name, &[]), Some(&edited(name, &[]))),
            [],
            "{name} unchanged"
        );
    }
    let games = schema_of(&crds()[0]);
    for name in ["arena", "quest", "guild", "market", "trade"] {
        let value = serde_json::to_value(game(name)).expect("JSON");
        assert_eq!(broken(&games, &value, None), [], "{name}");
    }
}

#[test]
fn a_game_that_names_a_file_is_told_to_inline_it_and_a_long_name_is_refused() {
    let games = schema_of(&crds()[0]);
    let mut value = serde_json::to_value(game("arena")).expect("JSON");
    value["spec"]["queries"]["players_killed"]["file"] = json!("queries/x.sql");
    value["metadata"]["name"] = json!("a".repeat(41));
    let found = broken(&games, &value, None);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .any(|(_, message)| message.contains("gamepipe game render"))
    );
    assert!(
        found
            .iter()
            .any(|(_, message)| message.contains("at most 40 characters"))
    );
}

#[test]
fn no_rule_is_too_dear_for_an_api_server() {
    for crd in crds() {
        let mut stack = vec![schema_of(&crd)];
        let mut checked = 0;
        while let Some(schema) = stack.pop() {
            let compiled = compile_schema(&schema);
            for rule in schema["x-kubernetes-validations"]
                .as_array()
                .into_iter()
                .flatten()
            {
                let text = rule["rule"].as_str().expect("a rule");
                let warnings = estimate_rule_cost(text, &compiled);
                assert!(
                    !warnings
                        .iter()
                        .any(|warning| warning.kind == WarningKind::CostExceeded),
                    "{text}: {warnings:?}"
                );
                checked += 1;
            }
            assert!(
                !compiled.has_errors(),
                "{:?}",
                compiled.compilation_errors()
            );
            stack.extend(
                schema["properties"]
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(_, field)| field.clone()),
            );
            stack.extend(
                ["items", "additionalProperties"]
                    .into_iter()
                    .map(|inner| schema[inner].clone())
                    .filter(Value::is_object),
            );
        }
        assert!(checked >= 2, "{}", crd.spec.names.kind);
    }
}
