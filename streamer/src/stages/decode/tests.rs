//! Decoding: what is taken, what is refused, and that what was learned about shapes never changes an answer.

use gamepipe_domain::definition::game::{Column, ColumnKind, ColumnSource, Table};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

use super::{Cell, Decoder};
use crate::messages::{BadRecord, bad_code};
use crate::stages::route::Routes;

fn tables() -> Vec<Table> {
    let column = |name: &str, kind| Column {
        name: name.to_owned(),
        kind,
        source: ColumnSource::Property(name.to_owned()),
        description: None,
    };
    vec![Table {
        name: "t".to_owned(),
        description: None,
        events: vec!["e".to_owned()],
        rows: None,
        columns: vec![
            column("i", ColumnKind::Integer),
            column("n", ColumnKind::Number),
            column("s", ColumnKind::String),
            column("b", ColumnKind::Boolean),
            column("t", ColumnKind::Timestamp),
            column("j", ColumnKind::Json),
        ],
    }]
}

fn routes() -> Routes {
    let tables = tables();
    Routes::new(&tables.iter().collect::<Vec<_>>())
}

fn event(more: &str) -> String {
    format!(r#"{{"event_id":"x","event_type":"e","event_time":"2026-01-02T03:04:05Z"{more}}}"#)
}

fn decode(decoder: &mut Decoder, text: &str) -> Result<Vec<String>, BadRecord> {
    decoder.decode(&routes(), text)?;
    let decoded = decoder.decoded();
    Ok(decoded
        .cells
        .iter()
        .map(|cell| match cell {
            Cell::Text(span) | Cell::Escaped(span) => format!("text {}", span.of(text)),
            other => format!("{other:?}"),
        })
        .chain([format!("{:?}", decoded.shape.extras)])
        .collect())
}

fn refusal(more: &str) -> (&'static str, String) {
    let bad = decode(&mut Decoder::new(&routes()), &event(more)).unwrap_err();
    (bad.code, bad.pointer)
}

#[test]
fn values_of_another_type_are_refused_with_their_place() {
    for (more, code, pointer) in [
        (r#","i":1.0"#, bad_code::WRONG_TYPE, "/i"),
        (r#","i":1e2"#, bad_code::WRONG_TYPE, "/i"),
        (r#","i":"12""#, bad_code::WRONG_TYPE, "/i"),
        (r#","i":9223372036854775808"#, bad_code::OUT_OF_RANGE, "/i"),
        (r#","n":1e400"#, bad_code::OUT_OF_RANGE, "/n"),
        (r#","n":"1""#, bad_code::WRONG_TYPE, "/n"),
        (r#","s":1"#, bad_code::WRONG_TYPE, "/s"),
        (r#","b":1"#, bad_code::WRONG_TYPE, "/b"),
        (r#","t":1732200000000"#, bad_code::WRONG_TYPE, "/t"),
        (r#","t":"2026-02-30T00:00:00Z""#, bad_code::WRONG_TYPE, "/t"),
        (r#","j":"text""#, bad_code::WRONG_TYPE, "/j"),
        (r#","i":1,"i":1"#, bad_code::DUPLICATE_KEY, ""),
        (r#","x":{"y":1,"y":1}"#, bad_code::DUPLICATE_KEY, ""),
    ] {
        assert_eq!(refusal(more), (code, pointer.to_owned()), "{more}");
    }
}

#[test]
fn events_without_an_envelope_are_refused() {
    for (text, pointer) in [
        ("{}", "/event_type"),
        (r#"{"event_type":null}"#, "/event_type"),
        (
            r#"{"event_type":"e","event_time":"2026-01-02T03:04:05Z"}"#,
            "/event_id",
        ),
        (r#"{"event_type":"e","event_id":"x"}"#, "/event_time"),
    ] {
        let bad = decode(&mut Decoder::new(&routes()), text).unwrap_err();
        assert_eq!(
            (bad.code, bad.pointer.as_str()),
            (bad_code::MISSING_FIELD, pointer),
            "{text}"
        );
    }
    let bad = decode(&mut Decoder::new(&routes()), r#"{"event_type":7}"#).unwrap_err();
    assert_eq!(
        (bad.code, bad.pointer.as_str()),
        (bad_code::WRONG_TYPE, "/event_type")
    );
}

#[test]
fn names_and_types_with_escapes_are_the_same_names_and_types() {
    let mut decoder = Decoder::new(&routes());
    let text = r#"{"\u0065vent_id":"x","event_type":"\u0065","event_time":"2026-01-02T03:04:05Z","\u0069":5}"#;
    // An escaped name of the envelope is found as a member, but `event_type` itself must be plain to route by.
    let cells = decode(&mut decoder, text).unwrap();
    assert!(cells.contains(&"Integer(5)".to_owned()), "{cells:?}");
}

#[test]
fn greatest_and_least_integers_are_exact() {
    let mut decoder = Decoder::new(&routes());
    for number in [i64::MAX, i64::MIN, 0] {
        let cells = decode(&mut decoder, &event(&format!(",\"i\":{number}"))).unwrap();
        assert!(cells.contains(&format!("Integer({number})")), "{cells:?}");
    }
}

fn member() -> impl Strategy<Value = (String, Json)> {
    let name = prop_oneof![
        Just("i"),
        Just("n"),
        Just("s"),
        Just("b"),
        Just("t"),
        Just("j"),
        Just("x"),
        Just("y")
    ];
    let value = prop_oneof![
        Just(json!(null)),
        Just(json!(7)),
        Just(json!(1.5)),
        Just(json!("text")),
        Just(json!("2026-01-02T03:04:05Z")),
        Just(json!(true)),
        Just(json!({"a": [1]})),
    ];
    (name.prop_map(ToOwned::to_owned), value)
}

proptest! {
    #[test]
    fn learned_shapes_never_change_an_answer(
        events in proptest::collection::vec(proptest::collection::vec(member(), 0..6), 1..40),
    ) {
        let mut seasoned = Decoder::new(&routes());
        for members in events {
            let members: Map<String, Json> = members.into_iter().collect();
            let inner = serde_json::to_string(&members).unwrap();
            let inner = &inner[1..inner.len() - 1];
            let text = if inner.is_empty() { event("") } else { event(&format!(",{inner}")) };
            prop_assert_eq!(decode(&mut seasoned, &text), decode(&mut Decoder::new(&routes()), &text));
        }
    }
}
