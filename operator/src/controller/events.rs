//! Events: what changed from one status to the next, told once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use gamepipe_service::clock::SharedClock;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, MicroTime};
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::core::{Resource, ResourceExt};
use serde_json::json;

use crate::crd::GamePipeline;
use crate::crd::status::{ConditionType, GamePipelineStatus, Reason};
use crate::stages::apply::Note;
use crate::stages::component::sha256_hex;
use crate::stages::namespace::MANAGER;

/// The longest note that Kubernetes takes, in bytes.
const MAX_NOTE: usize = 1024;
/// How many digits of a hash tell an object's events apart.
const DIGITS: usize = 12;
/// How many repeated events are counted; beyond it, counting starts anew.
const MAX_COUNTED: usize = 10_000;

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// True when somebody should look.
    pub warning: bool,
    /// One word, of a closed set: a reason of a condition, the type of one that came true, or one of the words below.
    pub reason: &'static str,
    /// What happened.
    pub note: String,
}

/// Publishes events. One that can't be published is logged: nothing depends on it.
pub struct Events {
    client: Client,
    clock: SharedClock,
    instance: String,
    /// How often each event was told.
    counts: Mutex<HashMap<String, i32>>,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Events")
            .field("instance", &self.instance)
            .finish_non_exhaustive()
    }
}

impl Events {
    /// Events of this process, which is called `instance` in them.
    pub fn new(client: Client, clock: SharedClock, instance: &str) -> Self {
        Self {
            client,
            clock,
            instance: instance.to_owned(),
            counts: Mutex::default(),
        }
    }

    /// Tells what changed between two statuses.
    pub async fn tell_changes(
        &self,
        pipeline: &GamePipeline,
        before: &GamePipelineStatus,
        after: &GamePipelineStatus,
    ) {
        for announcement in changes(&before.conditions, &after.conditions) {
            self.tell(pipeline, &announcement).await;
        }
    }

    /// Tells what was done.
    pub async fn tell_notes(&self, pipeline: &GamePipeline, notes: &[Note]) {
        for note in notes {
            let announcement = Announcement {
                warning: false,
                reason: note.reason,
                note: note.message.clone(),
            };
            self.tell(pipeline, &announcement).await;
        }
    }

    /// Publishes one event about an object.
    pub async fn tell<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        announcement: &Announcement,
    ) {
        if let Err(error) = self.publish(object, announcement).await {
            tracing::warn!(%error, reason = announcement.reason, "an event can't be published");
        }
    }

    async fn publish<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        announcement: &Announcement,
    ) -> kube::Result<()> {
        let event = self.event(object, announcement);
        let name = event.name_any();
        let api: Api<Event> =
            Api::namespaced(self.client.clone(), &event.namespace().unwrap_or_default());
        let count = self.count(&name);
        if count == 1 {
            match api.create(&PostParams::default(), &event).await {
                Err(kube::Error::Api(status)) if status.is_already_exists() => {}
                other => return other.map(drop),
            }
        }
        let series =
            json!({"series": {"count": count.max(2), "lastObservedTime": event.event_time}});
        let how = PatchParams {
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        match api.patch(&name, &how, &Patch::Merge(&series)).await {
            // Events are kept for an hour.
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                api.create(&PostParams::default(), &event).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// The same announcement about the same object has the same name, so that it is counted rather than repeated.
    fn event<K: Resource<DynamicType = ()>>(
        &self,
        object: &K,
        announcement: &Announcement,
    ) -> Event {
        let regarding = object.object_ref(&());
        let (name, uid) = (
            regarding.name.clone().unwrap_or_default(),
            regarding.uid.clone().unwrap_or_default(),
        );
        let mut hash =
            sha256_hex(format!("{uid} {} {}", announcement.reason, announcement.note).as_bytes());
        hash.truncate(DIGITS);
        let mut note = announcement.note.clone();
        while note.len() > MAX_NOTE {
            note.pop();
        }
        let now =
            MicroTime(Timestamp::from_microsecond(self.clock.now_micros()).unwrap_or_default());
        let mut event = Event {
            action: Some("Reconcile".to_owned()),
            event_time: Some(now),
            note: Some(note),
            reason: Some(announcement.reason.to_owned()),
            reporting_controller: Some("gamepipe.dev/operator".to_owned()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(
                if announcement.warning {
                    "Warning"
                } else {
                    "Normal"
                }
                .to_owned(),
            ),
            ..Event::default()
        };
        event.metadata.name = Some(format!("{name}.{hash}"));
        event.metadata.namespace.clone_from(&regarding.namespace);
        event.regarding = Some(regarding);
        event
    }

    fn count(&self, name: &str) -> i32 {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_COUNTED {
            counts.clear();
        }
        let count = counts.entry(name.to_owned()).or_default();
        *count = count.saturating_add(1);
        *count
    }
}

/// What is worth telling of a change of conditions. Pure.
pub fn changes(before: &[Condition], after: &[Condition]) -> Vec<Announcement> {
    let mut told = Vec::new();
    for condition in after {
        let old = before.iter().find(|old| old.type_ == condition.type_);
        let Some(kind) = ConditionType::ALL
            .iter()
            .find(|kind| kind.as_str() == condition.type_)
        else {
            continue;
        };
        if let Some((warning, reason)) = word(*kind, old, condition) {
            let note = if condition.message.is_empty() {
                reason.to_owned()
            } else {
                condition.message.clone()
            };
            told.push(Announcement {
                warning,
                reason,
                note,
            });
        }
    }
    told
}

/// The word for a condition's change, and whether it is a warning; none when there is nothing to tell.
fn word(
    kind: ConditionType,
    old: Option<&Condition>,
    new: &Condition,
) -> Option<(bool, &'static str)> {
    let (was, is) = (
        old.is_some_and(|old| old.status == "True"),
        new.status == "True",
    );
    let other_reason = old.is_none_or(|old| old.reason != new.reason);
    let reason = Reason::ALL
        .iter()
        .find(|reason| reason.as_str() == new.reason)
        .copied()?;
    match kind {
        ConditionType::Ready => (is && !was).then_some((false, "Ready")),
        ConditionType::Progressing if is && !was => Some((false, "RolloutStarted")),
        ConditionType::Progressing => (was && !is).then_some((false, "RolloutFinished")),
        ConditionType::Paused if is && !was => Some((false, Reason::PausedByAnnotation.as_str())),
        ConditionType::Paused => (was && !is).then_some((false, "Resumed")),
        ConditionType::SpecValid | ConditionType::Valid if is => {
            (old.is_some() && !was).then_some((false, Reason::Accepted.as_str()))
        }
        ConditionType::SpecValid | ConditionType::Valid => {
            let news = other_reason || old.is_some_and(|old| old.message != new.message);
            news.then_some((true, reason.as_str()))
        }
        ConditionType::Degraded => {
            // What is wrong with the spec or with pods is told by the conditions of these.
            let told = matches!(
                reason,
                Reason::Forbidden
                    | Reason::Refused
                    | Reason::ImmutableField
                    | Reason::ApiUnavailable
                    | Reason::TimedOut
            );
            (is && told && (!was || other_reason)).then_some((true, reason.as_str()))
        }
        ConditionType::KafkaReady
        | ConditionType::RedisReady
        | ConditionType::ApiReady
        | ConditionType::StreamerReady
        | ConditionType::SqlReady => match reason {
            Reason::External => None,
            Reason::PodsNotReady => other_reason.then_some((true, reason.as_str())),
            _ => (is && !was).then_some((false, kind.as_str())),
        },
    }
}

#[cfg(test)]
mod tests;
