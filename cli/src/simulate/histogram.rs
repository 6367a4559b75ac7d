//! Latencies in buckets: fixed memory, merged at will.

use std::time::Duration;

/// Each power of two is split into this many buckets: a value is off by less than 1/32.
const STEPS: u64 = 32;
/// Buckets up to about 19 hours in microseconds.
const BUCKETS: usize = 36 * 32;

/// A histogram of durations with a relative error below 4 %, of fixed size.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    greatest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            total: 0,
            greatest: Duration::ZERO,
        }
    }
}

impl Histogram {
    /// Counts a duration.
    pub(crate) fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let last = self.counts.len() - 1;
        if let Some(count) = self.counts.get_mut(bucket(micros).min(last)) {
            *count += 1;
        }
        self.total += 1;
        self.greatest = self.greatest.max(duration);
    }

    /// Adds what another has counted.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.greatest = self.greatest.max(other.greatest);
    }

    /// How many durations were counted.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The greatest duration, exactly.
    pub(crate) fn max(&self) -> Duration {
        self.greatest
    }

    /// The duration that `thousandths` of all durations do not exceed: 500 is the median.
    pub(crate) fn quantile(&self, thousandths: u64) -> Duration {
        let rank = (self.total * thousandths).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return Duration::from_micros(upper_bound(index)).min(self.greatest);
            }
        }
        self.greatest
    }

    /// `p50 2.1 ms   p95 ..   p99 ..   max ..`
    pub(crate) fn line(&self) -> String {
        format!(
            "p50 {}   p95 {}   p99 {}   max {}",
            human(self.quantile(500)),
            human(self.quantile(950)),
            human(self.quantile(990)),
            human(self.max())
        )
    }
}

fn bucket(micros: u64) -> usize {
    let index = if micros < STEPS {
        micros
    } else {
        let exponent = u64::from(micros.ilog2()) - 5;
        STEPS * exponent + (micros >> exponent)
    };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The greatest number of microseconds that falls into the bucket.
fn upper_bound(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    if index < 2 * STEPS {
        return index;
    }
    let exponent = index / STEPS - 1;
    let mantissa = STEPS + index % STEPS;
    ((mantissa + 1) << exponent) - 1
}

/// A duration for people: `850 µs`, `2.1 ms`, `1.35 s`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.001 {
        format!("{} µs", duration.as_micros())
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.2} s")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Histogram, bucket, human, upper_bound};

    #[test]
    fn every_value_falls_into_a_bucket_whose_bound_is_near() {
        for exponent in 0..40 {
            for micros in [
                (1_u64 << exponent) - 1,
                1 << exponent,
                (1 << exponent) + (1 << exponent) / 3,
            ] {
                let bound = upper_bound(bucket(micros));
                assert!(
                    bound >= micros && bound - micros <= micros / 32,
                    "{micros} in {bound}"
                );
            }
        }
    }

    #[test]
    fn quantiles_are_near_and_the_maximum_is_exact() {
        let mut histogram = Histogram::default();
        for millis in 1..=1000 {
            histogram.record(Duration::from_millis(millis));
        }
        let near = |found: Duration, wanted: u64| {
            found.as_millis().abs_diff(u128::from(wanted)) <= u128::from(wanted) / 25
        };
        assert!(
            near(histogram.quantile(500), 500),
            "{:?}",
            histogram.quantile(500)
        );
        assert!(
            near(histogram.quantile(990), 990),
            "{:?}",
            histogram.quantile(990)
        );
        assert_eq!(histogram.max(), Duration::from_secs(1));
        assert_eq!(histogram.quantile(1000), Duration::from_secs(1));
    }

    #[test]
    fn merged_histograms_count_both() {
        let (mut a, mut b) = (Histogram::default(), Histogram::default());
        a.record(Duration::from_micros(10));
        b.record(Duration::from_micros(20));
        a.merge(&b);
        assert_eq!(
            (a.count(), a.max(), a.quantile(500)),
            (2, Duration::from_micros(20), Duration::from_micros(10))
        );
    }

    #[test]
    fn durations_are_written_for_people() {
        assert_eq!(human(Duration::from_micros(850)), "850 µs");
        assert_eq!(human(Duration::from_micros(2_140)), "2.1 ms");
        assert_eq!(human(Duration::from_millis(1_350)), "1.35 s");
    }
}
