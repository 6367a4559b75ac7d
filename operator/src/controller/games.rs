//! Games: whether their definitions load, said in their status.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use gamepipe_service::Shutdown;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::core::{ApiResource, PartialObjectMeta, Resource, ResourceExt};
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::store;
use kube::runtime::{PredicateConfig, WatchStreamExt, predicates, watcher};
use serde_json::{Value, json};

use super::backoff::{Ending, wait};
use super::context::Context;
use super::events::changes;
use super::watches::{self, Scope};
use crate::crd::Game;
use crate::crd::game::GameStatus;
use crate::crd::status::{ConditionType, Reason};
use crate::stages::failure::Failure;
use crate::stages::namespace::Namespace;
use crate::stages::status::condition;
use crate::stages::validate::{GameVerdict, judge};

/// A Game's metadata: definitions are large, and are read when they changed.
type Meta = PartialObjectMeta<Game>;

/// How long until a Game is looked at again although nothing changed.
const RESYNC: Duration = Duration::from_secs(60 * 60);

/// Judges the Games of a scope until `shutdown`.
pub(super) async fn run(scope: Scope, context: Arc<Context>, shutdown: Shutdown) {
    let (reader, writer) = store::<Meta>();
    let api: Api<Meta> = scope.api(context.client.clone());
    let main = watches::events(
        api,
        watcher::Config::default(),
        "Game",
        context.metrics.clone(),
        || (),
    )
    .map(Ok)
    .modify(|object| object.managed_fields_mut().clear())
    .reflect(writer)
    .applied_objects()
    .predicate_filter(predicates::generation, PredicateConfig::default());
    Controller::for_stream(main, reader)
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(step, |_, error: &Infallible, _| match *error {}, context)
        .for_each(|_| futures::future::ready(()))
        .await;
}

async fn step(object: Arc<Meta>, context: Arc<Context>) -> Result<Action, Infallible> {
    let uid = object.uid().unwrap_or_default();
    let ending = match pass(&*object, &context).await {
        Ok(()) => {
            context.memory.succeeded(&uid);
            Ending::Settled
        }
        Err(failure) => {
            tracing::warn!(namespace = object.namespace(), game = object.name_any(), %failure, "a Game's status can't be kept");
            Ending::Failed(failure.remedy, context.memory.failed(&uid))
        }
    };
    Ok(Action::requeue(wait(ending, RESYNC, &uid)))
}

/// Reads a Game and says in its status whether it loads.
///
/// # Errors
/// What the API server answered.
pub async fn pass<K: Resource<DynamicType = ()>>(
    object: &K,
    context: &Context,
) -> Result<(), Failure> {
    let metadata = object.meta();
    let name = metadata.name.as_deref().unwrap_or_default();
    let namespace = Namespace::new(
        context.client.clone(),
        metadata.namespace.as_deref().unwrap_or_default(),
    );
    let kind = ApiResource::erase::<Game>(&());
    let Some(found) = namespace.get(&kind, name).await? else {
        return Ok(());
    };
    let old: GameStatus = serde_json::from_value(found["status"].clone()).unwrap_or_default();
    let status = judged(found, &old, context);
    if status == old {
        return Ok(());
    }
    let written = json!({"apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": name}, "status": status});
    namespace.apply_status(&kind, name, &written).await?;
    for announcement in changes(&old.conditions, &status.conditions) {
        context.events.tell(object, &announcement).await;
    }
    Ok(())
}

fn judged(found: Value, old: &GameStatus, context: &Context) -> GameStatus {
    let generation = found["metadata"]["generation"].as_i64();
    let valid = |holds: bool, reason: Reason, message: &str| -> Vec<Condition> {
        let before = old
            .conditions
            .iter()
            .find(|condition| condition.type_ == ConditionType::Valid.as_str());
        vec![condition(
            before,
            ConditionType::Valid,
            holds,
            reason,
            message,
            generation,
            &context.now(),
        )]
    };
    let verdict = match serde_json::from_value::<Game>(found) {
        Ok(game) => judge(&game),
        Err(error) => {
            let conditions = valid(
                false,
                Reason::GameInvalid,
                &format!("the object can't be read: {error}"),
            );
            return GameStatus {
                observed_generation: generation,
                version: None,
                conditions,
            };
        }
    };
    match verdict {
        GameVerdict::Valid(definition) => GameStatus {
            observed_generation: generation,
            version: Some(definition.version().to_owned()),
            conditions: valid(true, Reason::Accepted, "the definition loads"),
        },
        GameVerdict::Invalid(finding) => GameStatus {
            observed_generation: generation,
            version: None,
            conditions: valid(false, finding.reason, &finding.message),
        },
    }
}
