//! The events of the simulation: how they are made, and which rows they must become.

use std::collections::BTreeMap;

use gamepipe_eventlog::Record;
use gamepipe_tests::random::Random;
use serde_json::{Value, json};

/// How many rows an event becomes in which table.
pub(crate) type Rows = BTreeMap<&'static str, u32>;

/// An event with an id of its own, now and then one that no table takes, or that is no event.
pub(crate) fn event(id: &str, random: &mut Random) -> Record {
    let who = format!("p{}", random.below(9));
    let day = 2 + random.below(2);
    let mut event = json!({
        "event_id": id,
        "event_time": format!("2026-01-{day:02}T03:04:05.{:06}Z", random.below(1_000_000)),
        "who": who,
    });
    match random.below(20) {
        0 => event["event_type"] = "seen".into(),
        1 => event["no_type"] = Value::Null,
        2..=5 => {
            event["event_type"] = "bought".into();
            let items = (0..random.below(4)).map(|item| json!({"name": "i", "price": item}));
            event["items"] = items.collect();
        }
        _ => {
            event["event_type"] = "hit".into();
            event["damage"] = random.below(100).into();
        }
    }
    Record {
        key: who,
        value: event.to_string().into(),
        dedupe_id: None,
    }
}

/// The id and the rows of what is on the log, worked out from its text alone.
pub(crate) fn rows_of(value: &[u8]) -> (String, Rows) {
    let event: Value = serde_json::from_slice(value).unwrap_or_default();
    let id = event["event_id"].as_str().unwrap_or_default().to_owned();
    let rows = match event["event_type"].as_str() {
        Some("hit") => Rows::from([("everything", 1)]),
        Some("bought") => {
            let items = event["items"].as_array().map_or(0, Vec::len);
            // A list without items is a row, too.
            let items = u32::try_from(items.max(1)).unwrap_or(1);
            Rows::from([("everything", 1), ("purchases", items)])
        }
        Some(_) => Rows::from([("other_events", 1)]),
        None => Rows::from([("bad_events", 1)]),
    };
    (id, rows)
}
