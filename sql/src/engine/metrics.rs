//! What is counted about queries.

use std::sync::atomic::Ordering;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::history::QueryInfo;

/// How a query ended: `FINISHED`, or the name of its error.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// Counters of the engine.
#[derive(Debug)]
pub(crate) struct Metrics {
    queries: Family<Outcome, Counter>,
    seconds: Histogram,
    rows: Counter,
    scanned_bytes: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            queries: Family::default(),
            // 1 ms to about 4 minutes: from a look-up to the default time limit.
            seconds: Histogram::new(exponential_buckets(0.001, 2.0, 18)),
            rows: Counter::default(),
            scanned_bytes: Counter::default(),
        }
    }
}

impl Metrics {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("sql");
        registry.register(
            "queries",
            "Queries that ended, by outcome",
            self.queries.clone(),
        );
        registry.register(
            "query_seconds",
            "How long queries took, waiting included",
            self.seconds.clone(),
        );
        registry.register("rows", "Rows returned", self.rows.clone());
        registry.register(
            "scanned_bytes",
            "Bytes read from the lake's files",
            self.scanned_bytes.clone(),
        );
    }

    pub(super) fn finished(&self, info: &QueryInfo, now: i64) {
        let outcome = info.error().map_or("FINISHED", |error| error.code.name());
        self.queries.get_or_create(&Outcome { outcome }).inc();
        // Precise to a millisecond, far below the smallest bucket that matters.
        self.seconds
            .observe(info.elapsed_millis(now) as f64 / 1000.0);
        self.rows.inc_by(info.rows.load(Ordering::Relaxed));
        self.scanned_bytes.inc_by(info.progress().bytes);
    }
}
