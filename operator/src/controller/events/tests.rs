use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use k8s_openapi::jiff::Timestamp;

use super::changes;
use crate::crd::status::{ConditionType, Reason};
use crate::stages::status::condition;

fn said(kind: ConditionType, holds: bool, reason: Reason, message: &str) -> Condition {
    condition(
        None,
        kind,
        holds,
        reason,
        message,
        Some(1),
        &Time(Timestamp::UNIX_EPOCH),
    )
}

fn reasons(before: &[Condition], after: &[Condition]) -> Vec<(bool, &'static str)> {
    changes(before, after)
        .into_iter()
        .map(|told| (told.warning, told.reason))
        .collect()
}

#[test]
fn a_rollout_is_told_when_it_begins_and_when_it_ends() {
    let rolling = [
        said(
            ConditionType::Ready,
            false,
            Reason::RollingOut,
            "kafka: 1 of 3 ready",
        ),
        said(
            ConditionType::Progressing,
            true,
            Reason::RollingOut,
            "kafka: 1 of 3 ready",
        ),
        said(
            ConditionType::KafkaReady,
            false,
            Reason::RollingOut,
            "kafka: 1 of 3 ready",
        ),
    ];
    assert_eq!(reasons(&[], &rolling), [(false, "RolloutStarted")]);
    let mut further = rolling.clone();
    for condition in &mut further {
        condition.message = "kafka: 2 of 3 ready".to_owned();
    }
    assert_eq!(reasons(&rolling, &further), []);
    let done = [
        said(ConditionType::Ready, true, Reason::AllReady, ""),
        said(ConditionType::Progressing, false, Reason::Idle, ""),
        said(ConditionType::KafkaReady, true, Reason::AllReady, ""),
    ];
    assert_eq!(
        reasons(&further, &done),
        [
            (false, "Ready"),
            (false, "RolloutFinished"),
            (false, "KafkaReady")
        ]
    );
    assert_eq!(reasons(&done, &done), []);
}

#[test]
fn what_is_wrong_is_told_once_for_each_way_of_being_wrong() {
    let wrong = |reason, message| [said(ConditionType::SpecValid, false, reason, message)];
    let first = wrong(Reason::GameNotFound, "no Game a");
    assert_eq!(reasons(&[], &first), [(true, "GameNotFound")]);
    assert_eq!(reasons(&first, &first), []);
    assert_eq!(
        reasons(&first, &wrong(Reason::GameNotFound, "no Game b")),
        [(true, "GameNotFound")]
    );
    assert_eq!(
        reasons(&first, &wrong(Reason::GameInvalid, "no Game a")),
        [(true, "GameInvalid")]
    );
    let right = [said(ConditionType::SpecValid, true, Reason::Accepted, "")];
    assert_eq!(reasons(&first, &right), [(false, "Accepted")]);
    assert_eq!(
        reasons(&[], &right),
        [],
        "nobody has to be told that the first spec is fine"
    );
}

#[test]
fn failures_pauses_and_pods_that_go_missing_are_told() {
    let degraded = |reason| [said(ConditionType::Degraded, true, reason, "why")];
    let healthy = [said(ConditionType::Degraded, false, Reason::Healthy, "")];
    assert_eq!(
        reasons(&healthy, &degraded(Reason::ImmutableField)),
        [(true, "ImmutableField")]
    );
    assert_eq!(
        reasons(
            &degraded(Reason::Refused),
            &degraded(Reason::ImmutableField)
        ),
        [(true, "ImmutableField")]
    );
    assert_eq!(
        reasons(&healthy, &degraded(Reason::GameNotFound)),
        [],
        "that is told by SpecValid"
    );
    let paused = |holds, reason| [said(ConditionType::Paused, holds, reason, "")];
    let (on, off) = (
        paused(true, Reason::PausedByAnnotation),
        paused(false, Reason::NotPaused),
    );
    assert_eq!(reasons(&off, &on), [(false, "PausedByAnnotation")]);
    assert_eq!(reasons(&on, &off), [(false, "Resumed")]);
    let ready = [said(ConditionType::ApiReady, true, Reason::AllReady, "")];
    let missing = [said(
        ConditionType::ApiReady,
        false,
        Reason::PodsNotReady,
        "api: 1 of 2 ready",
    )];
    assert_eq!(reasons(&ready, &missing), [(true, "PodsNotReady")]);
}
