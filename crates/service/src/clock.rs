//! The only place that reads the clock and draws randomness.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where processes get the time and their seeds from; tests bring their own.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Microseconds since the Unix epoch, UTC.
    fn now_micros(&self) -> i64;
    /// A seed that nobody can guess.
    fn seed(&self) -> u64;
}

/// A shared clock.
pub type SharedClock = Arc<dyn Clock>;

/// The machine's clock and the operating system's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn now_micros(&self) -> i64 {
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        i64::try_from(since_epoch.as_micros()).unwrap_or(i64::MAX)
    }

    fn seed(&self) -> u64 {
        // The operating system's generator fails only where the process can't run at all; the clock is a poor but
        // safe stand-in: seeds decide dice, not secrets.
        getrandom::u64().unwrap_or_else(|_| self.now_micros().unsigned_abs())
    }
}
