//! `spec.redis`: the players' state, in a Redis that the operator runs or in one that is there.

use gamepipe_config::state::Durability;
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use super::pods::{PodOptions, Resources};
use super::storage::Storage;

/// The state store. Give `managed` or `external`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.managed) != has(self.external)")
    .message("give exactly one of managed (the operator runs Redis) and external (urlSecret of a Redis that is there)"))]
#[x_kube(validation = Rule::new("has(self.managed) == has(oldSelf.managed)")
    .message("the state can't move between managed and external: players would begin anew; make a new GamePipeline, or rebuild the state with `gamepipe state rebuild`"))]
pub struct RedisSpec {
    /// A Redis that the operator runs, for this pipeline alone: one primary with an append-only file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed: Option<ManagedRedis>,
    /// A Redis that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<ExternalRedis>,
    /// How much of what was acknowledged a crash of Redis's machine may take: `everySecond` (about a second), `always` (nothing), `none`
    /// (anything: for tests). A Redis that does less is refused.
    #[serde(default = "RedisSpec::durability")]
    pub durability: Durability,
}

impl RedisSpec {
    fn durability() -> Durability {
        Durability::EverySecond
    }
}

/// One Redis with an append-only file on a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManagedRedis {
    /// The image, with `redis-server` and `redis-cli` 7 or newer; the operator's own choice when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    pub image: Option<String>,
    /// The volume of the append-only file: three times the data, for it is written anew now and then.
    pub storage: Storage,
    /// What Redis gets. It refuses writes at 60 % of the memory limit, so that a rewrite of its file fits beside the data.
    #[serde(default = "ManagedRedis::resources")]
    pub resources: Resources,
    /// Where Redis runs.
    #[serde(default)]
    pub pods: PodOptions,
}

impl ManagedRedis {
    fn resources() -> Resources {
        Resources::usual("100m", "256Mi", "1Gi")
    }
}

/// A Redis that is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.name) == has(oldSelf.name) && (!has(self.name) || self.name == oldSelf.name)")
    .message("the name can't be changed: players would begin anew; write the one that it has").field_path(".name"))]
pub struct ExternalRedis {
    /// A Secret whose key `url` is the address, such as `rediss://user:password@host:6379/0`; the password may stand in a key `password` instead.
    #[schemars(length(min = 1, max = 253))]
    pub url_secret: String,
    /// The name below which this pipeline keeps its keys, so that several can share a Redis; `<namespace>/<name>` of the GamePipeline when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 200), regex(pattern = "^[a-zA-Z0-9._:/-]+$"))]
    pub name: Option<String>,
}
