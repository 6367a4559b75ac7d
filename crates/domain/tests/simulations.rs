//! The reference games as simulated players play them: their simulations, run against the rules alone, in memory.

use std::collections::BTreeSet;
use std::path::Path;

use gamepipe_domain::JsonMap;
use gamepipe_domain::definition::Game;
use gamepipe_domain::entity::{Entity, EntityId, Snapshot};
use gamepipe_domain::request::RequestContext;
use gamepipe_domain::rules::compile::compile_simulation;
use gamepipe_domain::rules::random::Draws;
use gamepipe_domain::rules::simulation::{Actors, CompiledSimulation, CompiledStep, Player};
use gamepipe_domain::rules::{ActionRequest, Decision, Outcome, decide, entities, refuse, replay};
use gamepipe_domain::time::Timestamp;
use serde_json::Value;

const GAMES: [&str; 5] = ["arena", "guild", "market", "quest", "trade"];
const PLAYERS: u32 = 20;
const STEPS: u64 = 600;
/// A fault of the definition, not a rule of the game.
const FAULTS: [&str; 6] = [
    "wrong_type",
    "missing",
    "arithmetic",
    "too_complex",
    "invalid_key",
    "out_of_bounds",
];

fn load(name: &str) -> Game {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../games")
        .join(name);
    let read =
        |file: &str| std::fs::read_to_string(folder.join(file)).map_err(|error| error.to_string());
    let text = read("game.yaml").unwrap_or_else(|error| panic!("{name}: {error}"));
    Game::load(name, &text, &read).unwrap_or_else(|problems| panic!("{problems}"))
}

struct World {
    game: Game,
    simulation: CompiledSimulation,
    store: std::collections::BTreeMap<EntityId, Entity>,
    draws: Draws,
    players: Vec<Player>,
    decisions: u64,
    events: u64,
    refused: u64,
    /// The types of events and the codes of refusals that occurred.
    seen: BTreeSet<String>,
}

impl World {
    fn new(name: &str) -> Self {
        let game = load(name);
        let simulation = compile_simulation(&game.document().spec)
            .unwrap_or_else(|problems| panic!("{name}: {problems:?}"))
            .unwrap_or_else(|| panic!("{name} has no simulation"));
        let mut draws = Draws::from_seed(11);
        let players = (0..PLAYERS)
            .map(|index| {
                let name = simulation
                    .name(index, &mut draws)
                    .unwrap_or_else(|error| panic!("{error}"));
                Player {
                    index,
                    name,
                    memory: Value::Null,
                }
            })
            .collect();
        let store = std::collections::BTreeMap::new();
        Self {
            game,
            simulation,
            store,
            draws,
            players,
            decisions: 0,
            events: 0,
            refused: 0,
            seen: BTreeSet::new(),
        }
    }

    fn play(&mut self) {
        for index in 0..self.players.len() {
            for step in 0..self.simulation.setup().len() {
                self.step(index, None, |simulation, _| &simulation.setup()[step]);
            }
        }
        for _ in 0..STEPS {
            let me = usize::try_from(self.draws.below(u64::from(PLAYERS))).expect("a small number");
            let other = (me + 1) % self.players.len();
            self.step(me, Some(other), |simulation, draws| {
                simulation.draw_step(draws).expect("there are steps")
            });
        }
    }

    fn step(
        &mut self,
        me: usize,
        other: Option<usize>,
        choose: impl for<'a> FnOnce(&'a CompiledSimulation, &mut Draws) -> &'a CompiledStep,
    ) {
        let step = choose(&self.simulation, &mut self.draws);
        let other = other.filter(|_| step.is_pair());
        let actors = Actors {
            me: &self.players[me],
            other: other.map(|index| &self.players[index]),
            players: PLAYERS,
        };
        let host = self
            .simulation
            .host(actors, &mut self.draws)
            .unwrap_or_else(|error| panic!("{error}"));
        let params = step
            .params(actors, &mut self.draws)
            .unwrap_or_else(|error| panic!("{error}"));
        let context = RequestContext {
            host: host.or(Some("localhost".to_owned())),
            ..RequestContext::default()
        };
        let seed = self.draws.bits();
        let decision = request(
            &self.game,
            &mut self.store,
            step.action(),
            &params,
            &context,
            seed,
        );
        self.decisions += 1;
        self.events += u64::try_from(decision.events.len()).expect("a small number");
        self.seen
            .extend(decision.events.iter().map(|event| event.event_type.clone()));
        match decision.outcome {
            Outcome::Refused(refusal) => {
                self.refused += 1;
                self.seen.insert(refusal.code.clone());
                let place = format!("{} {params:?}: {refusal:?}", step.action());
                assert!(!FAULTS.contains(&refusal.code.as_str()), "{place}");
            }
            Outcome::Done { reply, .. } => {
                let reply = reply.unwrap_or_default();
                let remembered = step
                    .remember(actors, &reply, &mut self.draws)
                    .unwrap_or_else(|error| panic!("{error}: {reply}"));
                if let Some(memory) = remembered.me {
                    self.players[me].memory = memory;
                }
                if let (Some(index), Some(memory)) = (other, remembered.other) {
                    self.players[index].memory = memory;
                }
            }
        }
    }
}

fn request(
    game: &Game,
    store: &mut std::collections::BTreeMap<EntityId, Entity>,
    action: &str,
    params: &JsonMap,
    context: &RequestContext,
    seed: u64,
) -> Decision {
    let action = game
        .action(action)
        .unwrap_or_else(|| panic!("there is no action {action}"));
    let params = action
        .parse_params(&[], Some(params), context, true)
        .unwrap_or_else(|problem| panic!("{}: {problem:?}", action.name()));
    let now = Timestamp::from_micros(1_767_225_600_000_000);
    let request = ActionRequest {
        action,
        params: &params,
        context,
        seed,
        now,
    };
    let mut snapshot = Snapshot::default();
    for id in action.counters() {
        snapshot.insert(id.clone(), store.get(id).cloned());
    }
    match entities(game, &request, &snapshot) {
        Err(refusal) => refuse(game, &request, refusal),
        Ok(ids) => {
            for id in ids {
                let entity = store.get(&id).cloned();
                snapshot.insert(id, entity);
            }
            let decision = decide(game, &request, &snapshot);
            // What an event records of its decision is enough to take it again.
            for event in &decision.events {
                let origin = event
                    .origin
                    .as_ref()
                    .expect("an action's event has an origin");
                let forgotten = ActionRequest { seed: 0, ..request };
                assert_eq!(
                    replay(game, origin, &forgotten, &snapshot).as_ref(),
                    Some(&decision)
                );
            }
            for write in &decision.writes {
                let version = store.get(&write.id).map_or(1, |entity| entity.version + 1);
                store.insert(
                    write.id.clone(),
                    Entity {
                        version,
                        state: write.state.clone(),
                    },
                );
            }
            decision
        }
    }
}

#[test]
fn simulated_players_meet_rules_and_never_faults() {
    for name in GAMES {
        let mut world = World::new(name);
        world.play();
        assert!(
            world.refused * 10 < world.decisions * 9,
            "{name}: {} of {} refused",
            world.refused,
            world.decisions
        );
        assert!(
            world.events >= world.decisions,
            "{name}: every decision is recorded"
        );
    }
}

#[test]
fn simulations_show_every_event() {
    for name in GAMES {
        let mut world = World::new(name);
        world.play();
        for event in world.game.events() {
            assert!(
                world.seen.contains(&event.name),
                "{name}: no {}",
                event.name
            );
        }
    }
}

#[test]
fn arena_refuses_for_every_reason_that_it_has() {
    let mut arena = World::new("arena");
    (0..4).for_each(|_| arena.play());
    for code in [
        "attacker_dead",
        "attacks_himself",
        "defender_dead",
        "name_taken",
        "no_such_weapon",
        "not_enough_money",
        "player_dead",
        "unknown_entity",
    ] {
        assert!(arena.seen.contains(code), "nobody was refused for {code}");
    }
}

#[test]
fn the_wealth_of_trade_never_changes() {
    let mut world = World::new("trade");
    let wealth = |world: &World| {
        let mut held = std::collections::BTreeMap::<String, i64>::new();
        for (_, entity) in world
            .store
            .iter()
            .filter(|(id, _)| id.entity_type == "player")
        {
            *held.entry("gold".to_owned()).or_default() +=
                entity.state["gold"].as_i64().unwrap_or_default();
            for (item, count) in entity.state["inventory"].as_object().into_iter().flatten() {
                *held.entry(item.clone()).or_default() += count.as_i64().unwrap_or_default();
            }
        }
        held
    };
    for index in 0..world.players.len() {
        for step in 0..world.simulation.setup().len() {
            world.step(index, None, |simulation, _| &simulation.setup()[step]);
        }
    }
    let before = wealth(&world);
    for index in 0..500 {
        let (me, other) = (
            index % world.players.len(),
            (index * 7 + 1) % world.players.len(),
        );
        if me != other {
            world.step(me, Some(other), |simulation, draws| {
                simulation.draw_step(draws).expect("there are steps")
            });
        }
    }
    assert_eq!(before, wealth(&world));
    assert!(
        world.refused * 2 < world.decisions,
        "{} of {} refused",
        world.refused,
        world.decisions
    );
    let states = world.store.values().map(|entity| entity.version).max();
    assert!(states > Some(1), "nobody traded");
}
