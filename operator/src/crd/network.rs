//! `spec.networkPolicy`: who may speak to whom.

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;
use kube::KubeSchema;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// NetworkPolicies: Kafka and Redis take connections from this pipeline's pods alone; API, SQL and metrics from those named here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// Make the policies. They do something only where the cluster's network enforces them.
    #[serde(default = "NetworkPolicySpec::enabled")]
    pub enabled: bool,
    /// Who may reach the API: peers as in a NetworkPolicy's `from`, such as `[{namespaceSelector: {}}]`. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "peers")]
    pub api_from: Vec<NetworkPolicyPeer>,
    /// Who may reach SQL. Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "peers")]
    pub sql_from: Vec<NetworkPolicyPeer>,
    /// Who may read the streamers' metrics (those of API and SQL are on their own ports). Empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "peers")]
    pub metrics_from: Vec<NetworkPolicyPeer>,
    /// Who else may reach a managed Kafka, such as an analysis of your own. They need a user of Kafka too. Empty: nobody else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "peers")]
    pub kafka_from: Vec<NetworkPolicyPeer>,
}

impl NetworkPolicySpec {
    fn enabled() -> bool {
        true
    }
}

impl Default for NetworkPolicySpec {
    fn default() -> Self {
        Self {
            enabled: true,
            api_from: Vec::new(),
            sql_from: Vec::new(),
            metrics_from: Vec::new(),
            kafka_from: Vec::new(),
        }
    }
}

/// Peers as a NetworkPolicy takes them; the API server checks their fields when the policy is made.
fn peers(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
    })
}
