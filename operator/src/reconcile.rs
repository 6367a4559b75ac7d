//! The loop: observe -> validate -> build -> apply -> prune -> status, on one screen.
//!
//! A pass never fails: what could not be done is in its report, and the status is written whatever happened.

use std::time::Duration;

use kube::core::{Resource, ResourceExt};
use tokio::time::timeout;

use crate::controller::context::Context;
use crate::crd::status::{GamePipelineStatus, Reason};
use crate::crd::{GamePipeline, PAUSED};
use crate::stages::apply::{Target, apply};
use crate::stages::build::build;
use crate::stages::children::Child;
use crate::stages::failure::{Failure, Remedy};
use crate::stages::look::trouble;
use crate::stages::namespace::Namespace;
use crate::stages::observe::observe;
use crate::stages::prune::{Plan, prune};
use crate::stages::status::{Report, Verdict, compute};
use crate::stages::validate::validate;
use crate::stages::validated::ValidatedPipeline;

/// The longest that a pass may take before its status says so. Hundreds of calls take a second; what takes a minute hangs.
pub const PASS_LIMIT: Duration = Duration::from_secs(60);

/// The longest that writing the status may take after a pass.
const STATUS_LIMIT: Duration = Duration::from_secs(10);

/// What came of a pass.
#[derive(Debug)]
pub struct Outcome {
    /// What it found.
    pub report: Report,
    /// The status that it left.
    pub status: GamePipelineStatus,
    /// Why the status could not be written.
    pub unwritten: Option<Failure>,
}

/// One pass over a pipeline.
pub async fn reconcile(pipeline: &GamePipeline, context: &Context) -> Outcome {
    let namespace = Namespace::new(
        context.client.clone(),
        pipeline.namespace().unwrap_or_default(),
    );
    let before = context.memory.status(pipeline);
    let report = timeout(PASS_LIMIT, pass(pipeline, &before, &namespace, context))
        .await
        .unwrap_or_else(|_| timed_out());
    let status = compute(pipeline, &before, &report, &context.now());
    let written = timeout(
        STATUS_LIMIT,
        context.write_status(&namespace, pipeline, &before, &status),
    )
    .await;
    let unwritten = written.unwrap_or_else(|_| Err(unwritten_in_time())).err();
    if unwritten.is_none() {
        context.tell_changes(pipeline, &before, &status).await;
    }
    Outcome {
        report,
        status,
        unwritten,
    }
}

/// Observe, validate, and, unless something speaks against it, carry out.
async fn pass(
    pipeline: &GamePipeline,
    before: &GamePipelineStatus,
    namespace: &Namespace,
    context: &Context,
) -> Report {
    let mut report = Report {
        paused: is_paused(pipeline),
        ..Report::default()
    };
    let sight = match observe(namespace, pipeline, before).await {
        Ok(sight) => sight,
        Err(failure) => {
            report.failures.push(failure);
            return report;
        }
    };
    match validate(pipeline, &sight.observed, &context.platform) {
        Ok(valid) => {
            report.verdict = Some(Verdict::Valid(valid.held.clone()));
            if !report.paused {
                carry_out(
                    &valid,
                    sight.workloads,
                    pipeline,
                    namespace,
                    context,
                    &mut report,
                )
                .await;
                return report;
            }
        }
        Err(findings) => report.verdict = Some(Verdict::Invalid(findings)),
    }
    report.children = Some(sight.children());
    report
}

/// Build, apply, prune, and a look at how the pods do.
async fn carry_out(
    valid: &ValidatedPipeline,
    workloads: Vec<Child>,
    pipeline: &GamePipeline,
    namespace: &Namespace,
    context: &Context,
    report: &mut Report,
) {
    let (name, owner) = (pipeline.name_any(), pipeline.controller_owner_ref(&()));
    let built = build(valid);
    let plan = Plan::of(built.objects());
    let target = Target {
        namespace,
        pipeline: &name,
        owner: owner.as_ref(),
        known: &context.known,
    };
    let applied = apply(target, built, workloads).await;
    report.failures = applied.failures;
    report.kafka_cluster_id = applied.kafka_cluster_id;
    context.tell_notes(pipeline, &applied.notes).await;
    let now = context.micros();
    if let Some(owner) = &owner
        && report.failures.is_empty()
        && context.memory.is_prune_due(pipeline, &plan, now)
    {
        match prune(namespace, &name, owner, &plan).await {
            Ok(_) => context.memory.pruned(pipeline, plan, now),
            Err(failure) => report.failures.push(failure),
        }
    }
    report.trouble = trouble(namespace, &name, &applied.children).await;
    report.lag = context.lag(namespace, pipeline, &applied.children).await;
    report.children = Some(applied.children);
}

fn is_paused(pipeline: &GamePipeline) -> bool {
    pipeline
        .annotations()
        .get(PAUSED)
        .is_some_and(|value| value == "true")
}

fn timed_out() -> Report {
    let message = format!(
        "looking at the pipeline took longer than {} s and was given up; it is tried again",
        PASS_LIMIT.as_secs()
    );
    Report {
        failures: vec![Failure::new(Reason::TimedOut, Remedy::Retry, message)],
        ..Report::default()
    }
}

fn unwritten_in_time() -> Failure {
    Failure::new(
        Reason::TimedOut,
        Remedy::Retry,
        format!(
            "writing the status took longer than {} s",
            STATUS_LIMIT.as_secs()
        ),
    )
}
