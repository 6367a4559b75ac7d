//! What is remembered of each pipeline between passes. All of it may be lost: then a pass reads or writes once more than it has to.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::core::ResourceExt;

use crate::crd::GamePipeline;
use crate::crd::status::GamePipelineStatus;
use crate::stages::prune::Plan;

/// How long until leftovers are looked for although the plan is the same, in microseconds: half an hour.
const PRUNE_EVERY_MICROS: i64 = 30 * 60 * 1_000_000;

/// What is remembered, by uid.
#[derive(Debug, Default)]
pub struct Memory {
    pipelines: Mutex<HashMap<String, Entry>>,
}

#[derive(Debug, Default)]
struct Entry {
    /// The status that was written last, and the version of the object that it made.
    written: Option<(u64, GamePipelineStatus)>,
    /// The plan for which nothing is left over, and when that was seen.
    pruned: Option<(Plan, i64)>,
    /// When the lag was looked at.
    lag_at: Option<i64>,
    /// How many passes have failed one after the other.
    failures: u32,
}

impl Memory {
    /// The newest status: the object's own, or what was written since the watch showed that object.
    pub fn status(&self, pipeline: &GamePipeline) -> GamePipelineStatus {
        let shown: u64 = version(pipeline.metadata.resource_version.as_deref());
        let pipelines = self.lock();
        let written = pipelines
            .get(&uid(pipeline))
            .and_then(|entry| entry.written.as_ref());
        match written {
            Some((version, status)) if *version > shown => status.clone(),
            _ => pipeline.status.clone().unwrap_or_default(),
        }
    }

    /// The status was written, which made this version of the object.
    pub fn wrote(
        &self,
        pipeline: &GamePipeline,
        resource_version: Option<&str>,
        status: &GamePipelineStatus,
    ) {
        let made = version(resource_version);
        self.lock().entry(uid(pipeline)).or_default().written = Some((made, status.clone()));
    }

    /// True when something may be left over: the plan is another one, or it is long since anybody looked.
    pub fn is_prune_due(&self, pipeline: &GamePipeline, plan: &Plan, now: i64) -> bool {
        let pipelines = self.lock();
        let pruned = pipelines
            .get(&uid(pipeline))
            .and_then(|entry| entry.pruned.as_ref());
        pruned.is_none_or(|(known, at)| known != plan || now - at >= PRUNE_EVERY_MICROS)
    }

    /// Nothing is left over beside this plan.
    pub fn pruned(&self, pipeline: &GamePipeline, plan: Plan, now: i64) {
        self.lock().entry(uid(pipeline)).or_default().pruned = Some((plan, now));
    }

    /// True once in `every` microseconds.
    pub fn is_lag_due(&self, pipeline: &GamePipeline, every: i64, now: i64) -> bool {
        let mut pipelines = self.lock();
        let entry = pipelines.entry(uid(pipeline)).or_default();
        let due = entry.lag_at.is_none_or(|at| now - at >= every);
        if due {
            entry.lag_at = Some(now);
        }
        due
    }

    /// A pass failed. Gives how many have, one after the other.
    pub fn failed(&self, uid: &str) -> u32 {
        let mut pipelines = self.lock();
        let entry = pipelines.entry(uid.to_owned()).or_default();
        entry.failures = entry.failures.saturating_add(1);
        entry.failures
    }

    /// A pass succeeded.
    pub fn succeeded(&self, uid: &str) {
        if let Some(entry) = self.lock().get_mut(uid) {
            entry.failures = 0;
        }
    }

    /// The object is gone.
    pub fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.pipelines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn uid(pipeline: &GamePipeline) -> String {
    pipeline.uid().unwrap_or_default()
}

/// Versions of objects are numbers that grow.
fn version(text: Option<&str>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or_default()
}
