//! Parameters from text and JSON: what is taken, converted and refused.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::parse;
use crate::definition::document::ValueSpec;
use crate::definition::game::{ParamProblem, Params};

fn specs(declared: Value) -> BTreeMap<String, ValueSpec> {
    serde_json::from_value(declared).expect("a declaration")
}

fn from_text(declared: Value, pairs: &[(&str, &str)]) -> Result<Params, ParamProblem> {
    let pairs: Vec<(String, String)> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    parse(&specs(declared), &pairs, None, true)
}

fn from_json(declared: Value, json: Value) -> Result<Params, ParamProblem> {
    parse(&specs(declared), &[], json.as_object(), true)
}

fn values(params: Result<Params, ParamProblem>) -> Value {
    Value::Object(params.expect("good parameters").values().clone())
}

fn check_refused(params: Result<Params, ParamProblem>, code: &str, pointer: &str, part: &str) {
    let problem = params.expect_err(part);
    assert_eq!(
        (problem.code.as_str(), problem.pointer.as_str()),
        (code, pointer),
        "{problem}"
    );
    assert!(
        problem.detail.contains(part),
        "{part:?} not in {:?}",
        problem.detail
    );
}

#[test]
fn text_is_converted_by_declared_type() {
    let declared = json!({
        "i": {"type": "integer"}, "n": {"type": "number"}, "b": {"type": "boolean"}, "s": {}, "t": {"type": "timestamp"},
        "l": {"type": "list", "items": {"type": "integer"}}, "z": {"type": "integer", "nullable": true},
    });
    let pairs = [
        ("i", "-5"),
        ("n", "2"),
        ("b", "1"),
        ("s", "7"),
        ("t", "2026-01-02T04:04:05+01:00"),
        ("l", "[1,2]"),
        ("z", ""),
    ];
    let expected = json!({
        "i": -5, "n": 2.0, "b": true, "s": "7", "t": "2026-01-02T03:04:05.000000Z", "l": [1, 2], "z": null,
    });
    assert_eq!(values(from_text(declared, &pairs)), expected);
}

#[test]
fn text_of_the_wrong_form_is_refused() {
    for (kind, text) in [
        ("integer", "1.0"),
        ("integer", ""),
        ("integer", "+1"),
        ("integer", "9223372036854775808"),
        ("integer", " 1"),
        ("number", "nan"),
        ("number", "inf"),
        ("number", "1e999"),
        ("number", "x"),
        ("boolean", "yes"),
        ("timestamp", "yesterday"),
        ("bag", "{"),
        ("bag", "[]"),
    ] {
        check_refused(
            from_text(json!({"p": {"type": kind}}), &[("p", text)]),
            "wrong_type",
            "/p",
            "expected",
        );
    }
}

#[test]
fn json_types_are_strict() {
    for (kind, value) in [
        ("integer", json!(5.0)),
        ("integer", json!("5")),
        ("integer", json!(u64::MAX)),
        ("integer", json!(null)),
        ("number", json!("5")),
        ("string", json!(5)),
        ("boolean", json!(1)),
        ("timestamp", json!(5)),
    ] {
        check_refused(
            from_json(json!({"p": {"type": kind}}), json!({"p": value})),
            "wrong_type",
            "/p",
            "expected",
        );
    }
    assert_eq!(
        values(from_json(json!({"p": {"type": "number"}}), json!({"p": 5}))),
        json!({"p": 5.0})
    );
}

#[test]
fn absent_parameters_have_their_default_or_null_or_are_missing() {
    let declared = json!({"a": {"default": "x"}, "b": {"nullable": true}, "c": {"type": "number", "default": 1}});
    assert_eq!(
        values(from_text(declared, &[])),
        json!({"a": "x", "b": null, "c": 1.0})
    );
    check_refused(
        from_text(json!({"p": {}}), &[]),
        "missing_parameter",
        "/p",
        "`p` is missing; expected text",
    );
}

#[test]
fn bounds_hold() {
    let amount = json!({"p": {"type": "integer", "minimum": 1, "maximum": 10}});
    check_refused(
        from_text(amount.clone(), &[("p", "0")]),
        "out_of_bounds",
        "/p",
        "from 1 to 10, got 0",
    );
    check_refused(
        from_json(amount, json!({"p": 11})),
        "out_of_bounds",
        "/p",
        "got 11",
    );
    let name = json!({"p": {"maxLength": 3, "minLength": 2}});
    assert_eq!(
        values(from_text(name.clone(), &[("p", "äöü")])),
        json!({"p": "äöü"})
    );
    check_refused(
        from_text(name.clone(), &[("p", "abcd")]),
        "out_of_bounds",
        "/p",
        "at most 3 characters",
    );
    check_refused(
        from_text(name, &[("p", "a")]),
        "out_of_bounds",
        "/p",
        "at least 2 characters",
    );
    let choice = json!({"p": {"enum": ["a", "b"]}});
    check_refused(
        from_text(choice, &[("p", "c")]),
        "out_of_bounds",
        "/p",
        "one of \"a\", \"b\"",
    );
    let list = json!({"p": {"type": "list", "maxItems": 1, "items": {"type": "integer"}}});
    check_refused(
        from_json(list, json!({"p": [1, 2]})),
        "out_of_bounds",
        "/p",
        "at most 1 items",
    );
    let bag = json!({"p": {"type": "bag", "capacity": 5}});
    check_refused(
        from_json(bag.clone(), json!({"p": {"a": 3, "b": 3}})),
        "out_of_bounds",
        "/p",
        "at most 5 units",
    );
    check_refused(
        from_json(bag.clone(), json!({"p": {"a": -1}})),
        "out_of_bounds",
        "/p/a",
        "at least 0",
    );
    assert_eq!(
        values(from_json(bag, json!({"p": {"a": 3, "b": 0}}))),
        json!({"p": {"a": 3}})
    );
}

#[test]
fn nested_problems_have_their_pointer() {
    let declared = json!({"player": {"type": "object", "properties": {
        "gold": {"type": "integer", "minimum": 0},
        "items": {"type": "list", "items": {"type": "object", "properties": {"level": {"type": "integer", "default": 1}}}},
    }}});
    let player = |gold: Value, items: Value| json!({"player": {"gold": gold, "items": items}});
    let parsed = from_json(declared.clone(), player(json!(1), json!([{}])));
    assert_eq!(
        values(parsed),
        json!({"player": {"gold": 1, "items": [{"level": 1}]}})
    );
    check_refused(
        from_json(declared.clone(), player(json!(-1), json!([]))),
        "out_of_bounds",
        "/player/gold",
        "at least 0",
    );
    let wrong = from_json(
        declared.clone(),
        player(json!(1), json!([{}, {"level": "x"}])),
    );
    check_refused(
        wrong,
        "wrong_type",
        "/player/items/1/level",
        "`player` at /items/1/level: expected integer",
    );
    let surplus = from_json(declared.clone(), player(json!(1), json!([{"a/b": 1}])));
    check_refused(
        surplus,
        "unknown_parameter",
        "/player/items/0/a~1b",
        "not declared",
    );
    check_refused(
        from_json(declared, json!({"player": {"gold": 1}})),
        "missing_parameter",
        "/player/items",
        "missing",
    );
}

#[test]
fn unknown_names_matter_only_when_strict() {
    let declared = specs(json!({"user": {}}));
    let text = [
        ("user".to_owned(), "a".to_owned()),
        ("usr".to_owned(), "b".to_owned()),
    ];
    check_refused(
        parse(&declared, &text, None, true),
        "unknown_parameter",
        "/usr",
        "did you mean `user`?",
    );
    assert_eq!(
        values(parse(&declared, &text, None, false)),
        json!({"user": "a"})
    );
}

#[test]
fn a_text_parameter_twice_is_refused_and_json_wins_over_text() {
    let declared = json!({"p": {}});
    check_refused(
        from_text(declared.clone(), &[("p", "a"), ("p", "a")]),
        "duplicate_parameter",
        "/p",
        "more than once",
    );
    let text = [("p".to_owned(), "a".to_owned())];
    let both = parse(&specs(declared), &text, json!({"p": "b"}).as_object(), true);
    assert_eq!(values(both), json!({"p": "b"}));
}

#[test]
fn deep_values_are_refused() {
    let mut spec = json!({"type": "integer"});
    let mut value = json!(1);
    for _ in 0..40 {
        spec = json!({"type": "list", "items": spec});
        value = json!([value]);
    }
    let problem = from_json(json!({"p": spec}), json!({"p": value})).expect_err("too deep");
    assert_eq!(problem.code, "too_deep");
}

proptest! {
    #[test]
    fn fingerprints_are_equal_exactly_for_equal_parameters(left: i32, right: i32) {
        let declared = json!({"n": {"type": "number"}, "s": {"default": "x"}});
        let one = from_json(declared.clone(), json!({"n": left, "s": "x"})).expect("good").fingerprint();
        let same = from_text(declared.clone(), &[("n", &left.to_string())]).expect("good").fingerprint();
        let other = from_json(declared, json!({"n": right})).expect("good").fingerprint();
        prop_assert_eq!(&one, &same);
        prop_assert_eq!(one == other, left == right);
    }

    #[test]
    fn no_text_breaks_the_conversion(text in ".{0,20}") {
        for kind in ["integer", "number", "boolean", "string", "timestamp", "list", "map", "object", "bag"] {
            let spec = match kind {
                "list" => json!({"type": kind, "items": {}}),
                "map" => json!({"type": kind, "values": {}}),
                "object" => json!({"type": kind, "properties": {"a": {"nullable": true}}}),
                _ => json!({"type": kind}),
            };
            let _ = from_text(json!({"p": spec}), &[("p", &text)]);
        }
    }
}
