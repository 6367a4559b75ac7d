//! What a relay that begins has to find on the log.

use crate::kafka::meta::Progress;

/// Where retention has taken some of what came since the last check, entries are looked for among this many records at most. It takes what has landed, at most once a
/// minute; a log that has more left has been without entries of the outbox for long.
const MAX_RECORDS: u64 = 1 << 17;

/// Which entries of an outbox must be on the log.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// Those behind this one.
    pub(super) after: u64,
    /// Up to here the log's position counts them.
    pub(super) position: u64,
    /// Up to here they must be there.
    pub(super) up_to: u64,
    /// Where they begin in each partition, or before that.
    pub(super) starts: Vec<u64>,
    /// Retention has taken some of the records among which they were.
    pub(super) is_cut: bool,
}

impl Wanted {
    /// What is behind the position that was checked last.
    pub(super) fn new(progress: &Progress, counted: u64) -> Self {
        let position = progress.position;
        let (after, starts) = match &progress.checked {
            Some(checked) => (checked.position.min(position), &checked.ends),
            None => (position, &progress.reached),
        };
        Self {
            after,
            position,
            up_to: counted.max(position),
            starts: starts.clone(),
            is_cut: false,
        }
    }

    /// The same in partitions that begin and end here.
    pub(super) fn within(mut self, lows: &[u64], ends: &[u64]) -> Self {
        self.starts.resize(lows.len(), 0);
        for (start, low) in self.starts.iter_mut().zip(lows) {
            self.is_cut |= *start < *low;
            *start = (*low).max(*start);
        }
        let starts = self.starts.iter().zip(ends);
        let records: u64 = starts.map(|(start, end)| end.saturating_sub(*start)).sum();
        if self.is_cut && records > MAX_RECORDS {
            // What came since the last check has been there for long, and has landed.
            self.after = self.position;
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_RECORDS, Wanted};

    fn wanted() -> Wanted {
        Wanted {
            after: 10,
            position: 13,
            up_to: 15,
            starts: vec![100, 100],
            is_cut: false,
        }
    }

    #[test]
    fn a_long_log_is_not_read_for_what_retention_has_taken() {
        let long = 100 + MAX_RECORDS;
        let whole = wanted().within(&[0, 100], &[long, 900]);
        assert_eq!(whole.after, 10);
        let cut = wanted().within(&[0, 101], &[long, 900]);
        assert_eq!((cut.after, cut.up_to), (13, 15));
        let short = wanted().within(&[0, 101], &[long, 101]);
        assert_eq!(short.after, 10);
    }
}
