//! A clock that stands still until a test turns it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use gamepipe_domain::time::Timestamp;
use gamepipe_service::clock::Clock;

/// 2026-01-02T03:04:05Z.
const START_MICROS: i64 = 1_767_323_045_000_000;

/// A clock that stands still, and seeds that count up.
#[derive(Debug)]
pub struct ManualClock {
    micros: AtomicI64,
    seeds: AtomicU64,
}

impl ManualClock {
    /// A clock that shows 2026-01-02T03:04:05Z; `first_seed` is the first of its seeds.
    pub fn new(first_seed: u64) -> Arc<Self> {
        Arc::new(Self {
            micros: AtomicI64::new(START_MICROS),
            seeds: AtomicU64::new(first_seed),
        })
    }

    /// What it shows.
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }

    /// Turns it forward.
    pub fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.micros.fetch_add(micros, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_micros(&self) -> i64 {
        self.micros.load(Ordering::SeqCst)
    }

    fn seed(&self) -> u64 {
        self.seeds.fetch_add(1, Ordering::SeqCst)
    }
}
