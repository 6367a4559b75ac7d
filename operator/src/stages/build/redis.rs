//! A managed Redis: one primary with an append-only file on a volume, behind a password.

use std::collections::BTreeMap;

use gamepipe_config::state::Durability;
use k8s_openapi::api::apps::v1::{StatefulSet, StatefulSetSpec};
use k8s_openapi::api::core::v1::{
    ConfigMap, Container, ContainerPort, ExecAction, Probe, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::hash::Mounted;
use super::labels::{labels, matching, meta, selector};
use super::lake::{claim, retention};
use super::pod::{
    Pods, config_volume, from_secret, mount, resources, scratch_volume, secret_volume,
};
use super::service;
use crate::crd::redis::ManagedRedis;
use crate::crd::storage::RetentionPolicy;
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::generated::{GeneratedSecret, Generator, Ownership};
use crate::stages::validated::ValidatedPipeline;

/// Redis's port.
pub(super) const PORT: i32 = 6379;
/// The key of the password in the generated Secret.
pub(super) const PASSWORD: &str = "password";
/// The key of the file of users, which Redis reads.
const USERS: &str = "users.acl";
/// The user of the official images.
const USER: i64 = 999;
/// Where the append-only file is.
const DATA: &str = "/data";

/// The password, and the file in which Redis reads it: no variable and no argument of the server holds it.
pub(super) fn secret(pipeline: &ValidatedPipeline, redis: &ManagedRedis) -> GeneratedSecret {
    GeneratedSecret {
        name: pipeline.child(Component::Redis.as_str()),
        labels: labels(pipeline, Component::Redis.as_str()),
        ownership: ownership(redis.storage.retention.when_deleted),
        keys: vec![
            (PASSWORD, Generator::Password),
            (
                USERS,
                Generator::Around {
                    before: "user default on >",
                    key: PASSWORD,
                    after: " ~* &* +@all\n",
                },
            ),
        ],
    }
}

/// What goes with data that is kept is kept.
pub(super) fn ownership(when_deleted: RetentionPolicy) -> Ownership {
    match when_deleted {
        RetentionPolicy::Retain => Ownership::Kept,
        RetentionPolicy::Delete => Ownership::Owned,
    }
}

/// Redis's objects.
pub(super) fn build(pipeline: &ValidatedPipeline, redis: &ManagedRedis) -> Vec<Child> {
    let data = BTreeMap::from([("redis.conf".to_owned(), config(pipeline, redis))]);
    let mut mounted = Mounted::default();
    mounted.files("config", &data);
    let config_map = ConfigMap {
        metadata: meta(pipeline, Component::Redis, Component::Redis.as_str()),
        data: Some(data),
        ..ConfigMap::default()
    };
    vec![
        config_map.into(),
        service::of_component(pipeline, Component::Redis, &[("redis", PORT)]).into(),
        stateful_set(pipeline, redis, mounted).into(),
    ]
}

/// `redis.conf`. What is on disk is what counts: the append-only file, and no snapshots beside it.
fn config(pipeline: &ValidatedPipeline, redis: &ManagedRedis) -> String {
    let sync = match pipeline.spec.redis.durability {
        Durability::Always => "always",
        Durability::EverySecond | Durability::None => "everysec",
    };
    let mut lines = vec![
        "bind * -::*".to_owned(),
        format!("port {PORT}"),
        // The default user has a password, so there is nothing to protect beyond it.
        "protected-mode no".to_owned(),
        "aclfile /etc/redis-users/users.acl".to_owned(),
        format!("dir {DATA}"),
        "appendonly yes".to_owned(),
        format!("appendfsync {sync}"),
        "save \"\"".to_owned(),
        // Nothing is ever evicted: a store that is full refuses.
        "maxmemory-policy noeviction".to_owned(),
    ];
    if let Some(limit) = redis.resources.memory_limit() {
        // A rewrite of the file forks, and its copies of changed pages need room beside the data.
        lines.push(format!("maxmemory {}", limit / 10 * 6));
    }
    lines.join("\n") + "\n"
}

fn stateful_set(
    pipeline: &ValidatedPipeline,
    redis: &ManagedRedis,
    mounted: Mounted,
) -> StatefulSet {
    let component = Component::Redis;
    let name = pipeline.child(component.as_str());
    let template = Pods {
        pipeline,
        component,
        options: &redis.pods,
        account: component.as_str(),
        user: USER,
        container: container(pipeline, redis),
        volumes: vec![
            config_volume("config", name.clone()),
            secret_volume("users", &name),
            scratch_volume("tmp", "64Mi".to_owned()),
        ],
        mounted,
        annotations: BTreeMap::new(),
        // Writing what is left of the append-only file.
        grace_seconds: 60,
    }
    .template();
    StatefulSet {
        metadata: meta(pipeline, component, component.as_str()),
        spec: StatefulSetSpec {
            persistent_volume_claim_retention_policy: Some(retention(&redis.storage)),
            replicas: Some(1),
            selector: matching(selector(pipeline, component)),
            service_name: Some(name),
            template,
            volume_claim_templates: Some(vec![claim(
                pipeline,
                component,
                "data",
                &redis.storage,
                "ReadWriteOnce",
            )]),
            ..StatefulSetSpec::default()
        },
        ..StatefulSet::default()
    }
}

fn container(pipeline: &ValidatedPipeline, redis: &ManagedRedis) -> Container {
    let secret = pipeline.child(Component::Redis.as_str());
    let image = redis
        .image
        .as_ref()
        .unwrap_or(&pipeline.platform.redis_image);
    Container {
        name: "redis".to_owned(),
        image: Some(image.clone()),
        command: Some(vec![
            "redis-server".to_owned(),
            "/etc/redis/redis.conf".to_owned(),
        ]),
        env: Some(vec![from_secret("REDISCLI_AUTH", &secret, PASSWORD, false)]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: PORT,
            ..ContainerPort::default()
        }]),
        // `-e`: an error as an answer, such as LOADING, fails the probe.
        readiness_probe: Some(Probe {
            exec: Some(ExecAction {
                command: Some(["redis-cli", "-e", "ping"].map(str::to_owned).into()),
            }),
            period_seconds: Some(5),
            timeout_seconds: Some(3),
            failure_threshold: Some(3),
            ..Probe::default()
        }),
        // A server that loads a large file is alive: it takes connections meanwhile.
        liveness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: IntOrString::String("redis".to_owned()),
                ..TCPSocketAction::default()
            }),
            period_seconds: Some(10),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        resources: resources(&redis.resources),
        volume_mounts: Some(vec![
            mount("config", "/etc/redis", true),
            mount("users", "/etc/redis-users", true),
            mount("data", DATA, false),
            mount("tmp", "/tmp", false),
        ]),
        ..Container::default()
    }
}
