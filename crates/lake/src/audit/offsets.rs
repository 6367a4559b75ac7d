//! Sets of offsets of one partition: a bit for each, so that an audit of 100 million records takes 12 MB.

use crate::epoch::OffsetRange;

/// Offsets below a bound.
#[derive(Debug, Clone)]
pub(super) struct OffsetSet {
    bound: u64,
    words: Vec<u64>,
}

impl OffsetSet {
    pub(super) fn new(bound: u64) -> Self {
        Self {
            bound,
            words: vec![0; usize::try_from(bound.div_ceil(64)).unwrap_or(usize::MAX)],
        }
    }

    /// True when the offset is below the bound.
    pub(super) fn reaches(&self, offset: u64) -> bool {
        offset < self.bound
    }

    /// Adds an offset; false when it was there, or can't be.
    pub(super) fn insert(&mut self, offset: u64) -> bool {
        let word = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| self.words.get_mut(index));
        let Some(word) = word else { return false };
        let bit = 1 << (offset % 64);
        let is_new = *word & bit == 0;
        *word |= bit;
        is_new
    }

    /// Adds all of another set of the same bound.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, more) in self.words.iter_mut().zip(&other.words) {
            *own |= more;
        }
    }

    fn has(&self, offset: u64) -> bool {
        let word = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| self.words.get(index));
        word.is_some_and(|word| word & (1 << (offset % 64)) != 0)
    }
}

/// The runs of offsets below the bound that are not in the set.
pub(super) fn runs_missing(partition: u32, set: &OffsetSet) -> Vec<OffsetRange> {
    let mut runs: Vec<OffsetRange> = Vec::new();
    let mut offset = 0;
    while offset < set.bound {
        let full = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| set.words.get(index))
            == Some(&u64::MAX);
        if full && offset % 64 == 0 {
            offset += 64;
            continue;
        }
        if !set.has(offset) {
            match runs.last_mut() {
                Some(run) if run.to == offset => run.to += 1,
                _ => runs.push(OffsetRange {
                    partition,
                    from: offset,
                    to: offset + 1,
                }),
            }
        }
        offset += 1;
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::{OffsetSet, runs_missing};
    use crate::epoch::OffsetRange;

    #[test]
    fn runs_that_are_missing_are_found() {
        let mut set = OffsetSet::new(200);
        for offset in (0..200).filter(|offset| !(70..75).contains(offset) && *offset != 199) {
            assert!(set.insert(offset));
        }
        assert!(!set.insert(3), "a second time");
        let run = |from, to| OffsetRange {
            partition: 4,
            from,
            to,
        };
        assert_eq!(runs_missing(4, &set), [run(70, 75), run(199, 200)]);
        assert!(!set.reaches(200));
    }
}
