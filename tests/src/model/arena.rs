//! The questions of arena.

use serde_json::Value;

use super::Rows;
use super::events::{
    average, count_by, distinct, figure, group, integer, is_true, name_order, of, size, text, top,
};

/// The answer to a named query of arena.
pub fn answer(query: &str, events: &[Value]) -> Option<Rows> {
    let kills =
        || of(events, &["successful_attack"]).filter(|event| is_true(event, "defender_killed"));
    Some(match query {
        "players" => figure(distinct(
            of(events, &["initialize_player"]).map(|event| text(event, "username")),
        )),
        "purchases_per_weapon" => count_by(of(events, &["purchase_weapon"]), "weapon"),
        "wallet_after_shield" => {
            vec![vec![average(
                of(events, &["purchase_shield"]).map(|event| integer(event, "wallet_after")),
            )]]
        }
        "repeat_shield_buyers" => {
            let mut buyers = count_by(of(events, &["purchase_shield"]), "username");
            buyers.retain(|row| row.get(1).and_then(Value::as_i64) > Some(1));
            buyers
        }
        "gold_found" => {
            let found = || of(events, &["dig_for_gold"]).map(|event| integer(event, "gold_found"));
            vec![vec![
                Value::from(found().flatten().max()),
                Value::from(found().flatten().min()),
                average(found()),
            ]]
        }
        "weapon_that_fails_most" => top(count_by(of(events, &["failed_attack"]), "weapon_used"), 1),
        "weapon_that_kills_most" => top(count_by(kills(), "weapon_used"), 1),
        "players_killed" => figure(distinct(kills().map(|event| text(event, "defender")))),
        "shielded_defenders" => {
            let shielded = of(events, &["successful_attack"])
                .filter(|event| is_true(event, "defender_has_shield"));
            figure(distinct(shielded.map(|event| text(event, "defender"))))
        }
        "hit_rate_per_weapon" => hit_rates(events),
        _ => return None,
    })
}

/// Weapon, hits in per cent rounded down, attacks: the best first, then by weapon.
fn hit_rates(events: &[Value]) -> Rows {
    let attacks = group(
        of(events, &["successful_attack", "failed_attack"]),
        |event| text(event, "weapon_used"),
    );
    let mut rates: Vec<(Option<&str>, i64, i64)> = attacks
        .into_iter()
        .map(|(weapon, attacks)| {
            let hits: Vec<_> = attacks
                .iter()
                .filter(|event| text(event, "event_type") == Some("successful_attack"))
                .collect();
            (weapon, size(&hits) * 100 / size(&attacks), size(&attacks))
        })
        .collect();
    rates.sort_by(|one, other| {
        other
            .1
            .cmp(&one.1)
            .then_with(|| name_order(one.0).cmp(&name_order(other.0)))
    });
    rates
        .into_iter()
        .map(|(weapon, rate, attacks)| {
            vec![Value::from(weapon), Value::from(rate), Value::from(attacks)]
        })
        .collect()
}
