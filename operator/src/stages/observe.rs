//! Reads what the other stages may know of the cluster.

use std::collections::BTreeMap;

use futures::future::try_join_all;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, PodTemplateSpec, Secret};
use kube::core::{ApiResource, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::build::definition::GAME_FILE;
use super::build::labels::{COMPONENT, DEFINITION, GAME_VERSION};
use super::children::{Applied, Child, Children};
use super::component::{Component, child_name, sha256_hex};
use super::failure::Failure;
use super::namespace::{Namespace, of_pipeline, unreadable};
use super::observed::{DeployedGame, Observed, SecretFacts};
use super::rollout::Rollout;
use super::validate::secret_needs;
use crate::crd::status::GamePipelineStatus;
use crate::crd::{Game, GamePipeline};

/// What was read.
#[derive(Debug)]
pub struct Sight {
    /// What validate and build may know.
    pub observed: Observed,
    /// The workloads as they are.
    pub workloads: Vec<Child>,
}

impl Sight {
    /// The workloads as what is there, when nothing is applied.
    pub fn children(self) -> Children<Applied> {
        Children::new(Vec::new(), Vec::new()).applied(self.workloads)
    }
}

/// Reads the Game, the workloads, the definitions that these mount, and the Secrets that the spec names.
///
/// # Errors
/// The first read that failed.
pub async fn observe(
    namespace: &Namespace,
    pipeline: &GamePipeline,
    status: &GamePipelineStatus,
) -> Result<Sight, Failure> {
    let name = pipeline.name_any();
    let game = read::<Game>(namespace, &pipeline.spec.game.name).await?;
    let workloads = workloads(namespace, pipeline).await?;
    let deployed: BTreeMap<Component, DeployedGame> =
        workloads.iter().filter_map(deployed).collect();
    let observed = Observed {
        game,
        definitions: definitions(namespace, &name, &deployed).await?,
        secrets: secrets(namespace, pipeline).await?,
        brokers: brokers(&workloads, status),
        kafka_cluster_id: status.kafka_cluster_id.clone(),
        deployed,
    };
    Ok(Sight {
        observed,
        workloads,
    })
}

/// The workloads of all components that the spec has.
async fn workloads(namespace: &Namespace, pipeline: &GamePipeline) -> Result<Vec<Child>, Failure> {
    let spec = &pipeline.spec;
    let wanted = Component::ALL
        .into_iter()
        .filter(|component| match component {
            Component::KafkaController | Component::Kafka => spec.kafka.managed.is_some(),
            Component::Redis => spec.redis.managed.is_some(),
            Component::Streamer | Component::Api | Component::Sql => true,
        });
    let name = pipeline.name_any();
    let reads = wanted
        .map(|component| workload(namespace, component, child_name(&name, component.as_str())));
    Ok(try_join_all(reads).await?.into_iter().flatten().collect())
}

async fn workload(
    namespace: &Namespace,
    component: Component,
    name: String,
) -> Result<Option<Child>, Failure> {
    Ok(match component {
        Component::KafkaController | Component::Kafka | Component::Redis => {
            read::<StatefulSet>(namespace, &name)
                .await?
                .map(Child::from)
        }
        Component::Streamer | Component::Api | Component::Sql => {
            read::<Deployment>(namespace, &name).await?.map(Child::from)
        }
    })
}

/// Which definition a role has, if the workload is one.
fn deployed(workload: &Child) -> Option<(Component, DeployedGame)> {
    let Child::Deployment(deployment) = workload else {
        return None;
    };
    let version = annotation(&deployment.spec.template, GAME_VERSION)?;
    let complete = Rollout::of(workload)?.is_complete();
    Some((workload.component()?, DeployedGame { version, complete }))
}

/// An annotation of a workload's pods.
pub(super) fn annotation(template: &PodTemplateSpec, name: &str) -> Option<String> {
    template
        .metadata
        .as_ref()?
        .annotations
        .as_ref()?
        .get(name)
        .cloned()
}

/// The definitions that pods mount. While a rollout is under way, pods of any older one may still be there.
async fn definitions(
    namespace: &Namespace,
    pipeline: &str,
    deployed: &BTreeMap<Component, DeployedGame>,
) -> Result<BTreeMap<String, String>, Failure> {
    let kind = ApiResource::erase::<ConfigMap>(&());
    let maps = if deployed.values().any(|role| !role.complete) {
        let labels = format!("{},{COMPONENT}={DEFINITION}", of_pipeline(pipeline));
        namespace.list(&kind, &labels).await?
    } else {
        let mut versions: Vec<&str> = deployed
            .values()
            .map(|role| role.version.as_str())
            .collect();
        versions.sort_unstable();
        versions.dedup();
        let names = versions
            .into_iter()
            .map(|version| child_name(pipeline, &format!("game-{version}")));
        let names: Vec<String> = names.collect();
        let reads = names.iter().map(|name| namespace.get(&kind, name));
        try_join_all(reads).await?.into_iter().flatten().collect()
    };
    let text = |map: &serde_json::Value| {
        let version = map["metadata"]["labels"][GAME_VERSION].as_str()?;
        Some((
            version.to_owned(),
            map["data"][GAME_FILE].as_str()?.to_owned(),
        ))
    };
    Ok(maps.iter().filter_map(text).collect())
}

/// The Secrets that the spec names, by hashes of their values: the values themselves are forgotten here.
async fn secrets(
    namespace: &Namespace,
    pipeline: &GamePipeline,
) -> Result<BTreeMap<String, SecretFacts>, Failure> {
    let mut found = BTreeMap::new();
    for need in secret_needs(&pipeline.spec) {
        if found.contains_key(&need.name) {
            continue;
        }
        if let Some(secret) = read::<Secret>(namespace, &need.name).await? {
            let data = secret.data.unwrap_or_default();
            let keys = data
                .into_iter()
                .map(|(key, value)| (key, sha256_hex(&value.0)))
                .collect();
            found.insert(need.name, SecretFacts { keys });
        }
    }
    Ok(found)
}

/// How many brokers there are. When their StatefulSet is away, because it is being made anew or somebody deleted it, their volumes are not.
fn brokers(workloads: &[Child], status: &GamePipelineStatus) -> Option<i32> {
    let there = workloads
        .iter()
        .find(|child| child.component() == Some(Component::Kafka));
    let told = status
        .components
        .iter()
        .find(|component| component.name == Component::Kafka.as_str());
    match there {
        Some(Child::StatefulSet(brokers)) => brokers.spec.replicas,
        _ => told.map(|component| component.desired),
    }
}

async fn read<K: Resource<DynamicType = ()> + DeserializeOwned>(
    namespace: &Namespace,
    name: &str,
) -> Result<Option<K>, Failure> {
    let kind = ApiResource::erase::<K>(&());
    let found = namespace.get(&kind, name).await?;
    let typed = found.map(serde_json::from_value).transpose();
    typed.map_err(|error| unreadable(&format!("read {} {name}", kind.kind), &error))
}
