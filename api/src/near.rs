//! Names that look like the one that was asked for.

/// How many suggestions a reply has.
const MAX_SUGGESTIONS: usize = 5;
/// A name that begins with the other one is near when they share more than so many letters.
const MIN_PREFIX: usize = 3;
/// Longer texts are nobody's typing mistake; comparing them would cost the square of their length.
const MAX_COMPARED: usize = 128;

/// The candidates that are nearest to `wanted`, nearest first: at most five, and none that differs in more than a third of its letters.
/// `key` is the part of a candidate that is compared.
pub(crate) fn nearest(
    wanted: &str,
    candidates: impl Iterator<Item = String>,
    key: impl Fn(&str) -> &str,
) -> Vec<String> {
    if wanted.len() > MAX_COMPARED {
        return Vec::new();
    }
    let wanted = wanted.to_ascii_lowercase();
    let mut found: Vec<(usize, String)> = candidates
        .filter_map(|candidate| {
            let compared = key(&candidate).to_ascii_lowercase();
            let shorter = compared.len().min(wanted.len());
            let extends = compared.starts_with(&wanted) || wanted.starts_with(&compared);
            let distance = if extends && shorter > MIN_PREFIX {
                1
            } else {
                distance(wanted.as_bytes(), compared.as_bytes())
            };
            (distance * 3 <= wanted.len().max(compared.len())).then_some((distance, candidate))
        })
        .collect();
    found.sort();
    found.truncate(MAX_SUGGESTIONS);
    found.into_iter().map(|(_, candidate)| candidate).collect()
}

/// How many letters must be inserted, removed or replaced to turn `a` into `b` (Levenshtein).
fn distance(a: &[u8], b: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let replaced = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = replaced.min(left + 1).min(diagonal + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(a.len())
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn distance_counts_single_letter_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("dig", "digs", 1),
            ("ab", "ba", 2),
        ] {
            assert_eq!(distance(a.as_bytes(), b.as_bytes()), expected, "{a} {b}");
            assert_eq!(distance(b.as_bytes(), a.as_bytes()), expected, "{b} {a}");
        }
    }

    #[test]
    fn near_names_come_first_and_strangers_not_at_all() {
        let candidates = || {
            [
                "attack",
                "dig_for_gold",
                "purchase_shield",
                "purchase_weapon",
            ]
            .map(str::to_owned)
            .into_iter()
        };
        assert_eq!(nearest("atack", candidates(), |name| name), ["attack"]);
        assert_eq!(
            nearest("purchase_wepon", candidates(), |name| name),
            ["purchase_weapon"]
        );
        assert!(nearest("zzz", candidates(), |name| name).is_empty());
        assert!(nearest(&"a".repeat(10_000), candidates(), |name| name).is_empty());
    }
}
