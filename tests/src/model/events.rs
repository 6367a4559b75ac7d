//! What all models share: picking events, reading their fields, counting and ranking.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::Hash;

use serde_json::Value;

use super::Rows;

/// The events of one of these types.
pub(super) fn of<'a>(
    events: &'a [Value],
    types: &'a [&str],
) -> impl Iterator<Item = &'a Value> + Clone {
    events
        .iter()
        .filter(move |event| types.contains(&text(event, "event_type").unwrap_or_default()))
}

/// A field that is text; `None` when it is null or absent.
pub(super) fn text<'a>(event: &'a Value, field: &str) -> Option<&'a str> {
    event.get(field)?.as_str()
}

/// A field that is a whole number; `None` when it is null or absent.
pub(super) fn integer(event: &Value, field: &str) -> Option<i64> {
    event.get(field)?.as_i64()
}

/// True when the field is true.
pub(super) fn is_true(event: &Value, field: &str) -> bool {
    event.get(field) == Some(&Value::Bool(true))
}

/// How many there are, as an answer of one figure.
pub(super) fn figure(count: usize) -> Rows {
    vec![vec![Value::from(count)]]
}

/// How many different values there are; nothing is no value.
pub(super) fn distinct<T: Eq + Hash + Ord>(values: impl Iterator<Item = Option<T>>) -> usize {
    values.flatten().collect::<BTreeSet<T>>().len()
}

/// The sum, or null when there is nothing to add: nulls count as nothing.
pub(super) fn sum(values: impl Iterator<Item = Option<i64>>) -> Value {
    values
        .flatten()
        .reduce(|total, next| total + next)
        .map_or(Value::Null, Value::from)
}

/// The average as a float, or null when there is nothing.
pub(super) fn average(values: impl Iterator<Item = Option<i64>>) -> Value {
    let values: Vec<i64> = values.flatten().collect();
    quotient(
        values.iter().map(|value| as_float(*value)).sum(),
        values.len(),
    )
}

/// `total / count` as a float, or null when `count` is 0.
pub(super) fn quotient(total: f64, count: usize) -> Value {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    if count == 0 {
        Value::Null
    } else {
        Value::from(total / as_float(count))
    }
}

/// Exact for the numbers of these games, which stay far below 2^53.
fn as_float(number: i64) -> f64 {
    number.to_string().parse().unwrap_or(f64::NAN)
}

/// Events by a key. Events whose key is null form a group of their own, as in SQL.
pub(super) fn group<'a, K: Ord>(
    events: impl Iterator<Item = &'a Value>,
    key: impl Fn(&'a Value) -> K,
) -> BTreeMap<K, Vec<&'a Value>> {
    let mut groups: BTreeMap<K, Vec<&Value>> = BTreeMap::new();
    for event in events {
        groups.entry(key(event)).or_default().push(event);
    }
    groups
}

/// Rows of a name and a figure, the greatest figure first, then by name with a missing one last.
pub(super) fn ranking<'a>(figures: impl IntoIterator<Item = (Option<&'a str>, i64)>) -> Rows {
    let mut ranked: Vec<(Option<&str>, i64)> = figures.into_iter().collect();
    ranked.sort_by(|one, other| {
        other
            .1
            .cmp(&one.1)
            .then_with(|| name_order(one.0).cmp(&name_order(other.0)))
    });
    ranked
        .into_iter()
        .map(|(name, figure)| vec![Value::from(name), Value::from(figure)])
        .collect()
}

/// Names in order, a missing one after all others.
pub(super) fn name_order(name: Option<&str>) -> (bool, &str) {
    (name.is_none(), name.unwrap_or_default())
}

/// How many events each value of `field` has, the most first.
pub(super) fn count_by<'a>(events: impl Iterator<Item = &'a Value>, field: &str) -> Rows {
    ranking(
        group(events, |event| text(event, field))
            .into_iter()
            .map(|(name, members)| (name, size(&members))),
    )
}

/// How many different values of `counted` each value of `field` has, the most first.
pub(super) fn distinct_by<'a>(
    events: impl Iterator<Item = &'a Value>,
    field: &str,
    counted: &str,
) -> Rows {
    let groups = group(events, |event| text(event, field));
    ranking(groups.into_iter().map(|(name, members)| {
        let different = distinct(members.iter().map(|event| text(event, counted)));
        (name, i64::try_from(different).unwrap_or(i64::MAX))
    }))
}

/// How many, as a figure.
pub(super) fn size<T>(members: &[T]) -> i64 {
    i64::try_from(members.len()).unwrap_or(i64::MAX)
}

/// The first `count` rows.
pub(super) fn top(mut rows: Rows, count: usize) -> Rows {
    rows.truncate(count);
    rows
}

/// An event's time as SQL prints it: `2026-01-02 03:04:05.000006`.
pub(super) fn sql_time(event: &Value) -> Option<String> {
    Some(
        text(event, "event_time")?
            .trim_end_matches('Z')
            .replacen('T', " ", 1),
    )
}
