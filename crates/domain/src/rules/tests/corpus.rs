//! The corpus: expressions with what the checker says of them and what they give. Adding one needs no Rust.

use crate::definition::document::{Expr, GameSpec};
use crate::rules::catalogs::catalogs;
use crate::rules::check::{Scope, check};
use crate::rules::eval::Machine;
use crate::rules::random::Draws;
use crate::rules::types::Type;
use crate::rules::value::Value;
use crate::time::Timestamp;
use serde_json::{Value as Json, json};

const CORPUS: &str = include_str!("../check/corpus.txt");
/// 2026-01-02T00:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_767_312_000_000_000);

fn spec() -> GameSpec {
    let weapon = |damage: i64, success: Json, parts: Json| json!({"damage": damage, "success": success, "parts": parts});
    let catalogs = json!({"weapons": {
        "knife": weapon(2, json!(0.75), json!({"wood": 1, "iron": 1})),
        "gun": weapon(9, json!(1), json!({"iron": 3})),
    }});
    serde_json::from_value(json!({ "catalogs": catalogs })).unwrap()
}

/// The names of the corpus: their types and values.
fn names() -> Vec<(&'static str, Type, Json)> {
    let params = Type::record([
        ("count", Type::Int),
        ("ratio", Type::Double),
        ("text", Type::String),
        ("flag", Type::Bool),
        ("maybe", Type::String.or_null()),
    ]);
    let player = Type::record([
        ("weapon", Type::String),
        ("bag", Type::Bag),
        ("names", Type::list(Type::String)),
        ("marks", Type::Map(std::sync::Arc::new(Type::Int))),
    ]);
    vec![
        (
            "params",
            params,
            json!({"count": 4, "ratio": 0.5, "text": "abc", "flag": true, "maybe": null}),
        ),
        (
            "player",
            player,
            json!({"weapon": "knife", "bag": {"coin": 3, "gem": 2}, "names": ["a", "b"], "marks": {"x": 1}}),
        ),
        ("now", Type::Timestamp, json!(NOW.to_rfc3339())),
    ]
}

enum Found {
    Value(String, Json),
    Problem(String),
    Fault(String, &'static str),
}

fn find(text: &str) -> Found {
    let spec = spec();
    let catalogs = catalogs(&spec).unwrap();
    let names = names();
    let mut scope = Scope::new(names.len());
    scope.allow_decision(vec!["player".to_owned()]);
    scope.constant("catalogs", catalogs.ty, catalogs.value);
    let mut machine = Machine::new(names.len(), Draws::from_seed(1), NOW);
    machine.counters.insert("player".to_owned(), 41);
    for (slot, (name, ty, json)) in names.iter().enumerate() {
        scope.slot(name, ty.clone(), slot);
        machine.set(slot, Value::from_json(json, ty).unwrap());
    }
    match check(&Expr::Cel(text.to_owned()), "spec.x", &scope) {
        Err(problem) => Found::Problem(problem.message),
        Ok(checked) => match machine.run(&checked.expression) {
            Ok(value) => {
                // Soundness: the value is of the type that the checker promised.
                let json = value.to_json().unwrap();
                assert!(
                    Value::from_json(&json, &checked.ty).is_ok(),
                    "{text}: {json} is no {}",
                    checked.ty
                );
                Found::Value(checked.ty.to_string(), json)
            }
            Err(fault) => {
                assert_ne!(fault.code(), "wrong_type", "{text}: {}", fault.detail());
                Found::Fault(checked.ty.to_string(), fault.code())
            }
        },
    }
}

fn check_line(line: &str) -> Result<(), String> {
    let shown = |found: Found| match found {
        Found::Value(ty, json) => format!("{ty}  ==>  {json}"),
        Found::Problem(message) => format!("the problem: {message}"),
        Found::Fault(ty, code) => format!("{ty}, the fault {code}"),
    };
    if let Some((text, part)) = line.split_once("  =!=>  ") {
        return match find(text) {
            Found::Problem(message) if message.contains(part) => Ok(()),
            other => Err(format!("{line}\n    found {}", shown(other))),
        };
    }
    if let Some((text, code)) = line.split_once("  =?=>  ") {
        return match find(text) {
            Found::Fault(_, found) if found == code => Ok(()),
            other => Err(format!("{line}\n    found {}", shown(other))),
        };
    }
    let parts: Vec<&str> = line.split("  ==>  ").collect();
    let [text, ty, value] = parts.as_slice() else {
        return Err(format!("{line}\n    is not a line of the corpus"));
    };
    let expected: Json =
        serde_json::from_str(value).map_err(|error| format!("{line}\n    {error}"))?;
    match find(text) {
        Found::Value(found, json) if found == *ty && json == expected => Ok(()),
        other => Err(format!("{line}\n    found {}", shown(other))),
    }
}

#[test]
fn every_expression_of_the_corpus_is_as_it_says() {
    let lines = CORPUS
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    let failures: Vec<String> = lines.filter_map(|line| check_line(line).err()).collect();
    assert!(
        failures.is_empty(),
        "{} lines:\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn a_catalog_whose_items_disagree_is_a_problem_with_its_place() {
    let spec: GameSpec = serde_json::from_value(json!({"catalogs": {"weapons": {
        "gun": {"damage": 9}, "knife": {"damage": "two"}, "stick": {"damge": 1},
    }}}))
    .unwrap();
    let problems = catalogs(&spec).unwrap_err();
    let found: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.path, problem.message))
        .collect();
    assert_eq!(
        found,
        [
            "spec.catalogs.weapons.knife.damage: expected int as in the items before, found string",
            "spec.catalogs.weapons.stick: 'stick' has no field 'damage', which 'gun' has; all items of a catalog have the same fields",
            "spec.catalogs.weapons.stick: 'stick' has a field 'damge', which 'gun' has not; all items of a catalog have the same fields",
        ]
    );
}

/// LI-1.
#[test]
fn expressions_that_are_too_long_or_too_deep_are_refused() {
    let long_sum = vec!["1"; 4000].join("+");
    let deep = format!("{}1{}", "(".repeat(4000), ")".repeat(4000));
    let nots = format!("{}true", "!".repeat(4000));
    let fields = format!("params{}", ".x".repeat(4000));
    let too_long = "1".repeat(9000);
    for text in [long_sum, deep, fields, too_long] {
        let start: String = text.chars().take(20).collect();
        assert!(matches!(find(&text), Found::Problem(_)), "{start}");
    }
    // The parser makes one of many.
    assert!(matches!(find(&nots), Found::Value(_, Json::Bool(true))));
}

#[test]
fn a_problem_in_a_long_expression_says_at_which_character() {
    let text = "params.text + 'some text that is long enough' + params.count";
    let Found::Problem(message) = find(text) else {
        panic!("{text} is well typed")
    };
    assert!(
        message.starts_with("at character 47: string + int"),
        "{message}"
    );
}
