//! How far landing is behind: measured all the time, also while nothing lands, which is when somebody looks.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gamepipe_eventlog::EventLog;

use crate::metrics::Metrics;

/// How often the log's ends are asked for: as often as metrics are looked at where they are looked at often.
const LOOK: Duration = Duration::from_secs(1);

/// Up to where this process's own partitions have landed. Those of other processes are theirs to measure: all processes'
/// together are the log's.
#[derive(Debug, Default)]
pub(super) struct Lag {
    landed: Mutex<BTreeMap<u32, u64>>,
}

impl Lag {
    /// These are the process's partitions now, each with the offset after the last one that has landed.
    pub(super) fn begins(&self, next: &[(u32, u64)]) {
        *self.landed() = next.iter().copied().collect();
    }

    /// `to` of a partition has been reached; partitions of others are passed over.
    pub(super) fn has_landed(&self, partition: u32, to: u64) {
        if let Some(landed) = self.landed().get_mut(&partition) {
            *landed = to;
        }
    }

    /// Sets the metric again and again.
    pub(super) async fn watch(&self, log: &dyn EventLog, metrics: &Metrics) -> Infallible {
        loop {
            // A log that does not answer is told of elsewhere; the last figure stands until it does.
            if let Ok(offsets) = log.offsets().await {
                let landed = self.landed();
                let behind = offsets.iter().filter_map(|offsets| {
                    let landed = landed.get(&offsets.partition)?;
                    Some(offsets.high.saturating_sub(*landed))
                });
                metrics.lag.set(behind.sum());
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn landed(&self) -> MutexGuard<'_, BTreeMap<u32, u64>> {
        self.landed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
