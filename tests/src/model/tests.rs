//! The model against answers that were worked out by hand from the fixtures.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Rows, answer, difference, parse_events, trade};

/// `fixtures/<game>.answers.json` holds what was worked out by hand from `fixtures/<game>.ndjson`, for every query.
#[test]
fn every_question_is_answered_as_by_hand() {
    for game in super::GAMES {
        let read = |end: &str| {
            let path = format!("{}/fixtures/{game}.{end}", env!("CARGO_MANIFEST_DIR"));
            std::fs::read_to_string(path).unwrap()
        };
        let events = parse_events(&read("ndjson")).unwrap();
        let answers: BTreeMap<String, Rows> = serde_json::from_str(&read("answers.json")).unwrap();
        assert!(!answers.is_empty());
        for (query, expected) in &answers {
            let found = answer(game, query, &events).expect(query);
            assert_eq!(difference(expected, &found), None, "{game}: {query}");
        }
    }
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
            let answers = format!(
                "{}/fixtures/{game}.answers.json",
                env!("CARGO_MANIFEST_DIR")
            );
            let answers = std::fs::read_to_string(answers).unwrap();
            assert!(
                answers.contains(&format!("\"{query}\": ")),
                "{game}: no answer to {query}"
            );
        }
    }
}
