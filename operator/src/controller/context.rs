//! What passes share.

use std::fmt;
use std::time::Duration;

use gamepipe_service::clock::SharedClock;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::Client;
use kube::core::{ApiResource, ResourceExt};
use serde_json::json;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::events::Events;
use super::lag;
use super::memory::Memory;
use super::metrics::Metrics;
use crate::crd::GamePipeline;
use crate::crd::status::GamePipelineStatus;
use crate::stages::apply::Note;
use crate::stages::children::{Applied, Child, Children};
use crate::stages::component::Component;
use crate::stages::failure::Failure;
use crate::stages::known::Known;
use crate::stages::namespace::Namespace;
use crate::stages::rollout::Rollout;
use crate::stages::validated::Platform;

/// How often the lag is looked at, in microseconds: a little less than the shortest time between two resyncs.
const LAG_EVERY_MICROS: i64 = 4 * 60 * 1_000_000;

/// The longest that events may hold up a pass.
const EVENTS_LIMIT: Duration = Duration::from_secs(5);

/// What passes share.
pub struct Context {
    /// The API server.
    pub client: Client,
    /// What holds for all pipelines.
    pub platform: Platform,
    /// What is known of children.
    pub known: Known,
    /// What is known of pipelines.
    pub memory: Memory,
    /// Tells people what happened.
    pub events: Events,
    /// What is counted.
    pub metrics: Metrics,
    clock: SharedClock,
}

impl fmt::Debug for Context {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Context")
            .field("platform", &self.platform)
            .finish_non_exhaustive()
    }
}

impl Context {
    /// Nothing is known yet. `instance` is what this process is called in events.
    pub fn new(
        client: Client,
        platform: Platform,
        clock: SharedClock,
        instance: &str,
        metrics: Metrics,
    ) -> Self {
        Self {
            events: Events::new(client.clone(), SharedClock::clone(&clock), instance),
            client,
            platform,
            known: Known::default(),
            memory: Memory::default(),
            metrics,
            clock,
        }
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(&self) -> i64 {
        self.clock.now_micros()
    }

    /// The time in whole seconds, as statuses have it.
    pub fn now(&self) -> Time {
        Time(Timestamp::from_second(self.micros() / 1_000_000).unwrap_or_default())
    }

    /// Tells what changed between two statuses, as long as that does not take long.
    pub async fn tell_changes(
        &self,
        pipeline: &GamePipeline,
        before: &GamePipelineStatus,
        after: &GamePipelineStatus,
    ) {
        let telling = self.events.tell_changes(pipeline, before, after);
        told(timeout(EVENTS_LIMIT, telling).await);
    }

    /// Tells what was done, as long as that does not take long.
    pub async fn tell_notes(&self, pipeline: &GamePipeline, notes: &[Note]) {
        told(timeout(EVENTS_LIMIT, self.events.tell_notes(pipeline, notes)).await);
    }

    /// Writes a status, unless it is as it was.
    ///
    /// # Errors
    /// What the API server answered.
    pub async fn write_status(
        &self,
        namespace: &Namespace,
        pipeline: &GamePipeline,
        before: &GamePipelineStatus,
        status: &GamePipelineStatus,
    ) -> Result<(), Failure> {
        if before == status {
            return Ok(());
        }
        let kind = ApiResource::erase::<GamePipeline>(&());
        let name = pipeline.name_any();
        let object = json!({
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name},
            "status": status,
        });
        let answer = namespace.apply_status(&kind, &name, &object).await?;
        self.memory.wrote(
            pipeline,
            answer["metadata"]["resourceVersion"].as_str(),
            status,
        );
        Ok(())
    }

    /// How many events have not landed, now and then; none when it is not the time, or when streamers are on their way.
    pub async fn lag(
        &self,
        namespace: &Namespace,
        pipeline: &GamePipeline,
        children: &Children<Applied>,
    ) -> Option<String> {
        let streamers = children.deployment(Component::Streamer)?.clone();
        let rollout = Rollout::of(&Child::from(streamers))?;
        let settled = rollout.is_complete() && rollout.desired > 0;
        if !settled
            || !self
                .memory
                .is_lag_due(pipeline, LAG_EVERY_MICROS, self.micros())
        {
            return None;
        }
        Some(lag::look(namespace, &pipeline.name_any()).await.to_owned())
    }
}

fn told(done: Result<(), Elapsed>) {
    if done.is_err() {
        tracing::warn!("events were given up: the API server takes too long");
    }
}
