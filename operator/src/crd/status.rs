//! What the operator says of a GamePipeline. The words (types of conditions, reasons, component names) are closed sets: they are labels of
//! metrics and reasons of events too.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found when the resource was last looked at.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct GamePipelineStatus {
    /// The generation of the spec that this is about: older than `metadata.generation` means not looked at yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` sums up; the others say what is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    #[schemars(length(max = 32))]
    pub conditions: Vec<Condition>,
    /// The components, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    #[schemars(length(max = 16))]
    pub components: Vec<ComponentStatus>,
    /// Where things are.
    #[serde(default, skip_serializing_if = "Endpoints::is_empty")]
    pub endpoints: Endpoints,
    /// The game that runs: its version by role, while a new one rolls out.
    #[serde(default, skip_serializing_if = "GameRollout::is_empty")]
    pub game: GameRollout,
    /// The id of the managed Kafka cluster, made once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka_cluster_id: Option<String>,
    /// How many events have not landed, by order of magnitude: `0`, `<100`, `<10k`, `<1M`, `>=1M`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<String>,
    /// How many API pods there are; for `kubectl scale` and autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_replicas: Option<i32>,
    /// Selects the API's pods; for autoscalers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
}

/// One component.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ComponentStatus {
    /// Which: `kafka`, `kafka-controller`, `redis`, `api`, `streamer`, `sql`.
    pub name: String,
    /// How many pods are ready and up to date.
    pub ready: i32,
    /// How many there should be.
    pub desired: i32,
    /// The image that they should run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The hash of what they have mounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_hash: Option<String>,
}

/// Addresses within the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoints {
    /// The game's API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<String>,
    /// The SQL endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// Kafka's bootstrap address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kafka: Option<String>,
}

impl Endpoints {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Which version of the game each role has. They differ while a new version rolls out: streamers first, then API and SQL.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GameRollout {
    /// The streamers' version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streamer: Option<String>,
    /// The version of API and SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serving: Option<String>,
}

impl GameRollout {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Declares an enum whose members are written by their own names, and all of them.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $member:ident),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $member),+ }

        impl $name {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$member),+];

            /// As it stands in conditions, events and metrics.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$member => stringify!($member)),+ }
            }
        }
    };
}

words! {
    /// The types of conditions.
    ConditionType {
        /// Every component is ready and the spec is in force as it is written.
        Ready,
        /// A change is being carried out.
        Progressing,
        /// It runs, and something is not as it should be.
        Degraded,
        /// The spec and the Game can be carried out.
        SpecValid,
        /// The operator changes nothing: the annotation `gamepipe.dev/paused` says so.
        Paused,
        /// Kafka answers, managed or external.
        KafkaReady,
        /// Redis answers, managed or external.
        RedisReady,
        /// Every API pod is ready and up to date.
        ApiReady,
        /// Every streamer is ready and up to date.
        StreamerReady,
        /// Every SQL pod is ready and up to date.
        SqlReady,
        /// Of a Game: the definition loads.
        Valid,
    }
}

words! {
    /// Why a condition is as it is.
    Reason {
        /// All is as it should be.
        AllReady,
        /// Not looked at yet.
        Unknown,
        /// Pods of a component are starting or being replaced.
        RollingOut,
        /// Pods of a component are not ready and nothing is being replaced.
        PodsNotReady,
        /// The spec can be carried out.
        Accepted,
        /// Fields of the spec contradict one another or can't be read.
        SpecInvalid,
        /// The Game that is named is not there.
        GameNotFound,
        /// The Game's definition does not load.
        GameInvalid,
        /// The Game is too large for a ConfigMap.
        GameTooLarge,
        /// The Game's new definition does not fit the data; the one before stays in force.
        GameChangeRefused,
        /// A Secret that is named is not there.
        SecretNotFound,
        /// A Secret that is named lacks a key.
        SecretKeyMissing,
        /// Fewer brokers are asked for than there are; they stay until the annotation says that they may go.
        BrokerRemovalBlocked,
        /// A field that can't be changed on an object that is there was changed.
        ImmutableField,
        /// A managed component does not answer.
        BackendUnavailable,
        /// It is somebody else's: roles report whether they reach it.
        External,
        /// `spec.suspend` is set.
        Suspended,
        /// The annotation `gamepipe.dev/paused` is set.
        PausedByAnnotation,
        /// The annotation is not set.
        NotPaused,
        /// Nothing is wrong.
        Healthy,
        /// Nothing is being changed.
        Idle,
        /// The operator may not do what it has to.
        Forbidden,
        /// The API server refused an object.
        Refused,
        /// The API server does not answer, or somebody else changed an object meanwhile; it is tried again.
        ApiUnavailable,
        /// Looking at the resource took longer than it may.
        TimedOut,
    }
}
