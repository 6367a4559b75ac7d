//! What all pods share: no privileges, no writable root, no token; spread over zones and nodes; replaced when their configuration changes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMapVolumeSource, Container, EmptyDirVolumeSource, EnvVar, EnvVarSource,
    HTTPGetAction, KeyToPath, LocalObjectReference, ObjectFieldSelector, PodSecurityContext,
    PodSpec, PodTemplateSpec, Probe, ResourceRequirements, SeccompProfile, SecretKeySelector,
    SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::hash::Mounted;
use super::labels::{CONFIG_HASH, labels, matching, selector};
use crate::crd::pods::{Amounts, PodOptions, Resources};
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// A component's pods.
pub(super) struct Pods<'a> {
    pub(super) pipeline: &'a ValidatedPipeline,
    pub(super) component: Component,
    pub(super) options: &'a PodOptions,
    /// The service account's suffix.
    pub(super) account: &'static str,
    /// The user and group that the containers run as, and that own the volumes.
    pub(super) user: i64,
    pub(super) container: Container,
    pub(super) volumes: Vec<Volume>,
    pub(super) mounted: Mounted,
    /// More annotations of the operator.
    pub(super) annotations: BTreeMap<String, String>,
    /// How long a pod may take to finish when it is asked to, in seconds.
    pub(super) grace_seconds: i64,
}

impl Pods<'_> {
    /// The template of a StatefulSet or Deployment.
    pub(super) fn template(self) -> PodTemplateSpec {
        let (pipeline, options) = (self.pipeline, self.options);
        let mut all_labels = options.labels.clone();
        all_labels.extend(labels(pipeline, self.component.as_str()));
        let mut annotations = options.annotations.clone();
        annotations.extend(self.annotations);
        annotations.insert(CONFIG_HASH.to_owned(), self.mounted.hash());
        let mut container = self.container;
        container.image_pull_policy = Some(pipeline.spec.image_pull_policy.as_str().to_owned());
        container.security_context = Some(unprivileged());
        PodTemplateSpec {
            metadata: Some(ObjectMeta {
                labels: Some(all_labels),
                annotations: Some(annotations),
                ..ObjectMeta::default()
            }),
            spec: Some(PodSpec {
                affinity: options.affinity.clone(),
                automount_service_account_token: Some(false),
                containers: vec![container],
                // A Service called `gamepipe-api` must not look like a setting of ours.
                enable_service_links: Some(false),
                image_pull_secrets: some(pull_secrets(pipeline)),
                node_selector: some_map(options.node_selector.clone()),
                priority_class_name: options.priority_class_name.clone(),
                security_context: Some(as_user(self.user)),
                service_account_name: Some(pipeline.child(self.account)),
                termination_grace_period_seconds: Some(self.grace_seconds),
                tolerations: some(options.tolerations.clone()),
                topology_spread_constraints: Some(spread(pipeline, self.component)),
                volumes: some(self.volumes),
                ..PodSpec::default()
            }),
        }
    }
}

fn pull_secrets(pipeline: &ValidatedPipeline) -> Vec<LocalObjectReference> {
    let names = pipeline.spec.image_pull_secrets.iter();
    names
        .map(|name| LocalObjectReference { name: name.clone() })
        .collect()
}

/// Over zones, then over nodes, as well as can be: a cluster of one node runs all of them.
fn spread(pipeline: &ValidatedPipeline, component: Component) -> Vec<TopologySpreadConstraint> {
    ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        .map(|key| TopologySpreadConstraint {
            label_selector: Some(matching(selector(pipeline, component))),
            max_skew: 1,
            topology_key: key.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        })
        .into()
}

fn as_user(user: i64) -> PodSecurityContext {
    PodSecurityContext {
        fs_group: Some(user),
        fs_group_change_policy: Some("OnRootMismatch".to_owned()),
        run_as_group: Some(user),
        run_as_non_root: Some(true),
        run_as_user: Some(user),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

fn unprivileged() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities {
            drop: Some(vec!["ALL".to_owned()]),
            ..Capabilities::default()
        }),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        ..SecurityContext::default()
    }
}

/// The container's requests and limits.
pub(super) fn resources(resources: &Resources) -> Option<ResourceRequirements> {
    let amounts = |amounts: &Amounts| {
        let named = [("cpu", &amounts.cpu), ("memory", &amounts.memory)];
        let given = named.into_iter().filter_map(|(name, amount)| {
            Some((name.to_owned(), Quantity(amount.as_ref()?.to_string())))
        });
        some_map(given.collect())
    };
    let (limits, requests) = (amounts(&resources.limits), amounts(&resources.requests));
    (limits.is_some() || requests.is_some()).then(|| ResourceRequirements {
        limits,
        requests,
        ..ResourceRequirements::default()
    })
}

/// A probe over HTTP that fails after `failures` times `period` seconds.
pub(super) fn http_probe(path: &str, port: &str, period: i32, failures: i32) -> Probe {
    Probe {
        http_get: Some(HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            ..HTTPGetAction::default()
        }),
        period_seconds: Some(period),
        timeout_seconds: Some(3),
        failure_threshold: Some(failures),
        ..Probe::default()
    }
}

/// A variable with a plain value.
pub(super) fn variable(name: &str, value: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value: Some(value.to_owned()),
        ..EnvVar::default()
    }
}

/// A variable out of a Secret. One that is optional is not set when the key is not there.
pub(super) fn from_secret(name: &str, secret: &str, key: &str, optional: bool) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            secret_key_ref: Some(SecretKeySelector {
                key: key.to_owned(),
                name: secret.to_owned(),
                optional: optional.then_some(true),
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// A variable out of the pod's own fields.
pub(super) fn from_field(name: &str, path: &str) -> EnvVar {
    EnvVar {
        name: name.to_owned(),
        value_from: Some(EnvVarSource {
            field_ref: Some(ObjectFieldSelector {
                field_path: path.to_owned(),
                ..ObjectFieldSelector::default()
            }),
            ..EnvVarSource::default()
        }),
        ..EnvVar::default()
    }
}

/// A ConfigMap as a volume.
pub(super) fn config_volume(volume: &str, config_map: String) -> Volume {
    Volume {
        name: volume.to_owned(),
        config_map: Some(ConfigMapVolumeSource {
            name: config_map,
            ..ConfigMapVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A Secret as a volume, readable by the container's group alone.
pub(super) fn secret_volume(volume: &str, secret: &str) -> Volume {
    Volume {
        name: volume.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(secret.to_owned()),
            default_mode: Some(0o440),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Some of a Secret's keys as files: what a pod does not need is not shown to it.
pub(super) fn some_of_secret(volume: &str, secret: &str, keys: &[&str]) -> Volume {
    let item = |key: &&str| KeyToPath {
        key: (*key).to_owned(),
        path: (*key).to_owned(),
        ..KeyToPath::default()
    };
    let mut volume = secret_volume(volume, secret);
    if let Some(source) = &mut volume.secret {
        source.items = Some(keys.iter().map(item).collect());
    }
    volume
}

/// A folder of the node that goes with the pod.
pub(super) fn scratch_volume(volume: &str, size: String) -> Volume {
    Volume {
        name: volume.to_owned(),
        empty_dir: Some(EmptyDirVolumeSource {
            size_limit: Some(Quantity(size)),
            ..EmptyDirVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// A volume's place in the container.
pub(super) fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// The list, unless it is empty: fields that are empty lists are left to their defaults.
pub(super) fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// The map, unless it is empty.
pub(super) fn some_map<K: Ord, V>(map: BTreeMap<K, V>) -> Option<BTreeMap<K, V>> {
    (!map.is_empty()).then_some(map)
}
