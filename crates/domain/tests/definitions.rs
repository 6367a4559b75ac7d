//! Every definition that the project shows loads: the reference games, and the examples of the guide.

use std::path::{Path, PathBuf};

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::document::ValueKind;

/// The reference games.
const GAMES: [&str; 5] = ["arena", "guild", "market", "quest", "trade"];

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn load(name: &str) -> Game {
    let folder = project().join("games").join(name);
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    let text = read("game.yaml").unwrap_or_else(|error| panic!("{name}: {error}"));
    Game::load(&format!("games/{name}/game.yaml"), &text, &read)
        .unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn the_reference_games_load() {
    for name in GAMES {
        let game = load(name);
        assert_eq!(game.name(), name);
        assert!(game.simulation().is_some(), "{name} has no simulation");
        assert!(!game.reports().is_empty(), "{name} has no report");
    }
}

#[test]
fn every_query_file_is_a_named_query_in_a_report() {
    for name in GAMES {
        let game = load(name);
        let folder = project().join("games").join(name).join("queries");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        files.sort();
        let mut queries: Vec<&str> = game
            .queries()
            .iter()
            .map(|query| query.name.as_str())
            .collect();
        queries.sort_unstable();
        assert_eq!(files, queries, "{name}");
    }
}

/// Scripts of users name these tables and columns: they are an interface.
#[test]
fn tables_and_columns_keep_their_names() {
    let context = "raw_event timestamp accept host user-agent event_type";
    let expect = |game: &str, table: &str, own: &str, context: &str| {
        let game = load(game);
        let found = game
            .tables()
            .iter()
            .find(|found| found.name == table)
            .unwrap_or_else(|| panic!("no table {table}"));
        let mut columns: Vec<&str> = found
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let mut expected: Vec<&str> = own.split(' ').chain(context.split(' ')).collect();
        expected.retain(|name| !name.is_empty());
        columns.sort_unstable();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(columns, expected, "{table}");
    };
    expect("arena", "player_events", "username", context);
    expect(
        "arena",
        "purchase_weapon_events",
        "username weapon wallet_before wallet_after",
        context,
    );
    expect(
        "arena",
        "purchase_shield_events",
        "username wallet_before wallet_after",
        context,
    );
    expect(
        "arena",
        "dig_for_gold_events",
        "username gold_found fee wallet_before wallet_after",
        context,
    );
    expect(
        "arena",
        "successful_attack_events",
        "attacker defender weapon_used defender_has_shield defender_health_before defender_health_after \
         defender_killed money_looted",
        context,
    );
    expect(
        "arena",
        "failed_attack_events",
        "attacker defender weapon_used",
        context,
    );
    expect(
        "quest",
        "purchase_events",
        "event_ts userid host event_type item_type description amount_purchased price",
        "",
    );
    expect(
        "quest",
        "character_events",
        "event_ts userid host description event_type",
        "",
    );
    expect(
        "quest",
        "character_stats",
        "event_ts userid host event_type description level attack defense health",
        "",
    );
    expect(
        "quest",
        "guild_events",
        "event_ts userid host event_type description guild_name",
        "",
    );
    for table in [
        "sword_purchases",
        "join_guilds",
        "slay_dragons",
        "catch_butterflies",
    ] {
        expect("guild", table, "", context);
    }
    for table in ["purchases", "add_money", "transactions"] {
        expect("market", table, "amount description", context);
    }
    expect("market", "guild_membership", "guild_name", context);
    expect("market", "cancel_membership", "cancel_reason", context);
    expect("market", "messages", "message_post", context);
    let context = "raw_event timestamp accept host user_agent event_type";
    expect(
        "trade",
        "trades",
        "trade_time trade_id valid_trade fail_reason player_id item_traded_item_id item_traded_name \
         item_traded_level item_traded_value item_traded_quantity gold_traded",
        context,
    );
    expect(
        "trade",
        "player_states",
        "state_id state_time player_id username player_class inventory_max_capacity \
         inventory_current_capacity item_held_item_id item_held_name item_held_level item_held_value \
         item_held_quantity gold",
        context,
    );
}

#[test]
fn routes_and_client_events_keep_their_names() {
    let routes = |game: &Game| {
        let mut paths: Vec<String> = game
            .actions()
            .flat_map(|action| action.routes())
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        paths.sort();
        paths
    };
    let both = |paths: &[&str]| {
        let mut routes: Vec<String> = paths
            .iter()
            .flat_map(|path| [format!("GET {path}"), format!("POST {path}")])
            .collect();
        routes.sort();
        routes
    };
    assert_eq!(
        routes(&load("arena")),
        both(&[
            "/initialize",
            "/purchase_weapon",
            "/purchase_shield",
            "/dig_for_gold",
            "/attack"
        ])
    );
    assert_eq!(
        routes(&load("quest")),
        both(&[
            "/purchase_sword",
            "/purchase_shield",
            "/purchase_potion",
            "/join_guild",
            "/find_treasure",
            "/enemy_attack",
            "/defeat_enemy",
            "/take_potion",
            "/level_up",
        ])
    );
    assert_eq!(
        routes(&load("guild")),
        both(&[
            "/purchase_a_sword",
            "/join_guild",
            "/slay_a_dragon",
            "/catch_a_butterfly"
        ])
    );
    assert_eq!(
        routes(&load("market")),
        both(&[
            "/",
            "/purchase_a_sword",
            "/purchase_a_knife",
            "/add_money",
            "/join_guild",
            "/cancel_membership",
            "/message",
        ])
    );
    assert_eq!(
        routes(&load("trade")),
        ["POST /trade", "PUT /create_player"]
    );
    assert_eq!(load("market").topic(), "game_events");
    for name in GAMES {
        let from_client = !matches!(name, "arena" | "trade");
        for event in load(name).events() {
            assert_eq!(event.from_client, from_client, "{name}: {}", event.name);
        }
    }
}

#[test]
fn times_are_timestamps_in_every_table() {
    for name in GAMES {
        for (table, spec) in &load(name).document().spec.tables {
            let times = spec.columns.iter().filter(|column| {
                matches!(
                    column.name.as_str(),
                    "timestamp" | "event_ts" | "trade_time" | "state_time"
                )
            });
            for column in times {
                let kind = column.kind.unwrap_or(ValueKind::Timestamp);
                assert_eq!(
                    kind,
                    ValueKind::Timestamp,
                    "{name}: {table}.{}",
                    column.name
                );
            }
        }
    }
}

/// The fenced `yaml` parts of a page.
fn yaml_parts(page: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        match &mut open {
            None if line == "```yaml" => open = Some(String::new()),
            None => {}
            Some(_) if line == "```" => parts.extend(open.take()),
            Some(part) => {
                part.push_str(line);
                part.push('\n');
            }
        }
    }
    parts
}

/// Lines without their indentation, which differs between a part and the whole.
fn bare_lines(text: &str) -> String {
    text.lines()
        .map(|line| format!("{}\n", line.trim()))
        .collect()
}

#[test]
fn the_examples_of_the_guide_load_or_are_part_of_one_that_does() {
    let page = project().join("docs/guides/your-own-game.md");
    let parts = yaml_parts(&std::fs::read_to_string(page).unwrap());
    let (whole, fragments): (Vec<String>, Vec<String>) = parts
        .into_iter()
        .partition(|part| part.contains("kind: Game") && part.contains("actions:"));
    assert!(!whole.is_empty() && !fragments.is_empty());
    for definition in &whole {
        if let Err(problems) = Game::load("your-own-game.md", definition, &|file| {
            Err(format!("{file}: no file here"))
        }) {
            panic!("{problems}");
        }
    }
    for fragment in &fragments {
        let is_part = whole
            .iter()
            .any(|definition| bare_lines(definition).contains(&bare_lines(fragment)));
        assert!(
            is_part,
            "this example is no part of a whole game of the page:\n{fragment}"
        );
    }
}
