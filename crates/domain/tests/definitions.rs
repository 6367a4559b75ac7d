//! Every definition that the project shows loads: the reference games, and the examples of the guide.

use std::path::{Path, PathBuf};

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::document::ValueKind;
use gamepipe_domain::rules::cases::read_cases;

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

/// Columns that say where an event came from.
const CONTEXT: &str = "raw_event timestamp accept host user-agent event_type";
/// The same in trade.
const TRADE_CONTEXT: &str = "raw_event timestamp accept host user_agent event_type";

/// Game, table, its own columns, and the columns for the context. Scripts of users name them: they are an interface.
const TABLES: [(&str, &str, &str, &str); 22] = [
    ("arena", "player_events", "username", CONTEXT),
    (
        "arena",
        "purchase_weapon_events",
        "username weapon wallet_before wallet_after",
        CONTEXT,
    ),
    (
        "arena",
        "purchase_shield_events",
        "username wallet_before wallet_after",
        CONTEXT,
    ),
    (
        "arena",
        "dig_for_gold_events",
        "username gold_found fee wallet_before wallet_after",
        CONTEXT,
    ),
    (
        "arena",
        "successful_attack_events",
        "attacker defender weapon_used defender_has_shield defender_health_before defender_health_after \
         defender_killed money_looted",
        CONTEXT,
    ),
    (
        "arena",
        "failed_attack_events",
        "attacker defender weapon_used",
        CONTEXT,
    ),
    (
        "quest",
        "purchase_events",
        "event_ts userid host event_type item_type description amount_purchased price",
        "",
    ),
    (
        "quest",
        "character_events",
        "event_ts userid host description event_type",
        "",
    ),
    (
        "quest",
        "character_stats",
        "event_ts userid host event_type description level attack defense health",
        "",
    ),
    (
        "quest",
        "guild_events",
        "event_ts userid host event_type description guild_name",
        "",
    ),
    ("guild", "sword_purchases", "", CONTEXT),
    ("guild", "join_guilds", "", CONTEXT),
    ("guild", "slay_dragons", "", CONTEXT),
    ("guild", "catch_butterflies", "", CONTEXT),
    ("market", "purchases", "amount description", CONTEXT),
    ("market", "add_money", "amount description", CONTEXT),
    ("market", "transactions", "amount description", CONTEXT),
    ("market", "guild_membership", "guild_name", CONTEXT),
    ("market", "cancel_membership", "cancel_reason", CONTEXT),
    ("market", "messages", "message_post", CONTEXT),
    (
        "trade",
        "trades",
        "trade_time trade_id valid_trade fail_reason player_id item_traded_item_id item_traded_name \
         item_traded_level item_traded_value item_traded_quantity gold_traded",
        TRADE_CONTEXT,
    ),
    (
        "trade",
        "player_states",
        "state_id state_time player_id username player_class inventory_max_capacity \
         inventory_current_capacity item_held_item_id item_held_name item_held_level item_held_value \
         item_held_quantity gold",
        TRADE_CONTEXT,
    ),
];

#[test]
fn tables_and_columns_keep_their_names() {
    for (game, name, own, context) in TABLES {
        let game = load(game);
        let table = game
            .tables()
            .iter()
            .find(|table| table.name == name)
            .expect(name);
        let mut columns: Vec<&str> = table
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .collect();
        let mut expected: Vec<&str> = own.split(' ').chain(context.split(' ')).collect();
        expected.retain(|name| !name.is_empty());
        columns.sort_unstable();
        expected.sort_unstable();
        assert_eq!(columns, expected, "{name}");
    }
    let declared: usize = GAMES.iter().map(|name| load(name).tables().len()).sum();
    assert_eq!(declared, TABLES.len());
}

/// The routes that answer GET and POST alike.
const ROUTES: [(&str, &str); 4] = [
    (
        "arena",
        "/attack /dig_for_gold /initialize /purchase_shield /purchase_weapon",
    ),
    (
        "quest",
        "/defeat_enemy /enemy_attack /find_treasure /join_guild /level_up /purchase_potion \
         /purchase_shield /purchase_sword /take_potion",
    ),
    (
        "guild",
        "/catch_a_butterfly /join_guild /purchase_a_sword /slay_a_dragon",
    ),
    (
        "market",
        "/ /add_money /cancel_membership /join_guild /message /purchase_a_knife /purchase_a_sword",
    ),
];

fn routes(game: &Game) -> Vec<String> {
    let routes = game.actions().flat_map(|action| action.routes());
    let mut routes: Vec<String> = routes
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    routes.sort();
    routes
}

#[test]
fn routes_keep_their_names() {
    for (game, paths) in ROUTES {
        let with =
            |method: &'static str| paths.split(' ').map(move |path| format!("{method} {path}"));
        let expected: Vec<String> = with("GET").chain(with("POST")).collect();
        assert_eq!(routes(&load(game)), expected, "{game}");
    }
    assert_eq!(
        routes(&load("trade")),
        ["POST /trade", "PUT /create_player"]
    );
}

#[test]
fn topics_and_origins_of_events_are_as_declared() {
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
    let (cases, parts): (Vec<String>, Vec<String>) = parts
        .into_iter()
        .partition(|part| part.starts_with("- name:"));
    let (whole, fragments): (Vec<String>, Vec<String>) = parts
        .into_iter()
        .partition(|part| part.contains("kind: Game") && part.contains("actions:"));
    assert!(!whole.is_empty() && !fragments.is_empty());
    let games: Vec<Game> = whole
        .iter()
        .map(|definition| {
            let no_files = |file: &str| Err(format!("{file}: no file here"));
            Game::load("your-own-game.md", definition, &no_files)
                .unwrap_or_else(|problems| panic!("{problems}"))
        })
        .collect();
    assert!(!cases.is_empty());
    for text in &cases {
        let cases =
            read_cases("your-own-game.md", text).unwrap_or_else(|problems| panic!("{problems}"));
        for case in cases {
            let holds = games
                .iter()
                .map(|game| case.check(game))
                .find(Result::is_ok);
            assert!(
                holds.is_some(),
                "{}: {:?}",
                case.name,
                case.check(&games[0])
            );
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
