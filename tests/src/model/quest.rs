//! The questions of quest.

use serde_json::Value;

use super::Rows;
use super::events::{
    count_by, distinct, distinct_by, figure, group, integer, name_order, of, ranking, text, top,
};

const PURCHASES: [&str; 3] = ["purchase_sword", "purchase_shield", "purchase_potion"];
const STATS: [&str; 2] = ["level_up", "take_potion"];

/// The answer to a named query of quest.
pub fn answer(query: &str, events: &[Value]) -> Option<Rows> {
    Some(match query {
        "purchased_per_event_type" => {
            let kinds = group(of(events, &PURCHASES), |event| text(event, "event_type"));
            ranking(
                kinds
                    .into_iter()
                    .map(|(kind, bought)| (kind, total(&bought, "amount_purchased"))),
            )
        }
        "members_per_guild" => distinct_by(of(events, &["join_guild"]), "guild_name", "userid"),
        "highest_players" => {
            let players = group(of(events, &["level_up"]), |event| text(event, "userid"));
            top(
                ranking(
                    players
                        .into_iter()
                        .map(|(player, rises)| (player, total(&rises, "level"))),
                ),
                10,
            )
        }
        "most_enemies_defeated" => top(count_by(of(events, &["defeat_enemy"]), "userid"), 10),
        "most_potions_taken" => top(count_by(of(events, &["take_potion"]), "userid"), 10),
        "most_treasures_found" => top(count_by(of(events, &["find_treasure"]), "userid"), 10),
        "players_attacked" => figure(distinct(
            of(events, &["enemy_attack"]).map(|event| text(event, "userid")),
        )),
        "player_totals" => player_totals(events),
        "purchases_per_player" => purchases_per_player(events),
        _ => return None,
    })
}

fn total(events: &[&Value], field: &str) -> i64 {
    events
        .iter()
        .filter_map(|event| integer(event, field))
        .sum()
}

/// Player, level, attack, defense, health: the highest level first, then by player.
fn player_totals(events: &[Value]) -> Rows {
    let mut totals: Vec<(Option<&str>, [i64; 4])> =
        group(of(events, &STATS), |event| text(event, "userid"))
            .into_iter()
            .map(|(player, stats)| {
                (
                    player,
                    ["level", "attack", "defense", "health"].map(|field| total(&stats, field)),
                )
            })
            .collect();
    totals.sort_by(|one, other| {
        other.1[0]
            .cmp(&one.1[0])
            .then_with(|| name_order(one.0).cmp(&name_order(other.0)))
    });
    totals.into_iter().map(named_row).collect()
}

/// Player, swords, shields, potions: by player.
fn purchases_per_player(events: &[Value]) -> Rows {
    let mut bought: Vec<(Option<&str>, [i64; 3])> =
        group(of(events, &PURCHASES), |event| text(event, "userid"))
            .into_iter()
            .map(|(player, bought)| {
                let of_kind = |kind: &str| {
                    let of_kind = bought
                        .iter()
                        .copied()
                        .filter(|event| text(event, "event_type") == Some(kind));
                    total(&of_kind.collect::<Vec<_>>(), "amount_purchased")
                };
                (player, PURCHASES.map(of_kind))
            })
            .collect();
    bought.sort_by(|one, other| name_order(one.0).cmp(&name_order(other.0)));
    bought.into_iter().map(named_row).collect()
}

fn named_row<const N: usize>((name, figures): (Option<&str>, [i64; N])) -> Vec<Value> {
    std::iter::once(Value::from(name))
        .chain(figures.map(Value::from))
        .collect()
}
