//! The questions of market.

use serde_json::Value;

use super::Rows;
use super::events::{
    average, count_by, distinct, distinct_by, group, integer, name_order, of, ranking, size,
    sql_time, sum, text,
};

const PURCHASES: [&str; 2] = ["purchase_sword", "purchase_knife"];
const TRANSACTIONS: [&str; 3] = ["purchase_sword", "purchase_knife", "add_money"];

/// The answer to a named query of market.
pub fn answer(query: &str, events: &[Value]) -> Option<Rows> {
    Some(match query {
        "purchases_per_kind" => purchases_per_kind(events),
        "money_added_per_host" => money_added_per_host(events),
        "balance_per_host" => {
            let hosts = group(of(events, &TRANSACTIONS), |event| text(event, "Host"));
            ranking(hosts.into_iter().map(|(host, moves)| (host, total(&moves))))
        }
        "members_per_guild" => distinct_by(of(events, &["join_guild"]), "guild_name", "Host"),
        "members_and_cancellations" => {
            let hosts = |kind| distinct(of(events, &[kind]).map(|event| text(event, "Host")));
            vec![vec![
                Value::from(hosts("join_guild")),
                Value::from(hosts("cancel_membership")),
            ]]
        }
        "cancellations_per_reason" => count_by(of(events, &["cancel_membership"]), "cancel_reason"),
        "messages" => messages(events),
        "messages_per_host" => count_by(of(events, &["mensaje"]), "Host"),
        _ => return None,
    })
}

fn total(moves: &[&Value]) -> i64 {
    moves
        .iter()
        .filter_map(|event| integer(event, "amount"))
        .sum()
}

/// Kind, how many, money spent: by kind.
fn purchases_per_kind(events: &[Value]) -> Rows {
    group(of(events, &PURCHASES), |event| text(event, "event_type"))
        .into_iter()
        .map(|(kind, bought)| {
            vec![
                Value::from(kind),
                Value::from(size(&bought)),
                Value::from(-total(&bought)),
            ]
        })
        .collect()
}

/// Host, sum, average, count: the greatest sum first, then by host.
fn money_added_per_host(events: &[Value]) -> Rows {
    let hosts = group(of(events, &["add_money"]), |event| text(event, "Host"));
    let mut ranked: Vec<(Option<&str>, Vec<&Value>)> = hosts.into_iter().collect();
    ranked.sort_by(|one, other| {
        total(&other.1)
            .cmp(&total(&one.1))
            .then_with(|| name_order(one.0).cmp(&name_order(other.0)))
    });
    let amounts = |added: &[&Value]| {
        added
            .iter()
            .map(|event| integer(event, "amount"))
            .collect::<Vec<_>>()
    };
    ranked
        .into_iter()
        .map(|(host, added)| {
            let amounts = amounts(&added);
            let (sum, average) = (
                sum(amounts.iter().copied()),
                average(amounts.iter().copied()),
            );
            vec![Value::from(host), sum, average, Value::from(size(&added))]
        })
        .collect()
}

/// Time, host, text of the last hundred messages: the latest first, then by host and text.
fn messages(events: &[Value]) -> Rows {
    let mut posted: Vec<&Value> = of(events, &["mensaje"]).collect();
    posted.sort_by(|one, other| {
        let order = |event| {
            (
                name_order(text(event, "Host")),
                name_order(text(event, "message_post")),
            )
        };
        sql_time(other)
            .cmp(&sql_time(one))
            .then_with(|| order(one).cmp(&order(other)))
    });
    posted
        .into_iter()
        .take(100)
        .map(|event| {
            vec![
                Value::from(sql_time(event)),
                Value::from(text(event, "Host")),
                Value::from(text(event, "message_post")),
            ]
        })
        .collect()
}
