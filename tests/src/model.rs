//! An independent model of the reference games' questions: from the events of a log to the answer of every named query,
//! in plain Rust. No SQL, no tables and none of gamepipe's own code, so that both can only agree by being right.

pub mod arena;
pub mod guild;
pub mod market;
pub mod quest;
pub mod trade;

mod events;

use std::cmp::Ordering;

use serde_json::Value;

/// The rows of an answer, in the order that the question fixes.
pub type Rows = Vec<Vec<Value>>;

/// The five reference games.
pub const GAMES: [&str; 5] = ["arena", "quest", "guild", "market", "trade"];

/// The answer to a named query of a game over `events` (the JSON objects on the log, in any order), or `None` when the
/// game has no such query. Integers are JSON integers, averages floats, times text as in `2026-01-02 03:04:05.000006`.
pub fn answer(game: &str, query: &str, events: &[Value]) -> Option<Rows> {
    match game {
        "arena" => arena::answer(query, events),
        "quest" => quest::answer(query, events),
        "guild" => guild::answer(query, events),
        "market" => market::answer(query, events),
        "trade" => trade::answer(query, events),
        _ => None,
    }
}

/// The events of NDJSON text, such as a fixture or what `gamepipe watch` prints. Empty lines are skipped.
///
/// # Errors
/// The first line that is no JSON, with its number.
pub fn parse_events(text: &str) -> Result<Vec<Value>, String> {
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", index + 1))
        })
        .collect()
}

/// How two answers differ, or `None` when they are the same: same rows in the same order, numbers equal as numbers
/// (`2` and `2.0`), floats to 12 digits, because the order of a sum is the engine's own.
pub fn difference(expected: &Rows, found: &Rows) -> Option<String> {
    for (index, (one, other)) in expected.iter().zip(found).enumerate() {
        if one.len() != other.len() || !one.iter().zip(other).all(|(left, right)| same(left, right))
        {
            return Some(format!("row {index}: expected {one:?}, found {other:?}"));
        }
    }
    match expected.len().cmp(&found.len()) {
        Ordering::Equal => None,
        _ => Some(format!(
            "expected {} rows, found {}",
            expected.len(),
            found.len()
        )),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    match (left.as_i64(), right.as_i64()) {
        (Some(one), Some(other)) => return one == other,
        _ => {
            if let (Some(one), Some(other)) = (left.as_f64(), right.as_f64()) {
                return (one - other).abs() <= 1e-12 * one.abs().max(other.abs());
            }
        }
    }
    left == right
}

#[cfg(test)]
mod tests;
