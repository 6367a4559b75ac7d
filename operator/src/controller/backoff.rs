//! How long to wait until the next pass over an object.

use std::time::Duration;

use sha2::{Digest, Sha256};

use crate::stages::failure::Remedy;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(1);
/// After many, and for what only somebody can change; a change of the object itself starts a pass at once.
const LONGEST: Duration = Duration::from_secs(5 * 60);
/// After the first failure that only somebody can change: rights and quotas are given without a change of the object.
const FIRST_CHANGE: Duration = Duration::from_secs(15);
/// While something ends by itself.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// While pods start: their own trouble changes nothing that is watched.
const STARTING: Duration = Duration::from_secs(15);

/// How a pass ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be.
    Settled,
    /// Pods are on their way.
    Starting,
    /// The spec, the Game or a Secret has to be changed: all but the Secret start a pass when they are.
    Invalid,
    /// Something failed, for the so many-th time in a row.
    Failed(Remedy, u32),
}

/// How long to wait. `resync` is how long at most when all is well; `uid` spreads objects that failed together.
pub fn wait(ending: Ending, resync: Duration, uid: &str) -> Duration {
    match ending {
        // Half to all of it, so that a restart does not line up all objects for good.
        Ending::Settled => spread(resync, uid, 0),
        Ending::Starting => spread(STARTING, uid, 0),
        Ending::Invalid => spread(LONGEST, uid, 0),
        Ending::Failed(remedy, times) => {
            let (first, longest) = match remedy {
                Remedy::Wait => (FIRST, LONGEST_WAIT),
                Remedy::Retry => (FIRST, LONGEST),
                Remedy::Change => (FIRST_CHANGE, LONGEST),
            };
            let doublings = times.saturating_sub(1).min(16);
            spread(
                first.saturating_mul(1 << doublings).min(longest),
                uid,
                times,
            )
        }
    }
}

/// Between half of `whole` and all of it, by the object and the attempt.
fn spread(whole: Duration, uid: &str, times: u32) -> Duration {
    let hash = Sha256::digest(format!("{uid} {times}").as_bytes());
    let share = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    let half = whole / 2;
    half + half.mul_f64(f64::from(share) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::{Ending, LONGEST, wait};
    use crate::stages::failure::Remedy;

    const RESYNC: Duration = Duration::from_secs(600);

    proptest! {
        #[test]
        fn waits_grow_to_a_limit_and_are_never_none(uid in "[a-f0-9-]{36}", times in 1_u32..100) {
            for remedy in [Remedy::Wait, Remedy::Retry, Remedy::Change] {
                let this = wait(Ending::Failed(remedy, times), RESYNC, &uid);
                prop_assert!(this >= Duration::from_millis(500) && this <= LONGEST, "{this:?}");
                // With the jitter of half, every second one is longer, up to the limit.
                let later = wait(Ending::Failed(remedy, times + 2), RESYNC, &uid);
                prop_assert!(later * 2 >= this);
            }
        }

        #[test]
        fn objects_that_failed_together_come_back_apart(one in "[a-f0-9-]{36}", other in "[a-f0-9-]{36}") {
            prop_assume!(one != other);
            let ending = Ending::Failed(Remedy::Retry, 8);
            prop_assert_ne!(wait(ending, RESYNC, &one), wait(ending, RESYNC, &other));
        }
    }

    #[test]
    fn the_first_retry_comes_within_a_second() {
        assert!(wait(Ending::Failed(Remedy::Retry, 1), RESYNC, "u") <= Duration::from_secs(1));
        assert!(wait(Ending::Settled, RESYNC, "u") >= RESYNC / 2);
    }
}
