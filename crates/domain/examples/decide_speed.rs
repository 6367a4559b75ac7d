//! Prints how long decisions of the reference games take, one core, release profile:
//! `cargo run --release -p gamepipe-domain --example decide_speed`.

use std::time::Instant;

use gamepipe_domain::definition::Game;
use gamepipe_domain::entity::{Entity, Snapshot};
use gamepipe_domain::request::RequestContext;
use gamepipe_domain::rules::{ActionRequest, decide, entities};
use gamepipe_domain::time::Timestamp;
use serde_json::{Value, json};

const ROUNDS: u64 = 200_000;

#[expect(clippy::print_stdout, reason = "printing is what this program is for")]
fn measure(
    name: &str,
    action: &str,
    params: Value,
    states: &[(&str, Value)],
) -> Result<(), String> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../games")
        .join(name);
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    let game =
        Game::load(name, &read("game.yaml")?, &read).map_err(|problems| problems.to_string())?;
    let action = game.action(action).ok_or("no such action")?;
    let context = RequestContext {
        host: Some("localhost:5000".into()),
        ..RequestContext::default()
    };
    let Value::Object(body) = params else {
        return Err("params must be an object".into());
    };
    let params = action
        .parse_params(&[], Some(&body), &context, true)
        .map_err(|problem| problem.to_string())?;
    let now = Timestamp::from_micros(1_767_225_600_000_000);
    let request = |seed| ActionRequest {
        action,
        params: &params,
        context: &context,
        seed,
        now,
    };
    let mut snapshot = Snapshot::default();
    for id in entities(&game, &request(0), &snapshot).map_err(|refusal| refusal.to_string())? {
        let state = states
            .iter()
            .find(|(key, _)| *key == id.key)
            .and_then(|(_, state)| state.as_object());
        let entity = state.map(|state| Entity {
            version: 1,
            state: state.clone(),
        });
        snapshot.insert(id, entity);
    }
    let started = Instant::now();
    let mut events = 0;
    for seed in 0..ROUNDS {
        events += decide(&game, &request(seed), &snapshot).events.len();
    }
    let nanos = started.elapsed().as_nanos() / u128::from(ROUNDS);
    println!(
        "{name:8} {:16} {:>7}.{:02} us  ({events} events)",
        action.name(),
        nanos / 1000,
        nanos % 1000 / 10
    );
    Ok(())
}

fn main() -> Result<(), String> {
    let alice = json!({"money": 100, "health": 20, "weapon": "knife", "shield": false});
    let bob = json!({"money": 50, "health": 20, "weapon": "stick", "shield": true});
    let fighters = [("alice", alice), ("bob", bob)];
    measure(
        "arena",
        "attack",
        json!({"username": "alice", "enemy": "bob"}),
        &fighters,
    )?;
    measure(
        "arena",
        "dig_for_gold",
        json!({"username": "alice"}),
        &fighters,
    )?;
    let trader = |id: i64, items: Value| json!({"player_id": id, "username": "t", "player_class": "mage", "gold": 80, "max_capacity": 20, "inventory": items});
    let claim = |id: i64, items: Value, gives: Value| json!({"player_id": id, "username": "t", "gold": 80, "inventory": {"items": items}, "items_traded": gives});
    let one = |item: i64, quantity: i64| json!([{"item_id": item, "quantity": quantity}]);
    measure(
        "trade",
        "trade",
        json!({"player_1": claim(1, one(1, 3), one(1, 1)), "player_2": claim(2, one(7, 2), one(7, 1))}),
        &[
            ("1", trader(1, json!({"1": 3}))),
            ("2", trader(2, json!({"7": 2}))),
        ],
    )
}
