//! Words of problems: "did you mean" with the known name that is nearest to a wrong one, lists of names, short texts.

/// Names longer than this are compared no further: nobody mistypes them, and the comparison is quadratic.
const LONGEST_NAME: usize = 64;
/// Fewer letters are the start of too many names.
const SHORTEST_START: usize = 3;

/// `; did you mean `x`?` for the known name nearest to `wrong`, or nothing when none is near.
pub fn did_you_mean<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(wrong, known) {
        Some(name) => format!("; did you mean `{name}`?"),
        None => String::new(),
    }
}

/// `` `a`, `b`, `c` ``, for "known ones are".
pub(crate) fn quoted_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}

/// Enough of a text to recognise it.
pub(crate) fn shorten(text: &str) -> String {
    const ENOUGH: usize = 40;
    if text.chars().count() <= ENOUGH {
        return text.to_owned();
    }
    let start: String = text.chars().take(ENOUGH).collect();
    format!("{start}…")
}

fn nearest<'a>(wrong: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong_folded = fold(wrong);
    // A third of the letters may differ: `tabels` is `tables`, `x` is not `y`.
    let tolerance = wrong_folded.len().div_ceil(3).min(4);
    known
        .into_iter()
        .map(|name| {
            let folded = fold(name);
            // `bool` is `boolean`, however many letters are missing.
            let is_start =
                wrong_folded.len() >= SHORTEST_START && folded.starts_with(&wrong_folded);
            (
                if is_start {
                    1
                } else {
                    distance(&wrong_folded, &folded)
                },
                name,
            )
        })
        .filter(|(distance, name)| *distance <= tolerance && *distance < name.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Lower case without `_` and `-`, so that `max_length` finds `maxLength`.
fn fold(name: &str) -> Vec<char> {
    name.chars()
        .take(LONGEST_NAME)
        .filter(|letter| !matches!(letter, '_' | '-'))
        .flat_map(char::to_lowercase)
        .collect()
}

/// How many letters must be put in, taken out, changed or swapped with their neighbour.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, from) in left.iter().enumerate() {
        let mut current = Vec::with_capacity(right.len() + 1);
        current.push(row + 1);
        for (column, to) in right.iter().enumerate() {
            let changed = above[column] + usize::from(from != to);
            let mut best = changed.min(above[column + 1] + 1).min(current[column] + 1);
            let swapped =
                row > 0 && column > 0 && left[row - 1] == *to && right[column - 1] == *from;
            if swapped {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_finds_its_name_and_another_word_does_not() {
        let known = ["tables", "maxLength", "actions", "set"];
        assert_eq!(nearest("tabels", known), Some("tables"));
        assert_eq!(nearest("max_length", known), Some("maxLength"));
        assert_eq!(nearest("Actions", known), Some("actions"));
        assert_eq!(nearest("tab", known), Some("tables"));
        assert_eq!(nearest("weather", known), None);
        assert_eq!(nearest("", known), None);
        assert_eq!(nearest("xyz", known), None);
    }
}
