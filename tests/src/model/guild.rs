//! The questions of guild. All quotients are of whole numbers, rounded down, and null when nobody is there.

use serde_json::Value;

use super::Rows;
use super::events::{distinct, group, of, size, text};

const ALL: [&str; 4] = [
    "purchase_sword",
    "join_guild",
    "slay_dragon",
    "catch_butterfly",
];

/// The answer to a named query of guild.
pub fn answer(query: &str, events: &[Value]) -> Option<Rows> {
    let members = || distinct(of(events, &["join_guild"]).map(|event| text(event, "Host")));
    Some(match query {
        "guild_percent" => {
            let users = distinct(of(events, &ALL).map(|event| text(event, "Host")));
            vec![vec![quotient(members() * 100, users)]]
        }
        "guild_percent_of_three" => vec![vec![quotient(members() * 100, 3)]],
        "average_catches" => vec![vec![per_user(events, "catch_butterfly")]],
        "average_slays" => vec![vec![per_user(events, "slay_dragon")]],
        "events_per_table" => group(of(events, &ALL), |event| text(event, "event_type"))
            .into_iter()
            .map(|(kind, events)| vec![Value::from(kind), Value::from(size(&events))])
            .collect(),
        _ => return None,
    })
}

fn per_user(events: &[Value], kind: &str) -> Value {
    let kinds = [kind];
    let done = of(events, &kinds);
    quotient(
        done.clone().count(),
        distinct(done.map(|event| text(event, "Host"))),
    )
}

fn quotient(total: usize, count: usize) -> Value {
    total.checked_div(count).map_or(Value::Null, Value::from)
}
