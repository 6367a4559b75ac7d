//! What the operator counts. Every label is of a closed set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gamepipe_service::probes::Probes;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;

use crate::crd::status::ConditionType;

/// From a pass that reads nothing to one that hangs, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0, 60.0,
];

/// How a pass ended, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    result: &'static str,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Watched {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InCondition {
    condition: &'static str,
}

/// What the operator counts.
#[derive(Clone, Debug, Default)]
pub struct Metrics {
    passes: Family<Ended, Counter>,
    seconds: Seconds,
    watch_errors: Family<Watched, Counter>,
    waiting: Gauge,
    leader: Gauge,
    crd_missing: Gauge,
    running: Arc<Running>,
    pipelines: Family<InCondition, Gauge>,
}

#[derive(Clone, Debug)]
struct Seconds(Histogram);

impl Default for Seconds {
    fn default() -> Self {
        Self(Histogram::new(SECONDS))
    }
}

/// The passes under way and when they began, in seconds since the Unix epoch.
#[derive(Debug, Default)]
struct Running {
    next: AtomicU64,
    since: Mutex<BTreeMap<u64, i64>>,
}

impl Metrics {
    /// Registers everything with the process's probes.
    pub fn register(&self, probes: &Probes) {
        let own = self.clone();
        probes.register(|registry| {
            let registry = registry.sub_registry_with_prefix("operator");
            registry.register(
                "reconcile",
                "Passes over pipelines, by how they ended",
                own.passes,
            );
            registry.register(
                "reconcile_duration_seconds",
                "How long passes took",
                own.seconds.0,
            );
            registry.register(
                "watch_errors",
                "Failures of watches, by kind",
                own.watch_errors,
            );
            registry.register("queue", "Passes that wait for their turn", own.waiting);
            registry.register(
                "leader",
                "1 when this process is the one that works",
                own.leader,
            );
            registry.register(
                "crd_missing",
                "1 while the CRDs can't be listed",
                own.crd_missing,
            );
            registry.register(
                "pipelines",
                "Pipelines of which a condition is true",
                own.pipelines,
            );
            let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
            registry.register("build", "The version of the operator", build);
            registry.register_collector(Box::new(Oldest(own.running)));
        });
    }

    /// A pass ended so.
    pub fn ended(&self, result: &'static str, reason: &'static str, seconds: f64) {
        self.passes.get_or_create(&Ended { result, reason }).inc();
        self.seconds.0.observe(seconds);
    }

    /// A watch failed.
    pub fn watch_failed(&self, kind: &'static str) {
        self.watch_errors.get_or_create(&Watched { kind }).inc();
    }

    /// How often the watch of a kind failed.
    pub fn watch_failures(&self, kind: &'static str) -> u64 {
        self.watch_errors.get_or_create(&Watched { kind }).get()
    }

    /// A pass wants to begin.
    pub fn queued(&self) {
        self.waiting.inc();
    }

    /// A pass begins; it has ended when what this gives is dropped.
    pub fn began(&self, now_seconds: i64) -> Begun {
        self.waiting.dec();
        let running = Arc::clone(&self.running);
        let id = running.next.fetch_add(1, Ordering::Relaxed);
        running
            .since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, now_seconds);
        Begun { running, id }
    }

    /// This process works, or stands by.
    pub fn set_leader(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// The CRDs can't be listed, or can.
    pub fn set_crd_missing(&self, missing: bool) {
        self.crd_missing.set(i64::from(missing));
    }

    /// How many pipelines there are of which a condition is true.
    pub fn set_pipelines(&self, condition: ConditionType, count: i64) {
        self.pipelines
            .get_or_create(&InCondition {
                condition: condition.as_str(),
            })
            .set(count);
    }
}

/// A pass under way, until it is dropped.
#[derive(Debug)]
pub struct Begun {
    running: Arc<Running>,
    id: u64,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.running
            .since
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.id);
    }
}

/// When the oldest pass under way began; 0 when there is none.
#[derive(Debug)]
struct Oldest(Arc<Running>);

impl Collector for Oldest {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let since = self.0.since.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = ConstGauge::new(since.values().min().copied().unwrap_or_default());
        let metric = encoder.encode_descriptor(
            "reconcile_in_progress_since_seconds",
            "When the oldest pass under way began, in seconds since the Unix epoch; 0 when there is none",
            None,
            oldest.metric_type(),
        )?;
        oldest.encode(metric)
    }
}
