//! Query ids in Trino's form: `20260131_235959_00001_abcde`.

use std::sync::atomic::{AtomicU64, Ordering};

use chrono::DateTime;

/// Makes ids: the time, a counter, and five letters that tell one process from another.
#[derive(Debug)]
pub(crate) struct QueryIds {
    next: AtomicU64,
    suffix: String,
}

impl QueryIds {
    pub(crate) fn new(seed: u64) -> Self {
        // No vowels and no digits that look like letters: ids are read aloud.
        const LETTERS: &[u8] = b"bcdfghijkmnpqrstuvwxyz23456789";
        let mut rest = seed;
        let mut letter = || {
            let index = (rest % LETTERS.len() as u64) as usize;
            rest /= LETTERS.len() as u64;
            char::from(LETTERS.get(index).copied().unwrap_or(b'x'))
        };
        Self {
            next: AtomicU64::new(0),
            suffix: (0..5).map(|_| letter()).collect(),
        }
    }

    pub(crate) fn next(&self, now_micros: i64) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed) % 100_000;
        let moment = DateTime::from_timestamp_micros(now_micros).unwrap_or_default();
        format!(
            "{}_{number:05}_{}",
            moment.format("%Y%m%d_%H%M%S"),
            self.suffix
        )
    }
}

#[cfg(test)]
mod tests {
    use super::QueryIds;

    #[test]
    fn ids_have_trinos_form_and_differ() {
        let ids = QueryIds::new(42);
        let first = ids.next(1_767_323_045_000_000);
        assert!(first.starts_with("20260102_030405_00000_"), "{first}");
        assert_eq!(first.len(), 27);
        assert_ne!(first, ids.next(1_767_323_045_000_000));
    }
}
