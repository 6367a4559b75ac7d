//! What holds for every decision, whatever the definition, the state and the request: a family of random games.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::JsonMap;
use crate::definition::document::GameSpec;
use crate::definition::value::check_value;
use crate::entity::{Entity, EntityId, Snapshot};
use crate::event::ACTION_REJECTED;
use crate::request::RequestContext;
use crate::rules::compile::compile_action;
use crate::rules::decide::{decide, entities};
use crate::rules::input::Input;
use crate::rules::plan::CompiledAction;
use crate::rules::{Decision, Outcome};
use crate::time::Timestamp;

/// Expressions for numbers; they may overflow, fail, and draw.
const NUMBERS: [&str; 10] = [
    "params.x",
    "params.y * 3",
    "one.gold - params.x",
    "two.gold + one.gold",
    "randomInt(-5, 50)",
    "total / params.y",
    "units(one.items)",
    "one.gold * one.gold * 1000000",
    "nextId('player')",
    "pick([1, 2, 3], [params.x, 1, 1])",
];
/// Expressions for bags.
const BAGS: [&str; 5] = [
    "{'gem': params.x}",
    "one.items",
    "plus(one.items, two.items)",
    "tally(range(3).map(n, pick(['gem', 'coin'])))",
    "minus(one.items, {'coin': 1})",
];

#[derive(Debug, Clone)]
struct Scene {
    spec: Json,
    snapshot: [JsonMap; 2],
    params: JsonMap,
    seed: u64,
    same: bool,
}

fn number() -> impl Strategy<Value = &'static str> {
    prop::sample::select(NUMBERS.to_vec())
}

fn bag() -> impl Strategy<Value = &'static str> {
    prop::sample::select(BAGS.to_vec())
}

fn effects() -> impl Strategy<Value = Json> {
    let set = (number(), bag())
        .prop_map(|(gold, items)| json!({"set": {"one": {"gold": gold}, "two": {"items": items}}}));
    let add = (number(), bag())
        .prop_map(|(gold, items)| json!({"add": {"one": {"gold": gold, "items": items}}}));
    let transfer = (number(), bag())
        .prop_map(|(gold, items)| json!({"transfer": [{"from": "one", "to": "two", "gold": gold, "items": items}]}));
    let both = (number(), number()).prop_map(
        |(set, add)| json!({"set": {"one": {"gold": set}}, "add": {"one": {"gold": add}}}),
    );
    prop_oneof![set, add, transfer, both]
}

fn spec(minimum: i64, maximum: i64, capacity: u64, when: &str, effects: [Json; 2]) -> Json {
    let player = json!({"state": {
        "gold": {"type": "integer", "default": minimum, "minimum": minimum, "maximum": maximum},
        "items": {"type": "bag", "capacity": capacity},
    }});
    let [mut first, mut second] = effects;
    first["when"] = json!(when);
    for case in [&mut first, &mut second] {
        case["emit"] = json!([{"event": "noted", "data": {"gold": "after.one.gold"}}]);
        case["reply"] = json!("[one.gold, after.two.gold]");
    }
    json!({
        "entities": {"player": player},
        "events": {"noted": {"properties": {"gold": {"type": "integer"}}}},
        "actions": {"act": {
            "params": {"x": {"type": "integer"}, "y": {"type": "integer"}, "to": {}},
            "entities": {"one": {"player": "'a'"}, "two": {"player": "params.to", "exists": "any"}},
            "key": "'a'",
            "let": {"total": "one.gold + two.gold"},
            "cases": [first, second],
        }},
    })
}

fn scene() -> impl Strategy<Value = Scene> {
    let when = prop::sample::select(vec![
        "params.x > 1",
        "random() < 0.5",
        "total % 2 == 0",
        "covers(one.items, two.items)",
    ]);
    (
        -3_i64..3,
        3_i64..60,
        2_u64..12,
        when,
        [effects(), effects()],
        -3_i64..8,
        any::<bool>(),
        any::<u64>(),
    )
        .prop_flat_map(
            |(minimum, maximum, capacity, when, effects, y, same, seed)| {
                let spec = spec(minimum, maximum, capacity, when, effects);
                let top = i64::try_from(capacity / 2).unwrap();
                let player =
                    (minimum..=maximum, 0..=top, 0..=top).prop_map(|(gold, gems, coins)| {
                        let items: JsonMap = [("gem", gems), ("coin", coins)]
                            .into_iter()
                            .filter(|(_, count)| *count > 0)
                            .map(|(item, count)| (item.to_owned(), json!(count)))
                            .collect();
                        JsonMap::from_iter([
                            ("gold".to_owned(), json!(gold)),
                            ("items".to_owned(), Json::Object(items)),
                        ])
                    });
                (
                    Just(spec),
                    [player.clone(), player],
                    -3_i64..8,
                    Just(y),
                    Just(same),
                    Just(seed),
                )
            },
        )
        .prop_map(|(spec, snapshot, x, y, same, seed)| {
            let to = if same { "a" } else { "b" };
            let params = json!({"x": x, "y": y, "to": to});
            Scene {
                spec,
                snapshot,
                params: params.as_object().unwrap().clone(),
                seed,
                same,
            }
        })
}

fn play(scene: &Scene) -> (GameSpec, Snapshot, Decision) {
    let spec: GameSpec = serde_json::from_value(scene.spec.clone()).unwrap();
    let plan = compile_action(&spec, "act").unwrap_or_else(|problems| panic!("{problems:?}"));
    let context = RequestContext::default();
    let input = input(&plan, scene, &context);
    let mut snapshot = Snapshot::default();
    for id in entities(&input, &snapshot.clone()).unwrap() {
        let state = scene.snapshot[usize::from(id.key == "b")].clone();
        snapshot.insert(id, Some(Entity { version: 1, state }));
    }
    let decision = decide(&input, &snapshot);
    assert_eq!(
        decision,
        decide(&input, &snapshot),
        "the same request is decided in one way"
    );
    (spec, snapshot, decision)
}

fn input<'a>(plan: &'a CompiledAction, scene: &'a Scene, context: &'a RequestContext) -> Input<'a> {
    Input {
        plan,
        action: "act",
        rules_version: "v",
        params: &scene.params,
        context,
        seed: scene.seed,
        now: Timestamp::from_micros(1_767_225_600_000_000),
    }
}

/// What all states hold of money and of each item.
fn wealth<'a>(states: impl Iterator<Item = &'a JsonMap>) -> (i64, BTreeMap<String, i64>) {
    let mut gold = 0;
    let mut items = BTreeMap::new();
    for state in states {
        gold += state["gold"].as_i64().unwrap();
        for (item, count) in state["items"].as_object().unwrap() {
            *items.entry(item.clone()).or_insert(0) += count.as_i64().unwrap();
        }
    }
    (gold, items)
}

fn players(snapshot: &Snapshot, decision: &Decision) -> (Vec<JsonMap>, Vec<JsonMap>) {
    let ids: Vec<EntityId> = snapshot.versions().map(|(id, _)| id.clone()).collect();
    let before: Vec<JsonMap> = ids
        .iter()
        .map(|id| snapshot.get(id).unwrap().state.clone())
        .collect();
    let after = ids.iter().zip(&before).map(|(id, old)| {
        decision
            .writes
            .iter()
            .find(|write| write.id == *id)
            .map_or_else(|| old.clone(), |write| write.state.clone())
    });
    (before.clone(), after.collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    // OV-1.
    #[test]
    fn decisions_keep_bounds_and_refusals_change_nothing(scene in scene()) {
        let (spec, _, decision) = play(&scene);
        match &decision.outcome {
            Outcome::Refused(refusal) => {
                prop_assert!(decision.writes.is_empty());
                prop_assert_eq!(decision.events.len(), 1);
                prop_assert_eq!(decision.events[0].event_type.as_str(), ACTION_REJECTED);
                prop_assert_ne!(refusal.code.as_str(), "wrong_type", "{}", &refusal.message);
            }
            Outcome::Done { entities, .. } => {
                prop_assert_eq!(decision.events.len(), 1);
                for write in decision.writes.iter().filter(|write| write.id.entity_type == "player") {
                    for (field, value) in &spec.entities["player"].state {
                        prop_assert!(check_value(value, &write.state[field], true).is_ok(), "{:?}", write);
                    }
                }
                for (_, id, state) in entities {
                    let written = decision.writes.iter().find(|write| write.id == *id);
                    prop_assert!(written.is_none_or(|write| write.state == *state));
                }
            }
        }
    }

    // OV-1.
    #[test]
    fn transfers_make_and_destroy_nothing(mut scene in scene(), gold in number(), items in bag(), back in bag()) {
        let swap = json!([
            {"from": "one", "to": "two", "gold": gold, "items": items},
            {"from": "two", "to": "one", "items": back},
        ]);
        scene.spec["actions"]["act"]["cases"] = json!([{"transfer": swap}]);
        let (_, snapshot, decision) = play(&scene);
        let (before, after) = players(&snapshot, &decision);
        prop_assert_eq!(wealth(before.iter()), wealth(after.iter()));
        if scene.same {
            prop_assert!(decision.writes.is_empty(), "nobody trades with himself");
        }
    }

    #[test]
    fn bags_conserve_items(have in bags(), other in bags()) {
        use crate::rules::apply::{combine, units};
        use crate::rules::node::Binary;
        use crate::rules::{types::Type, value::Value};
        let value = |bag: &BTreeMap<String, i64>| Value::from_json(&json!(bag), &Type::Bag).unwrap().coerce(&Type::Bag).unwrap();
        let (have, other) = (value(&have), value(&other));
        let count = |bag: &Value| match bag { Value::Map(entries) => units(entries).unwrap(), _ => 0 };
        let sum = combine(&have, &other, Binary::Add).unwrap();
        prop_assert_eq!(count(&sum), count(&have) + count(&other));
        prop_assert_eq!(combine(&sum, &other, Binary::Subtract).unwrap(), have.clone());
        prop_assert_eq!(combine(&other, &have, Binary::Add).unwrap(), sum);
    }
}

fn bags() -> impl Strategy<Value = BTreeMap<String, i64>> {
    prop::collection::btree_map("[a-d]", 0_i64..1000, 0..4)
}
