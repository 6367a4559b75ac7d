//! What the API counts. Every label comes from a closed set: the route table, status classes, outcomes.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use gamepipe_service::probes::Probes;
use http::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// The route label of requests that no route takes.
pub(crate) const UNMATCHED: &str = "unmatched";

/// From half a commit to the patience of a client, in seconds.
const LATENCY_BUCKETS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

type Latencies = Family<RouteLabels, Histogram, fn() -> Histogram>;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabels {
    route: String,
    status: StatusClass,
}

/// The hundreds of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct StatusClass(u16);

impl EncodeLabelValue for StatusClass {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        write!(encoder, "{}xx", self.0)
    }
}

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum ActionOutcome {
    Done,
    Refused,
    Replayed,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    outcome: ActionOutcome,
}

/// What became of a client's event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(crate) enum EventOutcome {
    Accepted,
    Duplicate,
    Rejected,
    Retry,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabels {
    outcome: EventOutcome,
}

/// The API's metrics.
#[derive(Debug)]
pub(crate) struct Metrics {
    routes: HashMap<String, RouteMetrics>,
    unmatched: RouteMetrics,
    actions: Family<ActionLabels, Counter>,
    events: Family<EventLabels, Counter>,
    /// Commits that lost a race and were decided again.
    pub(crate) conflicts: Counter,
    /// Requests being worked on.
    pub(crate) in_flight: Gauge,
    /// Events in the outbox, as last seen.
    pub(crate) outbox_depth: Gauge,
    /// The age of the oldest event in the last batch that was relayed, in seconds.
    pub(crate) relay_lag: Gauge<f64, AtomicU64>,
    /// Events relayed from the outbox to the log.
    pub(crate) relayed: Counter,
    /// Rounds of the relay that failed and were tried again.
    pub(crate) relay_failures: Counter,
}

/// The metrics of one route.
#[derive(Debug)]
struct RouteMetrics {
    by_class: [Counter; 5],
    latency: Histogram,
}

impl Metrics {
    /// Makes and registers them, for exactly these routes.
    pub(crate) fn register(probes: &Probes, templates: impl Iterator<Item = String>) -> Self {
        let requests = Family::<StatusLabels, Counter>::default();
        let latency = Latencies::new_with_constructor(|| Histogram::new(LATENCY_BUCKETS));
        let route = |template: &str| RouteMetrics {
            by_class: std::array::from_fn(|class| {
                let status = StatusClass(u16::try_from(class).unwrap_or(4) + 1);
                requests
                    .get_or_create(&StatusLabels {
                        route: template.to_owned(),
                        status,
                    })
                    .clone()
            }),
            latency: latency
                .get_or_create(&RouteLabels {
                    route: template.to_owned(),
                })
                .clone(),
        };
        let metrics = Self {
            routes: templates
                .map(|template| (template.clone(), route(&template)))
                .collect(),
            unmatched: route(UNMATCHED),
            actions: Family::default(),
            events: Family::default(),
            conflicts: Counter::default(),
            in_flight: Gauge::default(),
            outbox_depth: Gauge::default(),
            relay_lag: Gauge::default(),
            relayed: Counter::default(),
            relay_failures: Counter::default(),
        };
        metrics.register_in(probes, &requests, &latency);
        metrics
    }

    fn register_in(
        &self,
        probes: &Probes,
        requests: &Family<StatusLabels, Counter>,
        latency: &Latencies,
    ) {
        probes.register(|registry| {
            registry.register(
                "api_requests",
                "Requests by route and class of status",
                requests.clone(),
            );
            registry.register(
                "api_request_seconds",
                "Time from head to reply, in seconds",
                latency.clone(),
            );
            registry.register(
                "api_requests_in_flight",
                "Requests being worked on",
                self.in_flight.clone(),
            );
            registry.register(
                "api_actions",
                "Actions that were decided, by outcome",
                self.actions.clone(),
            );
            registry.register(
                "api_conflicts",
                "Commits that lost a race and were decided again",
                self.conflicts.clone(),
            );
            registry.register(
                "api_events",
                "Events from clients, by outcome",
                self.events.clone(),
            );
            registry.register(
                "outbox_depth",
                "Events that wait in the outbox",
                self.outbox_depth.clone(),
            );
            registry.register(
                "relay_lag_seconds",
                "Age of the oldest event last relayed",
                self.relay_lag.clone(),
            );
            registry.register(
                "relay_events",
                "Events relayed from the outbox to the log",
                self.relayed.clone(),
            );
            registry.register(
                "relay_failures",
                "Rounds of the relay that failed",
                self.relay_failures.clone(),
            );
        });
    }

    /// Counts an answered request.
    pub(crate) fn answered(&self, template: Option<&str>, status: StatusCode, took: Duration) {
        let route = template
            .and_then(|template| self.routes.get(template))
            .unwrap_or(&self.unmatched);
        let class = usize::from(status.as_u16() / 100).clamp(1, 5) - 1;
        if let Some(counter) = route.by_class.get(class) {
            counter.inc();
        }
        route.latency.observe(took.as_secs_f64());
    }

    /// Counts a decided action.
    pub(crate) fn action(&self, outcome: ActionOutcome) {
        self.actions.get_or_create(&ActionLabels { outcome }).inc();
    }

    /// Counts events from clients.
    pub(crate) fn events(&self, outcome: EventOutcome, count: u64) {
        if count > 0 {
            self.events
                .get_or_create(&EventLabels { outcome })
                .inc_by(count);
        }
    }
}
