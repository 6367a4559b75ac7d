//! The questions of trade, and the sums that no trade may change.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Rows;
use super::events::{
    distinct, distinct_by, figure, integer, is_true, name_order, of, ranking, sum, text,
};

/// The answer to a named query of trade.
pub fn answer(query: &str, events: &[Value]) -> Option<Rows> {
    let trades = |valid: bool| {
        of(events, &["trade"]).filter(move |event| is_true(event, "valid_trade") == valid)
    };
    Some(match query {
        "trades" => figure(distinct(
            of(events, &["trade"]).map(|event| text(event, "trade_id")),
        )),
        "most_traded_items" => most_traded_items(trades(true)),
        "most_diverse_inventory" => best(events, |items| {
            Value::from(distinct(items.iter().map(|item| integer(item, "item_id"))))
        }),
        "most_valuable_inventory" => best(events, |items| sum(items.iter().map(worth))),
        "gold_traded" => {
            vec![vec![sum(trades(true)
                .flat_map(|trade| items(trade, "items_traded"))
                .map(|line| integer(line, "gold_traded")))]]
        }
        "refused_trades" => distinct_by(trades(false), "fail_reason", "trade_id"),
        "players_per_class" => players_per_class(events),
        _ => return None,
    })
}

/// How much gold all players have together, and how many units of each item they hold, by the last `player_state` of
/// each player. With the log's order that is what they have now; with the reverse, what they began with.
pub fn wealth<'a>(events: impl IntoIterator<Item = &'a Value>) -> (i64, BTreeMap<i64, i64>) {
    let mut last: BTreeMap<i64, &Value> = BTreeMap::new();
    let is_state = |event: &&Value| text(event, "event_type") == Some("player_state");
    for state in events.into_iter().filter(is_state) {
        last.insert(integer(state, "player_id").unwrap_or(-1), state);
    }
    let gold = last
        .values()
        .filter_map(|state| integer(state, "gold"))
        .sum();
    let mut held: BTreeMap<i64, i64> = BTreeMap::new();
    for item in last.values().flat_map(|state| items(state, "items")) {
        if let (Some(id), Some(quantity)) = (integer(item, "item_id"), integer(item, "quantity")) {
            *held.entry(id).or_default() += quantity;
        }
    }
    (gold, held)
}

fn items<'a>(event: &'a Value, field: &str) -> &'a [Value] {
    event
        .get(field)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn worth(item: &Value) -> Option<i64> {
    Some(integer(item, "value")? * integer(item, "quantity")?)
}

/// Item, how many lines of valid trades name it, units: the most lines first, then by name.
fn most_traded_items<'a>(valid: impl Iterator<Item = &'a Value>) -> Rows {
    let mut traded: BTreeMap<Option<&str>, (i64, i64)> = BTreeMap::new();
    for line in valid.flat_map(|trade| items(trade, "items_traded")) {
        if integer(line, "item_id").is_some() {
            let entry = traded.entry(text(line, "name")).or_default();
            entry.0 += 1;
            entry.1 += integer(line, "quantity").unwrap_or(0);
        }
    }
    let mut ranked: Vec<_> = traded.into_iter().collect();
    ranked.sort_by(|one, other| {
        other
            .1
            .0
            .cmp(&one.1.0)
            .then_with(|| name_order(one.0).cmp(&name_order(other.0)))
    });
    ranked
        .into_iter()
        .map(|(name, (times, units))| {
            vec![Value::from(name), Value::from(times), Value::from(units)]
        })
        .collect()
}

/// State, player, name and figure of the state whose items have the greatest figure; of several, the lowest state id.
/// States without items have none.
fn best(events: &[Value], figure: impl Fn(&[Value]) -> Value) -> Rows {
    let states = of(events, &["player_state"]).filter(|state| !items(state, "items").is_empty());
    let ranked = states.map(|state| (figure(items(state, "items")), state));
    let best = ranked.min_by(|(one, one_state), (other, other_state)| {
        other
            .as_i64()
            .cmp(&one.as_i64())
            .then_with(|| text(one_state, "state_id").cmp(&text(other_state, "state_id")))
    });
    best.map(|(figure, state)| {
        let player = Value::from(integer(state, "player_id"));
        vec![
            Value::from(text(state, "state_id")),
            player,
            Value::from(text(state, "username")),
            figure,
        ]
    })
    .into_iter()
    .collect()
}

/// Class, how many players of it: the most first, then by class.
fn players_per_class(events: &[Value]) -> Rows {
    let mut classes: BTreeMap<Option<&str>, Vec<Option<i64>>> = BTreeMap::new();
    for state in of(events, &["player_state"]) {
        classes
            .entry(text(state, "player_class"))
            .or_default()
            .push(integer(state, "player_id"));
    }
    ranking(classes.into_iter().map(|(class, ids)| {
        (
            class,
            i64::try_from(distinct(ids.into_iter())).unwrap_or(i64::MAX),
        )
    }))
}
