//! What every component's pods may be told: how much they get, where they run, and who scales them.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, Toleration};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::amount::Amount;

/// What a container asks for and may use at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Resources {
    /// What the scheduler sets aside for each pod.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub requests: Amounts,
    /// What a pod may use at most. A pod that goes above its memory is killed, so the operator keeps caches and heaps below it.
    #[serde(default, skip_serializing_if = "Amounts::is_empty")]
    pub limits: Amounts,
}

/// CPU and memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// Cores: `2`, `500m` (half of one).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Amount>,
    /// Memory: `512Mi`, `2Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Amount>,
}

impl Amounts {
    /// True when nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none()
    }
}

impl Resources {
    /// Requests, and a limit on memory: CPU is left to be shared, since a limit on it makes pauses where there need be none.
    pub(super) fn usual(cpu: &str, memory: &str, memory_limit: &str) -> Self {
        Self {
            requests: Amounts {
                cpu: Some(cpu.into()),
                memory: Some(memory.into()),
            },
            limits: Amounts {
                cpu: None,
                memory: Some(memory_limit.into()),
            },
        }
    }

    /// The limit on memory in bytes, if there is one.
    pub fn memory_limit(&self) -> Option<u64> {
        self.limits.memory.as_ref()?.whole()
    }
}

/// Where a component's pods run, and what is written on them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodOptions {
    /// Labels that a node must have.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "texts")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints of nodes that these pods bear.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub tolerations: Vec<Toleration>,
    /// Kubernetes' `affinity`, as in a pod. Spread over zones and nodes is there without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "any_object")]
    pub affinity: Option<Affinity>,
    /// The name of a PriorityClass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub priority_class_name: Option<String>,
    /// More labels for the pods. Those of the operator can't be replaced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "texts")]
    pub labels: BTreeMap<String, String>,
    /// More annotations for the pods.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "texts")]
    pub annotations: BTreeMap<String, String>,
}

/// Who decides how many pods there are, instead of `replicas`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.external || has(self.maxReplicas)")
    .message("set maxReplicas, or external: true when an autoscaler of your own (KEDA, an HPA) sets the number of pods"))]
#[x_kube(validation = Rule::new("!has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
    .message("minReplicas must not be above maxReplicas"))]
pub struct Autoscaling {
    /// The fewest pods.
    #[serde(default = "Autoscaling::min_replicas")]
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,
    /// The most pods. The operator makes a HorizontalPodAutoscaler with these bounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: Option<i32>,
    /// The share of the requested CPU, in percent, that the autoscaler aims at.
    #[serde(default = "Autoscaling::cpu_percent")]
    #[schemars(range(min = 1, max = 1000))]
    pub cpu_percent: i32,
    /// An autoscaler of your own owns the number of pods: the operator makes none and leaves the number alone.
    #[serde(default)]
    pub external: bool,
}

impl Autoscaling {
    fn min_replicas() -> i32 {
        1
    }

    fn cpu_percent() -> i32 {
        70
    }
}

/// An object whose fields the API server checks when the pod is made.
fn any_object(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}

/// A map of texts. Kubernetes bounds labels, annotations and selectors further when the object is made.
pub(super) fn texts(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": 32,
        "additionalProperties": {"type": "string", "maxLength": 4096},
    })
}
