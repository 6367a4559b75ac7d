//! Passes over GamePipelines: when they begin, how many at once, and what is counted.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use gamepipe_service::Shutdown;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::core::error_boundary::InvalidObject;
use kube::core::{ApiResource, ObjectMeta, PartialObjectMetaExt, Resource, ResourceExt};
use kube::runtime::controller::{Action, Config, Controller};
use kube::runtime::reflector::{Store, store};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::backoff::{Ending, wait};
use super::context::Context;
use super::events::changes;
use super::watches::{self, Guarded, Scope};
use crate::crd::GamePipeline;
use crate::crd::status::{ConditionType, Reason};
use crate::reconcile::{Outcome, reconcile};
use crate::stages::children::Child;
use crate::stages::failure::{Failure, Remedy};
use crate::stages::namespace::Namespace;
use crate::stages::status::{Verdict, condition};

/// Bursts of events about one pipeline make one pass: pods of a rollout become ready one after the other.
const DEBOUNCE: Duration = Duration::from_millis(500);

/// What the passes of all scopes share.
#[derive(Debug)]
pub(super) struct Passes {
    pub(super) context: Arc<Context>,
    pub(super) turns: Semaphore,
    pub(super) resync: Duration,
    pub(super) concurrency: u16,
}

/// Runs passes over the pipelines of a scope until `shutdown`, and lets those that have begun come to their end. `shown` gets the store of pipelines.
pub(super) async fn run(
    scope: Scope,
    passes: Arc<Passes>,
    shutdown: Shutdown,
    shown: impl FnOnce(Store<Guarded>),
) {
    let context = Arc::clone(&passes.context);
    let (reader, writer) = store::<Guarded>();
    shown(reader.clone());
    let api: Api<Guarded> = scope.api(context.client.clone());
    let forgetting = Arc::clone(&context);
    let main = watches::events(
        api,
        watcher::Config::default(),
        "GamePipeline",
        context.metrics.clone(),
        || (),
    )
    .inspect(move |event| {
        if let watcher::Event::Delete(object) = event {
            forgetting
                .memory
                .forget(object.meta().uid.as_deref().unwrap_or_default());
        }
    })
    .map(Ok)
    .modify(|object| object.managed_fields_mut().clear())
    .reflect(writer)
    .applied_objects()
    // Not the status: that is our own writing.
    .predicate_filter(
        predicates::generation
            .combine(predicates::annotations)
            .combine(predicates::finalizers),
        PredicateConfig::default(),
    );
    let config = Config::default()
        .debounce(DEBOUNCE)
        .concurrency(passes.concurrency);
    let mut controller = Controller::for_stream(main, reader.clone()).with_config(config);
    for kind in Child::kinds() {
        controller = controller.reconcile_on(watches::children(&scope, &kind, &context));
    }
    controller
        .reconcile_on(watches::games(&scope, reader, &context))
        .graceful_shutdown_on(async move { shutdown.cancelled().await })
        .run(step, |_, error: &Infallible, _| match *error {}, passes)
        .for_each(|done| {
            if let Err(error) = done {
                // An object that was deleted before its turn came.
                tracing::debug!(%error, "a pass did not begin");
            }
            futures::future::ready(())
        })
        .await;
}

async fn step(object: Arc<Guarded>, passes: Arc<Passes>) -> Result<Action, Infallible> {
    let context = &passes.context;
    context.metrics.queued();
    // The semaphore is never closed.
    let turn = passes.turns.acquire().await;
    let running = context.metrics.began(context.micros() / 1_000_000);
    let began = Instant::now();
    let (ending, reason) = match &object.0 {
        // It is being deleted: its children go with it, and nothing is made that nobody would delete.
        Ok(pipeline) if pipeline.metadata.deletion_timestamp.is_some() => {
            return Ok(Action::await_change());
        }
        Ok(pipeline) => {
            let outcome = reconcile(pipeline, context).await;
            ended(context, pipeline, &outcome)
        }
        Err(invalid) => unreadable(context, invalid).await,
    };
    let result = match ending {
        Ending::Settled | Ending::Starting => "ok",
        Ending::Invalid => "invalid",
        Ending::Failed(..) => "failed",
    };
    context
        .metrics
        .ended(result, reason.as_str(), began.elapsed().as_secs_f64());
    drop((running, turn));
    Ok(Action::requeue(wait(
        ending,
        passes.resync,
        object.meta().uid.as_deref().unwrap_or_default(),
    )))
}

/// How a pass ended, and the word for it.
fn ended(context: &Context, pipeline: &GamePipeline, outcome: &Outcome) -> (Ending, Reason) {
    let uid = pipeline.uid().unwrap_or_default();
    let failures: Vec<&Failure> = outcome
        .report
        .failures
        .iter()
        .chain(&outcome.unwritten)
        .collect();
    if let Some(first) = failures.first() {
        for failure in &failures {
            tracing::warn!(namespace = pipeline.namespace(), pipeline = pipeline.name_any(), reason = failure.reason.as_str(), %failure, "a pass failed");
        }
        // What passes by itself is tried soon, whatever else is wrong.
        let remedy = if failures
            .iter()
            .any(|failure| failure.remedy == Remedy::Retry)
        {
            Remedy::Retry
        } else {
            first.remedy
        };
        return (
            Ending::Failed(remedy, context.memory.failed(&uid)),
            first.reason,
        );
    }
    context.memory.succeeded(&uid);
    let findings = outcome.report.findings();
    let is_invalid = matches!(outcome.report.verdict, Some(Verdict::Invalid(_)));
    let progresses = |condition: &Condition| {
        condition.type_ == ConditionType::Progressing.as_str() && condition.status == "True"
    };
    let misses = |condition: &Condition| condition.reason == Reason::PodsNotReady.as_str();
    let starting = outcome
        .status
        .conditions
        .iter()
        .any(|condition| progresses(condition) || misses(condition));
    match findings.first() {
        Some(first) if is_invalid || !starting => (Ending::Invalid, first.reason),
        _ if starting => (Ending::Starting, Reason::RollingOut),
        _ => (Ending::Settled, Reason::AllReady),
    }
}

/// An object that this version does not understand: said on the object itself, and no reason to stop the others.
async fn unreadable(context: &Context, invalid: &InvalidObject) -> (Ending, Reason) {
    let reason = Reason::SpecInvalid;
    let metadata = &invalid.metadata;
    let name = metadata.name.clone().unwrap_or_default();
    let message = format!(
        "the object does not have the form that this version of the operator expects: {}; apply it anew, or install the CRD and the operator of one release",
        invalid.error
    );
    let namespace = Namespace::new(
        context.client.clone(),
        metadata.namespace.clone().unwrap_or_default(),
    );
    match say(
        context,
        &namespace,
        &name,
        metadata.generation,
        reason,
        &message,
    )
    .await
    {
        Ok(()) => (Ending::Invalid, reason),
        Err(failure) => {
            tracing::warn!(namespace = namespace.name(), name, %failure, "the status of an unreadable object can't be written");
            let times = context
                .memory
                .failed(metadata.uid.as_deref().unwrap_or_default());
            (Ending::Failed(failure.remedy, times), failure.reason)
        }
    }
}

async fn say(
    context: &Context,
    namespace: &Namespace,
    name: &str,
    generation: Option<i64>,
    reason: Reason,
    message: &str,
) -> Result<(), Failure> {
    let kind = ApiResource::erase::<GamePipeline>(&());
    let Some(object) = namespace.get(&kind, name).await? else {
        return Ok(());
    };
    let old: Vec<Condition> =
        serde_json::from_value(object["status"]["conditions"].clone()).unwrap_or_default();
    let now = context.now();
    let conditions: Vec<Condition> = [ConditionType::Ready, ConditionType::SpecValid]
        .into_iter()
        .map(|kind| {
            let before = old
                .iter()
                .find(|condition| condition.type_ == kind.as_str());
            condition(before, kind, false, reason, message, generation, &now)
        })
        .collect();
    if conditions.iter().all(|condition| old.contains(condition)) {
        return Ok(());
    }
    let status = json!({
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name},
        "status": {"observedGeneration": generation, "conditions": conditions},
    });
    namespace.apply_status(&kind, name, &status).await?;
    let metadata: ObjectMeta =
        serde_json::from_value(object["metadata"].clone()).unwrap_or_default();
    let reference = metadata.into_request_partial::<GamePipeline>();
    for announcement in changes(&old, &conditions) {
        context.events.tell(&reference, &announcement).await;
    }
    Ok(())
}
