//! Randomness from a seed: the same seed gives the same draws on every machine and in every release.
//!
//! Draws come from ChaCha with 8 rounds, keyed by the seed. Event ids come from the seed by a mixing function of their
//! own, so that a rule's draws don't change the ids, nor ids the draws.

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use uuid::Uuid;

use crate::time::Timestamp;

/// A stream of draws. Setting it up costs nothing until the first draw.
#[derive(Debug, Clone)]
pub struct Draws {
    seed: u64,
    generator: Option<ChaCha8Rng>,
}

impl Draws {
    /// The stream of that seed, at its start.
    pub const fn from_seed(seed: u64) -> Self {
        Self {
            seed,
            generator: None,
        }
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let seed = self.seed;
        self.generator
            .get_or_insert_with(|| ChaCha8Rng::seed_from_u64(seed))
            .next_u64()
    }

    /// A double in `[0, 1)`, a multiple of 2^-53.
    pub fn unit(&mut self) -> f64 {
        const STEPS: f64 = 9_007_199_254_740_992.0;
        // 53 bits fit a double exactly.
        let numerator = (self.bits() >> 11) as f64;
        numerator / STEPS
    }

    /// A whole number in `[0, bound)`, each equally likely; 0 when `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound < 2 {
            return 0;
        }
        // Draws beyond the last whole multiple of the bound would favour small numbers: they are drawn again.
        // At most half of the range is cut off, so this ends after two draws on average in the worst case.
        let cut = u64::MAX - (u64::MAX % bound + 1) % bound;
        loop {
            let drawn = self.bits();
            if drawn <= cut {
                return drawn % bound;
            }
        }
    }

    /// A whole number from `low` to `high`, both included, each equally likely; `None` when `low > high`.
    pub fn between(&mut self, low: i64, high: i64) -> Option<i64> {
        if low > high {
            return None;
        }
        match high.abs_diff(low).checked_add(1) {
            Some(span) => Some(low.wrapping_add_unsigned(self.below(span))),
            None => Some(low.wrapping_add_unsigned(self.bits())),
        }
    }

    /// An index into `weights` by its weight; `None` when none is above zero, one is negative or the sum overflows.
    pub fn weighted(&mut self, weights: &[i64]) -> Option<usize> {
        let mut total: u64 = 0;
        for weight in weights {
            total = total.checked_add(u64::try_from(*weight).ok()?)?;
        }
        if total == 0 {
            return None;
        }
        let mut left = self.below(total);
        for (index, weight) in weights.iter().enumerate() {
            let weight = weight.unsigned_abs();
            if left < weight {
                return Some(index);
            }
            left -= weight;
        }
        None
    }

    /// An index into `weights` by its weight; `None` when none is above zero, or one is negative or not finite.
    pub fn weighted_doubles(&mut self, weights: &[f64]) -> Option<usize> {
        let total: f64 = weights.iter().sum();
        if !total.is_finite() || total <= 0.0 || weights.iter().any(|weight| *weight < 0.0) {
            return None;
        }
        let mut left = self.unit() * total;
        let mut last = None;
        for (index, weight) in weights.iter().enumerate() {
            if *weight > 0.0 {
                last = Some(index);
                if left < *weight {
                    break;
                }
            }
            left -= weight;
        }
        last
    }

    /// A UUID of version 7 with the time of `now` and random bits from the stream.
    pub fn uuid(&mut self, now: Timestamp) -> String {
        let (high, low) = (self.bits(), self.bits());
        uuid_v7(now, high, low)
    }
}

/// The id of the `index`th event of a decision: a UUID of version 7 whose order within the decision is that of `index`.
pub fn event_id(now: Timestamp, seed: u64, index: u64) -> String {
    // 12 bits of order (a decision has fewer events than 4,096), then 62 bits that depend on the seed alone.
    let order = (index & 0x0fff) << 48;
    uuid_v7(now, order, mix(seed ^ mix(index)))
}

/// `high`: its upper 16 bits become the bits after the version; `low`: the bits after the variant.
fn uuid_v7(now: Timestamp, high: u64, low: u64) -> String {
    let millis = u64::try_from(now.millis()).unwrap_or(0);
    let mut bytes = [0_u8; 10];
    let (order, rest) = bytes.split_at_mut(2);
    order.copy_from_slice(&high.to_be_bytes()[..2]);
    rest.copy_from_slice(&low.to_be_bytes());
    let id: Uuid = uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid();
    id.hyphenated().to_string()
}

/// Mixes 64 bits so that each output bit depends on each input bit: the finaliser of SplitMix64, a bijection.
const fn mix(input: u64) -> u64 {
    let mut bits = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::{Draws, event_id};
    use crate::time::Timestamp;

    #[test]
    fn draws_of_a_seed_never_change() {
        let mut draws = Draws::from_seed(7);
        let drawn: Vec<i64> = (0..6).filter_map(|_| draws.between(0, 20)).collect();
        let mut again = Draws::from_seed(7);
        assert_eq!(
            drawn,
            (0..6)
                .filter_map(|_| again.between(0, 20))
                .collect::<Vec<_>>()
        );
        // Pinned: decisions are replayed from their seeds by later releases too.
        let mut pinned = Draws::from_seed(5);
        let first: Vec<i64> = (0..4)
            .filter_map(|_| pinned.between(1, 1_000_000))
            .collect();
        assert_eq!([first[0], first[1], first[3]], [903_644, 366_392, 930_365]);
        assert!(
            drawn.iter().all(|number| (0..=20).contains(number)),
            "{drawn:?}"
        );
    }

    #[test]
    fn every_number_of_a_range_is_drawn_and_none_outside() {
        let mut draws = Draws::from_seed(1);
        let mut seen = [0_u32; 21];
        for _ in 0..21_000 {
            let drawn = draws.between(0, 20).unwrap();
            seen[usize::try_from(drawn).unwrap()] += 1;
        }
        assert!(
            seen.iter().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
        assert_eq!(draws.between(3, 2), None);
        assert_eq!(draws.between(i64::MAX, i64::MAX), Some(i64::MAX));
        assert!(draws.between(i64::MIN, i64::MAX).is_some());
    }

    #[test]
    fn weights_decide_how_often() {
        let mut draws = Draws::from_seed(2);
        let picked: Vec<usize> = (0..1000)
            .filter_map(|_| draws.weighted(&[0, 3, 1]))
            .collect();
        let second = picked.iter().filter(|index| **index == 1).count();
        assert!((680..820).contains(&second), "{second}");
        assert!(!picked.contains(&0));
        assert_eq!(draws.weighted(&[0, 0]), None);
        assert_eq!(draws.weighted(&[2, -1]), None);
        let picked: Vec<usize> = (0..1000)
            .filter_map(|_| draws.weighted_doubles(&[0.25, 0.0, 0.75]))
            .collect();
        let third = picked.iter().filter(|index| **index == 2).count();
        assert!(
            (680..820).contains(&third) && !picked.contains(&1),
            "{third}"
        );
        assert_eq!(draws.weighted_doubles(&[f64::NAN]), None);
    }

    #[test]
    fn event_ids_differ_by_seed_and_index_and_keep_their_order() {
        let now = Timestamp::from_micros(1_767_323_045_000_006);
        let ids: Vec<String> = (0..5).map(|index| event_id(now, 42, index)).collect();
        let mut sorted = ids.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(ids, sorted);
        assert_ne!(event_id(now, 43, 0), ids[0]);
        assert_eq!(uuid::Uuid::parse_str(&ids[0]).unwrap().get_version_num(), 7);
    }
}
