//! What is drawn from the seed, and the switch that turns faults on.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_tests::random::Random;

/// The bits of a number, well mixed.
pub(crate) fn mixed(number: u64) -> u64 {
    Random::from_seed(number).bits()
}

/// Whether faults happen now. Shared by all that can fail.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heat(Arc<AtomicBool>);

impl Heat {
    pub(crate) fn set(&self, on: bool) {
        self.0.store(on, Ordering::SeqCst);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A process's clock: the machine's, wrong by so much, with ids from the seed.
#[derive(Debug)]
pub(crate) struct WrongClock {
    ahead_micros: i64,
    random: Mutex<Random>,
}

impl WrongClock {
    pub(crate) fn new(ahead_micros: i64, random: Random) -> Arc<Self> {
        Arc::new(Self {
            ahead_micros,
            random: Mutex::new(random),
        })
    }
}

impl Clock for WrongClock {
    fn now_micros(&self) -> i64 {
        SystemClock.now_micros() + self.ahead_micros
    }

    fn seed(&self) -> u64 {
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        random.bits()
    }
}
