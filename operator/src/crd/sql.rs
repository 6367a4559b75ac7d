//! `spec.sql`: what answers SQL over the lake.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::api::ServiceOptions;
use super::pods::{Autoscaling, PodOptions, Resources};

/// The processes that answer SQL. They only read the lake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SqlSpec {
    /// How many pods. A client's query is answered by the pod that took it, so clients stay with their pod for ten minutes.
    #[serde(default = "SqlSpec::replicas")]
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,
    /// Somebody else decides how many pods there are; `replicas` says nothing then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
    /// How the endpoint is reached.
    #[serde(default)]
    pub service: ServiceOptions,
    /// Disk of the node for queries that need more than their memory.
    #[serde(default = "SqlSpec::spill")]
    #[schemars(length(max = 16), regex(pattern = "^[1-9][0-9]{0,8}(Mi|Gi|Ti|M|G|T)$"))]
    pub spill: String,
    /// What each pod gets. Queries together use at most 40 % of the memory limit.
    #[serde(default = "SqlSpec::resources")]
    pub resources: Resources,
    /// Where the pods run.
    #[serde(default)]
    pub pods: PodOptions,
}

impl SqlSpec {
    fn replicas() -> i32 {
        1
    }

    fn spill() -> String {
        "10Gi".to_owned()
    }

    fn resources() -> Resources {
        Resources::usual("500m", "1Gi", "2Gi")
    }
}

impl Default for SqlSpec {
    fn default() -> Self {
        Self {
            replicas: Self::replicas(),
            autoscaling: None,
            service: ServiceOptions::default(),
            spill: Self::spill(),
            resources: Self::resources(),
            pods: PodOptions::default(),
        }
    }
}
