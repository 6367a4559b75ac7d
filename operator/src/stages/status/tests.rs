use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use proptest::prelude::*;
use serde_json::json;

use super::{Report, Verdict, compute};
use crate::crd::GamePipeline;
use crate::crd::status::{GamePipelineStatus, Reason};
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::failure::{Failure, Remedy};
use crate::stages::observe::Sight;
use crate::stages::observed::Observed;
use crate::stages::validated::Finding;

fn pipeline(suspend: bool) -> GamePipeline {
    serde_json::from_value(json!({
        "apiVersion": "gamepipe.dev/v1alpha1", "kind": "GamePipeline",
        "metadata": {"name": "arena", "namespace": "games", "generation": 3},
        "spec": {
            "game": {"name": "arena"},
            "kafka": {"external": {"bootstrapServers": "kafka:9092"}},
            "redis": {"external": {"urlSecret": "redis"}},
            "lake": {"s3": {"bucket": "games", "prefix": "arena"}},
            "suspend": suspend,
        },
    }))
    .unwrap()
}

/// A Deployment with these counts: wanted, there, updated, available; and whether its controller has seen the newest spec.
fn deployment(component: Component, counts: [i32; 4], observed: bool) -> Child {
    let [desired, total, updated, available] = counts;
    let object = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": format!("arena-{component}"), "generation": 2, "labels": {"app.kubernetes.io/component": component.as_str()}},
        "spec": {"replicas": desired, "selector": {"matchLabels": {"a": "b"}}, "template": {}},
        "status": {
            "observedGeneration": if observed { 2 } else { 1 },
            "replicas": total, "updatedReplicas": updated, "availableReplicas": available,
        },
    });
    let empty = Child::from(k8s_openapi::api::apps::v1::Deployment::default());
    empty.answered(object).unwrap()
}

fn report(api: Child) -> Report {
    let others =
        [Component::Streamer, Component::Sql].map(|role| deployment(role, [1, 1, 1, 1], true));
    let workloads = others.into_iter().chain([api]).collect();
    Report {
        verdict: Some(Verdict::Valid(Vec::new())),
        children: Some(
            Sight {
                observed: Observed::default(),
                workloads,
            }
            .children(),
        ),
        ..Report::default()
    }
}

fn at(seconds: i64) -> Time {
    Time(Timestamp::from_second(seconds).unwrap())
}

fn word<'a>(status: &'a GamePipelineStatus, kind: &str) -> (&'a str, &'a str) {
    let found = status
        .conditions
        .iter()
        .find(|condition| condition.type_ == kind)
        .unwrap();
    (&found.status, &found.reason)
}

#[test]
fn a_component_is_ready_only_when_every_pod_is_new_and_serves_and_its_controller_has_seen_the_newest_spec()
 {
    let before = GamePipelineStatus::default();
    let ready = |counts, observed| {
        let report = report(deployment(Component::Api, counts, observed));
        let status = compute(&pipeline(false), &before, &report, &at(1));
        assert_eq!(word(&status, "Ready").0, word(&status, "ApiReady").0);
        word(&status, "ApiReady").0 == "True"
    };
    assert!(ready([2, 2, 2, 2], true));
    assert!(
        !ready([2, 2, 2, 2], false),
        "that was said of an older spec"
    );
    assert!(!ready([2, 2, 1, 2], true), "one is of the old template");
    assert!(!ready([2, 2, 2, 1], true), "one does not serve");
    assert!(!ready([2, 3, 2, 2], true), "an old one is left");
}

#[test]
fn pods_that_were_ready_are_missing_and_pods_that_never_were_are_on_their_way() {
    let missing = report(deployment(Component::Api, [2, 2, 2, 1], true));
    let first = compute(
        &pipeline(false),
        &GamePipelineStatus::default(),
        &missing,
        &at(1),
    );
    assert_eq!(word(&first, "ApiReady"), ("False", "RollingOut"));
    assert_eq!(word(&first, "Degraded"), ("False", "Healthy"));
    let whole = report(deployment(Component::Api, [2, 2, 2, 2], true));
    let ready = compute(&pipeline(false), &first, &whole, &at(2));
    let later = compute(&pipeline(false), &ready, &missing, &at(3));
    assert_eq!(word(&later, "ApiReady"), ("False", "PodsNotReady"));
    assert_eq!(word(&later, "Degraded"), ("True", "PodsNotReady"));
    assert_eq!(word(&later, "Ready"), ("False", "PodsNotReady"));
}

/// What a pass may find, all in one.
fn found() -> impl Strategy<Value = (bool, Report)> {
    let counts = prop::array::uniform4(0..3_i32);
    (
        counts,
        any::<bool>(),
        any::<bool>(),
        0..4_usize,
        0..3_usize,
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(counts, observed, suspend, failure, finding, trouble, seen)| {
                let mut report = report(deployment(Component::Api, counts, observed));
                let remedies = [Remedy::Wait, Remedy::Retry, Remedy::Change];
                report.failures = remedies
                    .into_iter()
                    .take(failure)
                    .map(|remedy| Failure::new(Reason::Refused, remedy, "why"))
                    .collect();
                let findings = vec![Finding::new(Reason::GameNotFound, "spec.game", "why")];
                report.verdict = match finding {
                    0 => Some(Verdict::Invalid(findings)),
                    1 => Some(Verdict::Valid(findings)),
                    _ => Some(Verdict::Valid(Vec::new())),
                };
                if trouble {
                    report.trouble.insert(Component::Api, "no node".to_owned());
                }
                if !seen {
                    report.children = None;
                    report.verdict = None;
                }
                (suspend, report)
            },
        )
}

proptest! {
    #[test]
    fn the_same_findings_give_the_same_bytes_whenever_they_are_found((suspend, report) in found()) {
        let pipeline = pipeline(suspend);
        let first = compute(&pipeline, &GamePipelineStatus::default(), &report, &at(1));
        let second = compute(&pipeline, &first, &report, &at(1000));
        prop_assert_eq!(serde_json::to_vec(&first).unwrap(), serde_json::to_vec(&second).unwrap());
    }

    #[test]
    fn ready_is_true_only_when_nothing_is_wrong((suspend, report) in found()) {
        let status = compute(&pipeline(suspend), &GamePipelineStatus::default(), &report, &at(1));
        let is_ready = word(&status, "Ready").0 == "True";
        let wrong = !report.failures.is_empty() || !report.findings().is_empty() || report.children.is_none();
        prop_assert!(!(is_ready && wrong));
        if is_ready {
            prop_assert_eq!(word(&status, "Degraded").0, "False");
            prop_assert_eq!(word(&status, "Progressing").0, "False");
        }
    }
}
