//! Our evaluator agrees with the interpreter of the `cel` crate wherever both have a say: on random expressions over
//! ints, booleans, text and lists, errors included.

use proptest::prelude::*;

use crate::definition::document::Expr;
use crate::rules::check::{Scope, check};
use crate::rules::eval::Machine;
use crate::rules::random::Draws;
use crate::rules::types::Type;
use crate::rules::value::Value;
use crate::time::Timestamp;

/// A variable that the expression inside doesn't use: ours refuses shadowing.
fn fresh(inside: &str) -> String {
    format!("x{}", inside.len())
}

fn ints() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (-3_i64..4).prop_map(|number| format!("({number})")),
        Just("9223372036854775807".to_owned()),
        Just("a".to_owned()),
        Just("b".to_owned()),
        Just("size(s)".to_owned()),
        Just("size(xs)".to_owned()),
        Just("xs[a]".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 2, |inner| {
        prop_oneof![
            (
                inner.clone(),
                inner.clone(),
                prop_oneof![Just("+"), Just("-"), Just("*"), Just("/"), Just("%")]
            )
                .prop_map(|(left, right, sign)| format!("({left} {sign} {right})")),
            (inner.clone(), inner.clone(), inner.clone())
                .prop_map(|(one, two, three)| format!("({one} < {two} ? {three} : {one})")),
            inner.clone().prop_map(|number| {
                let x = fresh(&number);
                format!("xs.map({x}, {x} + {number})[0]")
            }),
            inner.prop_map(|number| {
                let x = fresh(&number);
                format!("size(xs.filter({x}, {x} != {number}))")
            }),
        ]
    })
}

fn booleans() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        (
            ints(),
            ints(),
            prop_oneof![
                Just("<"),
                Just("<="),
                Just(">"),
                Just(">="),
                Just("=="),
                Just("!=")
            ]
        )
            .prop_map(|(left, right, sign)| format!("({left} {sign} {right})")),
        ints().prop_map(|number| format!("({number} in xs)")),
        (ints(), ints()).prop_map(|(one, two)| format!("xs.exists(x, x / {one} == {two})")),
        (ints(), ints()).prop_map(|(one, two)| format!("xs.all(x, x % {one} != {two})")),
        ints().prop_map(|number| format!("xs.exists_one(x, x == {number})")),
        Just("s.startsWith('ab')".to_owned()),
        Just("(s + 'c' == 'abc')".to_owned()),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} && {right})")),
            (inner.clone(), inner.clone()).prop_map(|(left, right)| format!("({left} || {right})")),
            inner.prop_map(|flag| format!("!{flag}")),
        ]
    })
}

/// Our answer, in the other's terms; `None` for a fault.
fn ours(text: &str, a: i64, b: i64, s: &str, xs: &[i64]) -> Option<cel::Value> {
    let mut scope = Scope::new(4);
    let mut machine = Machine::new(4, Draws::from_seed(0), Timestamp::from_micros(0));
    let list = Value::list(xs.iter().map(|number| Value::Int(*number)).collect());
    let names = [
        ("a", Type::Int, Value::Int(a)),
        ("b", Type::Int, Value::Int(b)),
        ("s", Type::String, Value::text(s)),
        ("xs", Type::list(Type::Int), list),
    ];
    for (slot, (name, ty, value)) in names.into_iter().enumerate() {
        scope.slot(name, ty, slot);
        machine.set(slot, value);
    }
    let checked = check(&Expr::Cel(text.to_owned()), "x", &scope)
        .unwrap_or_else(|problem| panic!("{text}: {}", problem.message));
    match machine.run(&checked.expression).ok()? {
        Value::Bool(flag) => Some(cel::Value::Bool(flag)),
        Value::Int(number) => Some(cel::Value::Int(number)),
        other => panic!("{text}: {other:?}"),
    }
}

fn theirs(text: &str, a: i64, b: i64, s: &str, xs: &[i64]) -> Option<cel::Value> {
    let mut context = cel::Context::default();
    context.add_variable_from_value("a", a);
    context.add_variable_from_value("b", b);
    context.add_variable_from_value("s", s);
    context.add_variable_from_value("xs", xs.to_vec());
    cel::Program::compile(text).ok()?.execute(&context).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn ints_and_their_faults_are_those_of_cel(text in ints(), a in -2_i64..3, b in any::<i64>(), xs in prop::collection::vec(-2_i64..4, 0..4)) {
        prop_assert_eq!(ours(&text, a, b, "ab", &xs), theirs(&text, a, b, "ab", &xs), "{}", text);
    }

    #[test]
    fn booleans_and_their_faults_are_those_of_cel(text in booleans(), a in -2_i64..3, b in any::<i64>(), xs in prop::collection::vec(-2_i64..4, 0..4)) {
        prop_assert_eq!(ours(&text, a, b, "ab", &xs), theirs(&text, a, b, "ab", &xs), "{}", text);
    }
}
