//! Near names: what a mistyped table or column may have meant.

/// The candidate nearest to `wanted`, when one is near enough to be a slip of the pen.
pub(crate) fn nearest<'a>(
    wanted: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // A third of the letters may be wrong: beyond that a hint misleads.
    let most = (wanted.chars().count() / 3).max(1);
    candidates
        .map(|name| (distance(&wanted.to_lowercase(), name), name))
        .filter(|(distance, _)| (1..=most).contains(distance))
        .min()
        .map(|(_, name)| name)
}

/// How many letters must be changed, added or removed to make `a` into `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut previous = i;
        let mut left = i + 1;
        let mut next = vec![left];
        for (to, above) in b.iter().zip(row.iter().skip(1)) {
            let changed = previous + usize::from(from != *to);
            left = changed.min(above + 1).min(left + 1);
            previous = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{distance, nearest};

    #[test]
    fn a_slip_is_found_and_another_word_is_not() {
        let names = ["player_events", "purchase_weapon_events"];
        assert_eq!(
            nearest("player_event", names.into_iter()),
            Some("player_events")
        );
        assert_eq!(nearest("trades", names.into_iter()), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
