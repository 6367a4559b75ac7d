//! The model against answers that were worked out by hand from the fixtures.

use serde_json::{Value, json};

use super::{answer, difference, parse_events, trade};

/// Every row of `expected` is a row of the answer, in the same order, and there are no others.
#[track_caller]
fn check(game: &str, query: &str, expected: Value) {
    let text = match game {
        "arena" => include_str!("../../fixtures/arena.ndjson"),
        "quest" => include_str!("../../fixtures/quest.ndjson"),
        "guild" => include_str!("../../fixtures/guild.ndjson"),
        "market" => include_str!("../../fixtures/market.ndjson"),
        _ => include_str!("../../fixtures/trade.ndjson"),
    };
    let events = parse_events(text).unwrap();
    let found = answer(game, query, &events).expect("the model knows the query");
    let expected: Vec<Vec<Value>> = serde_json::from_value(expected).unwrap();
    assert_eq!(difference(&expected, &found), None, "{game} {query}");
}

#[test]
fn arena_is_answered_as_by_hand() {
    check("arena", "players", json!([[3]]));
    check(
        "arena",
        "purchases_per_weapon",
        json!([["knife", 2], ["bazooka", 1], ["gun", 1]]),
    );
    check("arena", "wallet_after_shield", json!([[115.0 / 3.0]]));
    check("arena", "repeat_shield_buyers", json!([["ann", 2]]));
    check("arena", "gold_found", json!([[20, 0, 35.0 / 3.0]]));
    check("arena", "weapon_that_fails_most", json!([["bazooka", 2]]));
    check("arena", "weapon_that_kills_most", json!([["gun", 1]]));
    check("arena", "players_killed", json!([[2]]));
    check("arena", "shielded_defenders", json!([[2]]));
    check(
        "arena",
        "hit_rate_per_weapon",
        json!([["gun", 100, 3], ["knife", 66, 3], ["bazooka", 0, 2]]),
    );
}

#[test]
fn quest_is_answered_as_by_hand() {
    check(
        "quest",
        "purchased_per_event_type",
        json!([
            ["purchase_potion", 6],
            ["purchase_sword", 3],
            ["purchase_shield", 1]
        ]),
    );
    check(
        "quest",
        "members_per_guild",
        json!([["Tinkers", 2], ["Wanderers", 2], ["Night Watch", 1]]),
    );
    check("quest", "highest_players", json!([["u2", 5], ["u1", 3]]));
    check(
        "quest",
        "most_enemies_defeated",
        json!([["u4", 2], ["u1", 1]]),
    );
    check("quest", "most_potions_taken", json!([["u3", 2], ["u1", 1]]));
    check(
        "quest",
        "most_treasures_found",
        json!([["u2", 2], ["u1", 1]]),
    );
    check("quest", "players_attacked", json!([[2]]));
    check(
        "quest",
        "player_totals",
        json!([
            ["u2", 5, 200, 175, 100],
            ["u1", 3, 300, 225, 120],
            ["u3", 0, 0, 0, 75]
        ]),
    );
    check(
        "quest",
        "purchases_per_player",
        json!([["u1", 1, 1, 1], ["u2", 2, 0, 5]]),
    );
}

#[test]
fn guild_is_answered_as_by_hand() {
    check("guild", "guild_percent", json!([[50]]));
    check("guild", "guild_percent_of_three", json!([[66]]));
    check("guild", "average_catches", json!([[2]]));
    check("guild", "average_slays", json!([[1]]));
    check(
        "guild",
        "events_per_table",
        json!([
            ["catch_butterfly", 5],
            ["join_guild", 3],
            ["purchase_sword", 1],
            ["slay_dragon", 3]
        ]),
    );
}

#[test]
fn market_is_answered_as_by_hand() {
    let host = |number: u32| format!("user{number}.market.example");
    check(
        "market",
        "purchases_per_kind",
        json!([["purchase_knife", 1, 10], ["purchase_sword", 2, 20]]),
    );
    check(
        "market",
        "money_added_per_host",
        json!([[host(3), 20, 20.0, 1], [host(1), 15, 7.5, 2]]),
    );
    check(
        "market",
        "balance_per_host",
        json!([[host(3), 20], [host(1), -5], [host(2), -10]]),
    );
    check(
        "market",
        "members_per_guild",
        json!([["smiths", 2], ["fools", 1], [null, 1]]),
    );
    check("market", "members_and_cancellations", json!([[3, 2]]));
    check(
        "market",
        "cancellations_per_reason",
        json!([["too dull", 2], [null, 1]]),
    );
    check(
        "market",
        "messages_per_host",
        json!([[host(1), 3], [host(2), 1]]),
    );
    check(
        "market",
        "messages",
        json!([
            ["2026-01-02 03:04:31.000000", host(2), "¿quién?"],
            ["2026-01-02 03:04:30.000000", host(1), "b"],
            ["2026-01-02 03:04:30.000000", host(1), "hola"],
            ["2026-01-02 03:04:30.000000", host(1), null],
        ]),
    );
}

#[test]
fn trade_is_answered_as_by_hand() {
    check("trade", "trades", json!([[5]]));
    check(
        "trade",
        "most_traded_items",
        json!([["potion", 2, 2], ["dagger", 1, 1], ["long sword", 1, 1]]),
    );
    check(
        "trade",
        "most_diverse_inventory",
        json!([["s1", 0, "ann", 2]]),
    );
    check(
        "trade",
        "most_valuable_inventory",
        json!([["s5", 0, "ann", 50]]),
    );
    check("trade", "gold_traded", json!([[27]]));
    check(
        "trade",
        "refused_trades",
        json!([["player_2_claim_differs", 2], ["player_1_lacks_gold", 1]]),
    );
    check(
        "trade",
        "players_per_class",
        json!([["mage", 2], ["monk", 1], ["thief", 1]]),
    );
}

#[test]
fn wealth_is_the_sum_of_the_last_states() {
    let events = parse_events(include_str!("../../fixtures/trade.ndjson")).unwrap();
    let expected = (80 + 100 + 80, [(1, 3 + 2), (2, 1), (6, 1)].into());
    assert_eq!(trade::wealth(&events), expected, "after the trades");
    assert_eq!(trade::wealth(events.iter().rev()), expected, "before them");
    let half_way = events.iter().take(6);
    assert_eq!(trade::wealth(half_way).0, 73 + 100 + 80);
}

#[test]
fn nothing_has_happened_gives_nulls_zeros_or_no_rows() {
    let of_nothing = |game, query| answer(game, query, &[]).expect("the model knows the query");
    assert_eq!(of_nothing("arena", "players"), [[json!(0)]]);
    assert_eq!(
        of_nothing("arena", "gold_found"),
        [[json!(null), json!(null), json!(null)]]
    );
    assert_eq!(of_nothing("guild", "average_slays"), [[json!(null)]]);
    assert_eq!(of_nothing("trade", "gold_traded"), [[json!(null)]]);
    assert!(of_nothing("trade", "most_diverse_inventory").is_empty());
    assert!(answer("arena", "who_knows", &[]).is_none());
    assert!(answer("chess", "players", &[]).is_none());
}

#[test]
fn a_difference_is_found() {
    let one = vec![vec![json!("ann"), json!(2)]];
    assert_eq!(
        difference(&one, &vec![vec![json!("ann"), json!(2.0)]]),
        None
    );
    for other in [
        vec![],
        vec![vec![json!("ann"), json!(3)]],
        vec![vec![json!("ben"), json!(2)]],
        vec![vec![json!("ann")]],
    ] {
        assert!(difference(&one, &other).is_some(), "{other:?}");
    }
}

#[test]
fn every_shipped_query_has_a_model() {
    for game in super::GAMES {
        let folder = format!("{}/../games/{game}/queries", env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let query = path.file_stem().unwrap().to_string_lossy();
            assert!(answer(game, &query, &[]).is_some(), "{game}: {query}");
        }
    }
}
