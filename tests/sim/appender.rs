//! Who appends events all the while, and remembers what was promised.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gamepipe_eventlog::{Appended, EventLog, Position};
use gamepipe_service::Shutdown;
use gamepipe_tests::random::Random;

use crate::events::event;
use crate::log::MemoryLog;
use crate::seats::Seat;

/// What the log has acknowledged: event id -> place.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    acknowledged: Mutex<BTreeMap<String, Position>>,
    next: AtomicU64,
}

impl Ledger {
    pub(crate) fn acknowledged(&self) -> BTreeMap<String, Position> {
        let acknowledged = self.acknowledged.lock();
        acknowledged.unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn copy(&self) -> Self {
        Self {
            acknowledged: Mutex::new(self.acknowledged()),
            next: AtomicU64::new(self.next.load(Ordering::SeqCst)),
        }
    }

    /// Appends some new events; false when the log refused them, though it may have them.
    pub(crate) async fn append(&self, log: &dyn EventLog, count: u64, random: &mut Random) -> bool {
        let first = self.next.fetch_add(count, Ordering::SeqCst);
        let ids: Vec<String> = (first..first + count).map(|id| format!("e{id}")).collect();
        let records = ids.iter().map(|id| event(id, random)).collect();
        let Ok(appended) = log.append(records).await else {
            return false;
        };
        let acknowledged = self.acknowledged.lock();
        let mut acknowledged = acknowledged.unwrap_or_else(PoisonError::into_inner);
        for (id, appended) in ids.into_iter().zip(appended) {
            if let Appended::At(position) = appended {
                acknowledged.insert(id, position);
            }
        }
        true
    }
}

/// Appends a few events every few milliseconds, until told to stop. Now and then the log takes an offset for itself.
pub(crate) async fn keep_appending(
    ledger: Arc<Ledger>,
    seat: Seat,
    log: Arc<MemoryLog>,
    mut random: Random,
    stop: Shutdown,
) {
    while !stop.is_cancelled() {
        let count = 1 + random.below(6);
        ledger.append(&seat, count, &mut random).await;
        if random.below(30) == 0 {
            log.push_hole(u32::try_from(random.below(u64::from(log.partitions()))).unwrap_or(0));
        }
        tokio::time::sleep(Duration::from_millis(5 + random.below(25))).await;
    }
}
