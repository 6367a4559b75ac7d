//! YAML into a tree with places: what is read, and what is refused.

use super::{Node, Place, PlacedProblem};

fn parse(text: &str) -> Result<Node, Vec<PlacedProblem>> {
    super::parse(text, "the definition")
}

fn problems(text: &str) -> Vec<(usize, usize, String)> {
    parse(text)
        .err()
        .unwrap_or_default()
        .into_iter()
        .map(|problem| (problem.place.line, problem.place.column, problem.message))
        .collect()
}

fn check_refused(text: &str, line: usize, column: usize, part: &str) {
    let found = problems(text);
    let fits = found
        .iter()
        .any(|(at, col, message)| (*at, *col) == (line, column) && message.contains(part));
    assert!(fits, "expected {line}:{column}: {part}\ngot {found:?}");
}

#[test]
fn scalars_follow_the_core_schema_of_yaml_1_2() {
    let text = "{a: 1, b: -2.5, c: 1e3, d: yes, e: true, f: ~, g: '1', h: 0x10, i: 0o17, j: !!str 5, k: 1.2.3, l: +5, m: .5}";
    let json = parse(text).expect("valid").to_json();
    let expected = serde_json::json!({
        "a": 1, "b": -2.5, "c": 1000.0, "d": "yes", "e": true, "f": null, "g": "1", "h": 16, "i": 15, "j": "5",
        "k": "1.2.3", "l": 5, "m": 0.5,
    });
    assert_eq!(json, expected);
}

#[test]
fn places_are_found_by_path_even_with_dots_in_names() {
    let tree = parse("a:\n  b.c:\n    - x: 1\n    - x: 2\n      y: [3, 4]\n").expect("valid");
    assert_eq!(
        tree.place_of("a.b.c[1].x"),
        Place {
            line: 4,
            column: 10
        }
    );
    assert_eq!(tree.place_of("a.b.c[1].y"), Place { line: 5, column: 7 });
    assert_eq!(
        tree.place_of("a.b.c[1].y[1]"),
        Place {
            line: 5,
            column: 14
        }
    );
    assert_eq!(
        tree.place_of("a.b.c[1].missing"),
        Place { line: 4, column: 7 }
    );
    assert_eq!(tree.place_of("nowhere"), Place { line: 1, column: 1 });
}

#[test]
fn what_surprises_is_refused_with_its_place() {
    check_refused("a: 1\nb: 2\na: 3\n", 3, 1, "`a` is given twice");
    check_refused("a: 1\n---\nb: 2\n", 2, 1, "second document");
    check_refused("1: a\n", 1, 1, "must be text");
    check_refused("[a]: b\n", 1, 1, "must be text");
    check_refused("a: 007\n", 1, 4, "octal");
    check_refused("a: .nan\n", 1, 4, "finite");
    check_refused("a: 99999999999999999999\n", 1, 4, "64-bit integers");
    check_refused("a: 1e999\n", 1, 4, "64-bit floats");
    check_refused("a: &x {b: 1}\nc:\n  <<: *x\n", 3, 3, "merge keys");
    check_refused("a: !secret b\n", 1, 4, "tag");
    check_refused("a: &x [*x]\n", 1, 8, "alias");
    check_refused("", 1, 1, "empty");
    check_refused("# nothing\n", 1, 1, "empty");
    check_refused("a:\n\tb: 1\n", 2, 2, "tab");
    check_refused("a: b: c\n", 1, 5, "needs quotes");
    check_refused(&"[".repeat(70), 1, 65, "nested deeper");
}

#[test]
fn aliases_expand_within_a_bound() {
    let tree = parse("a: &x {b: [1]}\nc: *x\n").expect("valid");
    assert_eq!(
        tree.to_json(),
        serde_json::json!({"a": {"b": [1]}, "c": {"b": [1]}})
    );
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let before = level - 1;
        bomb.push_str(&format!(
            "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}]\n"
        ));
    }
    assert!(
        problems(&bomb)
            .iter()
            .any(|(_, _, message)| message.contains("aliases")),
        "{:?}",
        problems(&bomb)
    );
}

#[test]
fn json_is_read_even_where_yaml_would_refuse_it() {
    let text = "{\n\t\"a\": \"\\ud83d\\ude00\",\n\t\"b\": [1, 2]\n}";
    assert_eq!(
        parse(text).expect("valid").to_json(),
        serde_json::json!({"a": "😀", "b": [1, 2]})
    );
}
