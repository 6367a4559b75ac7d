//! `GamePipeline`: one running game.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::ApiSpec;
use super::kafka::KafkaSpec;
use super::lake::LakeSpec;
use super::network::NetworkPolicySpec;
use super::redis::RedisSpec;
use super::settings::RoleSettings;
use super::sql::SqlSpec;
use super::status::GamePipelineStatus;
use super::streamer::StreamerSpec;

/// What runs: a game's API, its event log, what lands it in tables, and SQL over them.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "gamepipe.dev",
    version = "v1alpha1",
    kind = "GamePipeline",
    plural = "gamepipelines",
    namespaced,
    derive = "PartialEq",
    status = "GamePipelineStatus",
    shortname = "gp",
    category = "gamepipe",
    doc = "A running game: its API, the players' state in Redis, the event log in Kafka, what lands events in tables, and SQL over them. Apply a Game first.",
    scale(
        spec_replicas_path = ".spec.api.replicas",
        status_replicas_path = ".status.apiReplicas",
        label_selector_path = ".status.selector"
    ),
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status", description = "True when every component is ready"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].reason", description = "Why it is ready or not"),
    printcolumn(name = "API", type_ = "string", json_path = ".status.endpoints.api", description = "Where the game's API is"),
    printcolumn(name = "SQL", type_ = "string", json_path = ".status.endpoints.sql", description = "Where SQL is answered"),
    printcolumn(name = "Lag", type_ = "string", json_path = ".status.lag", description = "How many events have not landed, by order of magnitude"),
    printcolumn(name = "Message", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].message", description = "What is missing and what to do", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    validation = Rule::new("self.metadata.name.matches('^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$')").message("a GamePipeline's name is a lower-case letter, then lower-case letters, digits and -, at most 63 characters: Services are named after it").field_path(".metadata.name")
)]
#[serde(rename_all = "camelCase")]
pub struct GamePipelineSpec {
    /// Which game.
    pub game: GameReference,
    /// The image of gamepipe; the operator's own version when absent. A digest (`name@sha256:..`) is taken too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// When nodes fetch images: `Always`, `IfNotPresent`, `Never`.
    #[serde(default)]
    pub image_pull_policy: PullPolicy,
    /// Names of Secrets of type `kubernetes.io/dockerconfigjson`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), inner(length(min = 1, max = 253)))]
    pub image_pull_secrets: Vec<String>,
    /// The event log.
    pub kafka: KafkaSpec,
    /// The players' state.
    pub redis: RedisSpec,
    /// Where the tables are.
    pub lake: LakeSpec,
    /// The game's API.
    #[serde(default)]
    pub api: ApiSpec,
    /// What lands the log in the lake.
    #[serde(default)]
    pub streamer: StreamerSpec,
    /// SQL over the lake.
    #[serde(default)]
    pub sql: SqlSpec,
    /// Who may speak to whom.
    #[serde(default)]
    pub network_policy: NetworkPolicySpec,
    /// Further settings of the roles, as the file of `gamepipe serve --config` has them: `{api: {maxInFlight: 500}}`.
    #[serde(default, skip_serializing_if = "RoleSettings::is_empty")]
    pub settings: RoleSettings,
    /// Which log lines the roles write: `warn`, `info,gamepipe_api=debug`.
    #[serde(default = "GamePipelineSpec::log_filter")]
    #[schemars(length(min = 1, max = 256))]
    pub log_filter: String,
    /// Take API, streamers and SQL down to no pods. Kafka, Redis and all data stay.
    #[serde(default)]
    pub suspend: bool,
}

impl GamePipelineSpec {
    fn log_filter() -> String {
        "warn".to_owned()
    }
}

/// A Game of the same namespace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameReference {
    /// The Game's name. Can't be changed.
    #[schemars(length(min = 1, max = 40))]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("a pipeline can't change to another game: players and tables are those of the first; make a new GamePipeline for the other game"))]
    pub name: String,
}

/// When a node fetches an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// Each time a pod starts.
    Always,
    /// When the node does not have it.
    #[default]
    IfNotPresent,
    /// Not at all.
    Never,
}

impl PullPolicy {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "Always",
            Self::IfNotPresent => "IfNotPresent",
            Self::Never => "Never",
        }
    }
}
