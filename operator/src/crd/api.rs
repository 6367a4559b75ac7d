//! `spec.api`: the game's API.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pods::{Autoscaling, PodOptions, Resources};

/// The processes that serve the game's API. Any number share the players' state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiSpec {
    /// How many pods. `kubectl scale gp <name> --replicas=4` sets it too.
    #[serde(default = "ApiSpec::replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Somebody else decides how many pods there are; `replicas` says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How the API is reached.
    #[serde(default)]
    pub service: ServiceOptions,
    /// What each pod gets.
    #[serde(default = "ApiSpec::resources")]
    pub resources: Resources,
    /// Where the pods run.
    #[serde(default)]
    pub pods: PodOptions,
}

impl ApiSpec {
    fn replicas() -> i32 {
        2
    }

    fn resources() -> Resources {
        Resources::usual("250m", "256Mi", "1Gi")
    }
}

impl Default for ApiSpec {
    fn default() -> Self {
        Self {
            replicas: Self::replicas(),
            autoscaling: None,
            service: ServiceOptions::default(),
            resources: Self::resources(),
            pods: PodOptions::default(),
        }
    }
}

/// A component's Service.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceOptions {
    /// `ClusterIP` for an Ingress or Gateway of your own, `LoadBalancer` for a cloud's, `NodePort` for a port of each node.
    #[serde(rename = "type", default)]
    pub kind: ServiceType,
    /// Annotations, with which clouds configure load balancers.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::pods::texts")]
    pub annotations: BTreeMap<String, String>,
}

/// How a Service is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ServiceType {
    /// From within the cluster.
    #[default]
    ClusterIP,
    /// On a port of each node.
    NodePort,
    /// Through a cloud's load balancer.
    LoadBalancer,
}

impl ServiceType {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClusterIP => "ClusterIP",
            Self::NodePort => "NodePort",
            Self::LoadBalancer => "LoadBalancer",
        }
    }
}
