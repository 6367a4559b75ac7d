//! Sets of offsets of one partition: a bit for each, so that an audit of 100 million records takes 12 MB.

use crate::epoch::{EpochRecord, OffsetRange};

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

/// The runs of offsets from `from` up to `to` that are not in the set, at most up to its bound.
fn runs_missing(partition: u32, set: &OffsetSet, from: u64, to: u64) -> Vec<OffsetRange> {
    let mut runs: Vec<OffsetRange> = Vec::new();
    let mut offset = from;
    let end = to.min(set.bound);
    while offset < end {
        let full = usize::try_from(offset / 64)
            .ok()
            .and_then(|index| set.words.get(index))
            == Some(&u64::MAX);
        if full && offset.is_multiple_of(64) {
            offset += 64;
            continue;
        }
        if !set.has(offset) {
            match runs.last_mut() {
                Some(run) if run.to == offset => run.to += 1,
                _ => runs.push(OffsetRange::new(partition, offset, offset + 1)),
            }
        }
        offset += 1;
    }
    runs
}

/// What a partition's epochs can't explain: offsets without a row, beyond as many as an epoch says hold no record; and epochs
/// that say so of more than there are, in words.
pub(super) fn unexplained(
    partition: u32,
    set: &OffsetSet,
    epochs: &[EpochRecord],
) -> (Vec<OffsetRange>, Vec<String>) {
    let (mut gaps, mut problems) = (Vec::new(), Vec::new());
    let mut next = 0;
    for epoch in epochs {
        let slices = epoch.ranges.iter();
        let own = slices.filter(|range| range.partition == partition && range.to > range.from);
        for range in own {
            // Between two epochs' slices nothing has landed at all.
            gaps.extend(runs_missing(partition, set, next, range.from));
            let missing = runs_missing(partition, set, range.from.max(next), range.to);
            let offsets: u64 = missing.iter().map(OffsetRange::records).sum();
            if offsets > range.holes {
                gaps.extend(missing);
            } else if offsets < range.holes {
                problems.push(format!(
                    "epoch {} says that {} offsets of partition {partition} hold no record, but only {offsets} have no row",
                    epoch.epoch, range.holes
                ));
            }
            next = next.max(range.to);
        }
    }
    gaps.extend(runs_missing(partition, set, next, set.bound));
    (gaps, problems)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{OffsetSet, runs_missing, unexplained};
    use crate::epoch::{EpochRecord, OffsetRange};

    fn set_without(bound: u64, missing: impl Fn(u64) -> bool) -> OffsetSet {
        let mut set = OffsetSet::new(bound);
        for offset in (0..bound).filter(|offset| !missing(*offset)) {
            assert!(set.insert(offset));
        }
        set
    }

    fn epochs(slices: &[(u64, u64, u64)]) -> Vec<EpochRecord> {
        (1..)
            .zip(slices)
            .map(|(epoch, (from, to, holes))| EpochRecord {
                epoch,
                generation: "g".to_owned(),
                ranges: vec![OffsetRange {
                    holes: *holes,
                    ..OffsetRange::new(4, *from, *to)
                }],
                versions: BTreeMap::new(),
                rows: BTreeMap::new(),
                records: 0,
                committed_micros: 0,
            })
            .collect()
    }

    #[test]
    fn runs_that_are_missing_are_found() {
        let mut set = set_without(200, |offset| (70..75).contains(&offset) || offset == 199);
        assert!(!set.insert(3), "a second time");
        let run = |from, to| OffsetRange::new(4, from, to);
        assert_eq!(runs_missing(4, &set, 0, 300), [run(70, 75), run(199, 200)]);
        assert_eq!(runs_missing(4, &set, 72, 74), [run(72, 74)]);
        assert!(!set.reaches(200));
    }

    #[test]
    fn missing_offsets_are_holes_of_their_own_epoch_or_gaps() {
        let set = set_without(100, |offset| [9, 19, 50].contains(&offset));
        let run = |from, to| OffsetRange::new(4, from, to);
        let told = [(0, 10, 1), (10, 20, 1), (20, 100, 1)];
        assert_eq!(unexplained(4, &set, &epochs(&told)), (vec![], vec![]));
        // The sum is right, the epochs are not.
        let (gaps, problems) =
            unexplained(4, &set, &epochs(&[(0, 10, 0), (10, 20, 2), (20, 100, 1)]));
        assert_eq!((gaps, problems.len()), (vec![run(9, 10)], 1));
        // What no epoch covers is a gap.
        let (gaps, problems) = unexplained(4, &set, &epochs(&[(0, 10, 1), (20, 40, 0)]));
        assert_eq!((gaps, problems.len()), (vec![run(19, 20), run(50, 51)], 0));
    }
}
