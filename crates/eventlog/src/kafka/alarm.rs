//! Noticing that the wall clock was set back. librdkafka's threads wait by it, and wait for as long as it was set back.

use std::time::Instant;

use gamepipe_service::clock::SharedClock;

/// A clock that falls behind by more than this between two looks was set back; less than that is a short wait.
const LEAST_MICROS: i64 = 500_000;

/// Compares the wall clock with one that only runs on.
pub(super) struct Alarm {
    clock: SharedClock,
    at: Instant,
    wall_micros: i64,
}

impl Alarm {
    /// Looks at the clock for the first time.
    pub(super) fn new(clock: &SharedClock) -> Self {
        Self {
            clock: SharedClock::clone(clock),
            at: Instant::now(),
            wall_micros: clock.now_micros(),
        }
    }

    /// True when it was set back since the last look.
    pub(super) fn rings(&mut self) -> bool {
        let (at, wall_micros) = (Instant::now(), self.clock.now_micros());
        let passed = i64::try_from(at.duration_since(self.at).as_micros()).unwrap_or(i64::MAX);
        let shown = wall_micros.saturating_sub(self.wall_micros);
        (self.at, self.wall_micros) = (at, wall_micros);
        shown < passed.saturating_sub(LEAST_MICROS)
    }
}
