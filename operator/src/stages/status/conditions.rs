//! The conditions, and how they follow from one another: a component's from its workload, `Ready` from all of them.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use super::components::workload;
use super::{Report, Verdict};
use crate::crd::GamePipeline;
use crate::crd::status::{ConditionType, GamePipelineStatus, Reason};
use crate::stages::component::Component;
use crate::stages::failure::Remedy;
use crate::stages::rollout::Rollout;

/// The longest message, in characters: it is read in a terminal.
const MAX_MESSAGE: usize = 2000;

/// What a condition says, before it has a time.
#[derive(Clone, Debug)]
struct Saying {
    holds: Option<bool>,
    reason: Reason,
    message: String,
}

impl Saying {
    fn new(holds: bool, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            holds: Some(holds),
            reason,
            message: message.into(),
        }
    }
}

/// The components that a condition is about.
const COMPONENTS: [(ConditionType, &[Component]); 5] = [
    (
        ConditionType::KafkaReady,
        &[Component::KafkaController, Component::Kafka],
    ),
    (ConditionType::RedisReady, &[Component::Redis]),
    (ConditionType::StreamerReady, &[Component::Streamer]),
    (ConditionType::ApiReady, &[Component::Api]),
    (ConditionType::SqlReady, &[Component::Sql]),
];

/// All conditions of a pipeline. Those that the pass found nothing out about stay as they were.
pub(super) fn all(
    pipeline: &GamePipeline,
    before: &GamePipelineStatus,
    report: &Report,
    now: &Time,
) -> Vec<Condition> {
    let components: Vec<(ConditionType, Option<Saying>)> = COMPONENTS
        .map(|(kind, parts)| (kind, of_component(pipeline, before, report, kind, parts)))
        .into();
    let found = Found {
        pipeline,
        report,
        components: &components,
    };
    let mut sayings = vec![
        (ConditionType::Ready, found.ready()),
        (ConditionType::Progressing, found.progressing()),
        (ConditionType::Degraded, Some(found.degraded())),
        (ConditionType::SpecValid, found.spec_valid()),
        (ConditionType::Paused, Some(paused(report))),
    ];
    sayings.extend(components.iter().cloned());
    let generation = pipeline.metadata.generation;
    let with_time = |(kind, saying): (ConditionType, Option<Saying>)| {
        let old = before
            .conditions
            .iter()
            .find(|condition| condition.type_ == kind.as_str());
        match saying {
            Some(saying) => stamped(old, kind, &saying, generation, now),
            None => old
                .cloned()
                .unwrap_or_else(|| stamped(None, kind, &unknown(), generation, now)),
        }
    };
    sayings.into_iter().map(with_time).collect()
}

/// One condition of another resource. `old` is what it said before.
pub fn condition(
    old: Option<&Condition>,
    kind: ConditionType,
    holds: bool,
    reason: Reason,
    message: &str,
    generation: Option<i64>,
    now: &Time,
) -> Condition {
    stamped(
        old,
        kind,
        &Saying::new(holds, reason, message),
        generation,
        now,
    )
}

/// The time is that of the last change of `status`, not of the words.
fn stamped(
    old: Option<&Condition>,
    kind: ConditionType,
    saying: &Saying,
    generation: Option<i64>,
    now: &Time,
) -> Condition {
    let status = match saying.holds {
        Some(true) => "True",
        Some(false) => "False",
        None => "Unknown",
    };
    let since = old
        .filter(|old| old.status == status)
        .map(|old| old.last_transition_time.clone());
    Condition {
        type_: kind.as_str().to_owned(),
        status: status.to_owned(),
        reason: saying.reason.as_str().to_owned(),
        message: saying.message.chars().take(MAX_MESSAGE).collect(),
        observed_generation: generation,
        last_transition_time: since.unwrap_or_else(|| now.clone()),
    }
}

fn unknown() -> Saying {
    Saying {
        holds: None,
        reason: Reason::Unknown,
        message: "not looked at yet".to_owned(),
    }
}

fn paused(report: &Report) -> Saying {
    if report.paused {
        let message =
            "the annotation gamepipe.dev/paused is set: nothing is changed until it is removed";
        Saying::new(true, Reason::PausedByAnnotation, message)
    } else {
        Saying::new(false, Reason::NotPaused, "")
    }
}

/// What a component's workloads say.
fn of_component(
    pipeline: &GamePipeline,
    before: &GamePipelineStatus,
    report: &Report,
    kind: ConditionType,
    parts: &[Component],
) -> Option<Saying> {
    let spec = &pipeline.spec;
    let external = match kind {
        ConditionType::KafkaReady => spec.kafka.managed.is_none(),
        ConditionType::RedisReady => spec.redis.managed.is_none(),
        _ => false,
    };
    if external {
        return Some(Saying::new(
            true,
            Reason::External,
            "not the operator's: API and streamers are not ready while they do not reach it",
        ));
    }
    let children = report.children.as_ref()?;
    let was = before
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind.as_str());
    let was_ready =
        was.is_some_and(|was| was.status == "True" || was.reason == Reason::PodsNotReady.as_str());
    let parts = parts.iter().map(|part| {
        let rollout = workload(children, *part).and_then(Rollout::of);
        of_workload(
            *part,
            rollout,
            spec.suspend,
            was_ready,
            report.trouble.get(part),
        )
    });
    // What is broken is told before what is under way.
    parts.min_by_key(|saying| match saying.reason {
        Reason::PodsNotReady => 0,
        Reason::RollingOut => 1,
        _ => 2,
    })
}

fn of_workload(
    part: Component,
    rollout: Option<Rollout>,
    suspended: bool,
    was_ready: bool,
    trouble: Option<&String>,
) -> Saying {
    let Some(rollout) = rollout else {
        return Saying::new(false, Reason::RollingOut, format!("{part}: not made yet"));
    };
    let stateless = !matches!(
        part,
        Component::KafkaController | Component::Kafka | Component::Redis
    );
    if suspended && stateless && rollout.desired == 0 {
        return Saying::new(
            false,
            Reason::Suspended,
            format!("{part}: spec.suspend is set"),
        );
    }
    if rollout.is_complete() {
        return Saying::new(
            true,
            Reason::AllReady,
            format!("{part}: {} of {} ready", rollout.ready(), rollout.desired),
        );
    }
    let mut message = format!("{part}: {} of {} ready", rollout.ready(), rollout.desired);
    if let Some(trouble) = trouble {
        message.push_str(": ");
        message.push_str(trouble);
    }
    // Pods that start for the first time are on their way; those that were ready and are not any more are missing, and so are those that can't start.
    let missing = rollout.stuck || trouble.is_some() || (rollout.is_rolled() && was_ready);
    let reason = if missing {
        Reason::PodsNotReady
    } else {
        Reason::RollingOut
    };
    Saying::new(false, reason, message)
}

/// What the pass found, from which the summing conditions follow.
struct Found<'a> {
    pipeline: &'a GamePipeline,
    report: &'a Report,
    components: &'a [(ConditionType, Option<Saying>)],
}

impl Found<'_> {
    fn spec_valid(&self) -> Option<Saying> {
        let findings = match self.report.verdict.as_ref()? {
            Verdict::Valid(findings) | Verdict::Invalid(findings) => findings,
        };
        Some(match findings.first() {
            None => Saying::new(true, Reason::Accepted, ""),
            Some(first) => Saying::new(false, first.reason, joined(findings)),
        })
    }

    /// The first of what keeps the pipeline from being as its spec says.
    fn ready(&self) -> Option<Saying> {
        let findings = self.report.findings();
        if let (Some(Verdict::Invalid(_)), Some(first)) = (&self.report.verdict, findings.first()) {
            return Some(Saying::new(false, first.reason, joined(findings)));
        }
        // A pass that did not come to see the components says nothing of them.
        self.report.children.as_ref()?;
        if let Some(first) = self.report.failures.first() {
            return Some(Saying::new(
                false,
                first.reason,
                joined(&self.report.failures),
            ));
        }
        if let Some(first) = findings.first() {
            return Some(Saying::new(false, first.reason, joined(findings)));
        }
        let missing: Vec<&Saying> = self
            .sayings()
            .filter(|saying| saying.holds != Some(true))
            .collect();
        let words: Vec<&str> = missing
            .iter()
            .map(|saying| saying.message.as_str())
            .collect();
        Some(match missing.first() {
            Some(_)
                if self.pipeline.spec.suspend
                    && missing
                        .iter()
                        .all(|saying| saying.reason == Reason::Suspended) =>
            {
                Saying::new(
                    false,
                    Reason::Suspended,
                    "spec.suspend is set: API, streamers and SQL have no pods; Kafka, Redis and all data stay",
                )
            }
            Some(first) => {
                let broken = missing
                    .iter()
                    .find(|saying| saying.reason == Reason::PodsNotReady);
                Saying::new(false, broken.unwrap_or(first).reason, words.join("; "))
            }
            None => Saying::new(true, Reason::AllReady, "every component is ready"),
        })
    }

    fn progressing(&self) -> Option<Saying> {
        self.report.children.as_ref()?;
        let waits = self
            .report
            .failures
            .iter()
            .find(|failure| failure.remedy == Remedy::Wait);
        if let Some(waits) = waits {
            return Some(Saying::new(true, Reason::RollingOut, waits.message.clone()));
        }
        let rolling: Vec<&str> = self
            .sayings()
            .filter(|saying| saying.reason == Reason::RollingOut)
            .map(|saying| saying.message.as_str())
            .collect();
        Some(if rolling.is_empty() {
            Saying::new(false, Reason::Idle, "")
        } else {
            Saying::new(true, Reason::RollingOut, rolling.join("; "))
        })
    }

    fn degraded(&self) -> Saying {
        if let Some(failure) = self
            .report
            .failures
            .iter()
            .find(|failure| failure.remedy != Remedy::Wait)
        {
            return Saying::new(true, failure.reason, joined(&self.report.failures));
        }
        if let Some(first) = self.report.findings().first() {
            return Saying::new(true, first.reason, joined(self.report.findings()));
        }
        let broken: Vec<&str> = self
            .sayings()
            .filter(|saying| saying.reason == Reason::PodsNotReady)
            .map(|saying| saying.message.as_str())
            .collect();
        if broken.is_empty() {
            Saying::new(false, Reason::Healthy, "")
        } else {
            Saying::new(true, Reason::PodsNotReady, broken.join("; "))
        }
    }

    fn sayings(&self) -> impl Iterator<Item = &Saying> {
        self.components
            .iter()
            .filter_map(|(_, saying)| saying.as_ref())
    }
}

fn joined<T: ToString>(items: &[T]) -> String {
    items
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("; ")
}
