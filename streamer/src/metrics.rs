//! What the streamer counts.

use std::sync::atomic::AtomicU64;

use gamepipe_service::probes::Probes;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;

/// Bounds of commit durations in seconds: a local disk takes hundredths, a far bucket seconds.
const COMMIT_SECONDS: [f64; 9] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The streamer's metrics.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    pub(crate) records: Counter,
    pub(crate) bad_records: Counter,
    pub(crate) epochs: Counter,
    pub(crate) failures: Counter,
    pub(crate) file_bytes: Counter,
    pub(crate) lag: Gauge<u64, AtomicU64>,
    pub(crate) commit_seconds: Histogram,
}

impl Metrics {
    /// Makes the metrics and registers them.
    pub(crate) fn register(probes: &Probes) -> Self {
        let metrics = Self {
            records: Counter::default(),
            bad_records: Counter::default(),
            epochs: Counter::default(),
            failures: Counter::default(),
            file_bytes: Counter::default(),
            lag: Gauge::default(),
            commit_seconds: Histogram::new(COMMIT_SECONDS),
        };
        let own = metrics.clone();
        probes.register(|registry| {
            registry.register("landed_records", "Log records landed", own.records);
            registry.register(
                "landed_bad_records",
                "Log records that went to bad_events",
                own.bad_records,
            );
            registry.register("landed_epochs", "Epochs committed", own.epochs);
            registry.register(
                "landing_failures",
                "Times that landing had to begin anew",
                own.failures,
            );
            registry.register(
                "landed_file_bytes",
                "Bytes of Parquet files written by landing",
                own.file_bytes,
            );
            registry.register("landing_lag_records", "Log records not landed yet", own.lag);
            registry.register(
                "landing_commit_seconds",
                "Time to commit an epoch",
                own.commit_seconds,
            );
        });
        metrics
    }
}
