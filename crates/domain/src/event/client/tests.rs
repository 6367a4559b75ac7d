//! Events from clients: what is accepted, and the code of each refusal.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::EventProblem;
use crate::definition::Game;
use crate::event::Event;
use crate::request::RequestContext;
use crate::time::Timestamp;

const RECEIVED: Timestamp = Timestamp::from_micros(1_767_323_045_000_006);

pub(in crate::event) fn game() -> Game {
    let text = r#"
apiVersion: gamepipe.dev/v1alpha1
kind: Game
metadata: {name: sample}
spec:
  events:
    level_up:
      from: [client]
      key: player
      properties:
        player: {type: string, maxLength: 300}
        level: {type: integer, minimum: 1}
        bonus: {type: number, default: 0.5}
        note: {type: string, nullable: true}
        at: {type: timestamp, nullable: true}
        loot: {type: list, nullable: true, items: {type: object, properties: {name: {type: string}}}}
    ping: {from: [client]}
    traded: {properties: {gold: {type: integer}}}
"#;
    Game::load("sample.yaml", text, &|_| Err("no files".to_owned()))
        .unwrap_or_else(|problems| panic!("{problems}"))
}

pub(in crate::event) fn context() -> RequestContext {
    RequestContext {
        host: Some("user1.att.com:5000".to_owned()),
        user_agent: Some("t".to_owned()),
        accept: None,
    }
}

fn take(text: &str) -> Result<Event, EventProblem> {
    game().client_event_from_slice(text.as_bytes(), &context(), RECEIVED, || {
        "fallback".to_owned()
    })
}

fn level_up(more: &str) -> String {
    format!(r#"{{"event_type":"level_up","player":"ann","level":3{more}}}"#)
}

#[track_caller]
fn check_refused(text: &str, code: &str, pointer: &str, part: &str) {
    let problem = take(text).expect_err(text);
    assert_eq!(
        (problem.code, problem.pointer.as_str()),
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
fn an_event_gets_defaults_and_keeps_what_is_not_declared() {
    let event = take(&level_up(
        r#","loot":[{"name":"x","more":1}],"extra":{"a":[1]}"#,
    ))
    .expect("an event");
    let data = json!({"player": "ann", "level": 3, "bonus": 0.5, "loot": [{"name": "x", "more": 1}], "extra": {"a": [1]}});
    assert_eq!(Value::Object(event.data), data);
    assert_eq!(
        (event.id.as_str(), event.key.as_str(), event.time),
        ("fallback", "ann", RECEIVED)
    );
    assert_eq!(
        (event.event_type.as_str(), event.context, event.origin),
        ("level_up", context(), None)
    );
}

#[test]
fn the_clients_own_id_and_time_are_kept() {
    let event = take(&level_up(
        r#","event_id":"e-1","event_time":"2026-01-01T01:00:00+01:00""#,
    ))
    .expect("an event");
    assert_eq!(event.id, "e-1");
    assert_eq!(event.time.to_rfc3339(), "2026-01-01T00:00:00.000000Z");
}

#[test]
fn an_event_without_a_key_property_belongs_to_its_host_or_to_nobody() {
    assert_eq!(
        take(r#"{"event_type":"ping"}"#).expect("an event").key,
        "user1.att.com"
    );
    let nobody = RequestContext::default();
    let event =
        game().client_event_from_slice(br#"{"event_type":"ping"}"#, &nobody, RECEIVED, || {
            "id-1".to_owned()
        });
    assert_eq!(event.expect("an event").key, "id-1");
}

#[test]
fn what_is_no_event_of_the_game_is_refused() {
    check_refused("[1]", "invalid_json", "", "one JSON object");
    check_refused("{", "invalid_json", "", "EOF");
    check_refused(&level_up(r#"} x {"#), "invalid_json", "", "trailing");
    check_refused("{}", "missing_property", "/event_type", "missing");
    check_refused(
        r#"{"event_type":5}"#,
        "wrong_type",
        "/event_type",
        "expected text",
    );
    check_refused(
        r#"{"event_type":"level_pu"}"#,
        "unknown_event",
        "/event_type",
        "did you mean `level_up`?",
    );
    check_refused(
        r#"{"event_type":"action_rejected"}"#,
        "unknown_event",
        "/event_type",
        "no event",
    );
    check_refused(
        r#"{"event_type":"traded","gold":1}"#,
        "not_from_client",
        "/event_type",
        "clients can't",
    );
}

#[test]
fn properties_that_do_not_fit_are_refused_with_their_place() {
    check_refused(
        r#"{"event_type":"level_up","level":1}"#,
        "missing_property",
        "/player",
        "`player`",
    );
    check_refused(
        &level_up(r#","bonus":"x""#),
        "wrong_type",
        "/bonus",
        "expected number, got text \"x\"",
    );
    check_refused(
        &level_up(r#","loot":[{}]"#),
        "missing_property",
        "/loot/0/name",
        "missing",
    );
    check_refused(
        &level_up(r#","bonus":null"#),
        "wrong_type",
        "/bonus",
        "got null",
    );
    check_refused(
        &level_up(r#","at":"soon""#),
        "wrong_type",
        "/at",
        "RFC 3339",
    );
    check_refused(
        r#"{"event_type":"level_up","player":"a","level":0}"#,
        "out_of_bounds",
        "/level",
        "at least 1",
    );
    check_refused(
        r#"{"event_type":"level_up","player":"a","level":1.0}"#,
        "wrong_type",
        "/level",
        "expected integer",
    );
}

#[test]
fn names_times_and_keys_that_can_not_be_are_refused() {
    check_refused(
        &level_up(r#","_seed":1"#),
        "reserved_name",
        "/_seed",
        "itself",
    );
    check_refused(
        &level_up(r#","Host":"x""#),
        "reserved_name",
        "/Host",
        "itself",
    );
    check_refused(
        &level_up(r#","level":4"#),
        "invalid_json",
        "/level",
        "twice",
    );
    check_refused(
        &level_up(r#","event_type":"ping""#),
        "invalid_json",
        "/event_type",
        "twice",
    );
    check_refused(
        &level_up(r#","event_time":"2026""#),
        "invalid_time",
        "/event_time",
        "RFC 3339",
    );
    let long = format!(
        r#"{{"event_type":"level_up","player":"{}","level":1}}"#,
        "x".repeat(257)
    );
    check_refused(&long, "out_of_bounds", "/player", "the limit is 256");
}

#[test]
fn deep_events_are_refused_whatever_the_depth() {
    let nested = |levels: usize| {
        level_up(&format!(
            r#","x":{}{}"#,
            "[".repeat(levels),
            "]".repeat(levels)
        ))
    };
    assert!(take(&nested(20)).is_ok());
    check_refused(&nested(40), "too_deep", "/x", "deeper");
    check_refused(&nested(100_000), "too_deep", "", "deeper");
}

#[test]
fn ids_that_are_none_are_refused() {
    for id in [
        "",
        "  ",
        "null",
        "undefined",
        "NaN",
        "[object Object]",
        "a\\u0000b",
        "a\\nb",
        &"x".repeat(201),
    ] {
        check_refused(
            &level_up(&format!(r#","event_id":"{id}""#)),
            "invalid_event_id",
            "/event_id",
            "event_id",
        );
    }
    for id in ["5", "null", "{}"] {
        check_refused(
            &level_up(&format!(r#","event_id":{id}"#)),
            "invalid_event_id",
            "/event_id",
            "expected text",
        );
    }
    assert_eq!(
        take(&level_up(r#","event_id":"0""#)).expect("an event").id,
        "0"
    );
}

proptest! {
    #[test]
    fn both_ways_in_agree(level in any::<i8>(), name in "[a-z_]{1,6}", value in any::<Option<i32>>()) {
        let json = json!({"event_type": "level_up", "player": "ann", "level": level, name: value});
        let from_text = take(&json.to_string());
        let fields = json.as_object().cloned().unwrap_or_default();
        let from_json = game().client_event(fields, &context(), RECEIVED, || "fallback".to_owned());
        prop_assert_eq!(from_text, from_json);
    }

    #[test]
    fn no_bytes_break_it(bytes in proptest::collection::vec(any::<u8>(), 0..100), inside in ".{0,40}") {
        let game = game();
        let _ = game.client_event_from_slice(&bytes, &context(), RECEIVED, String::new);
        let _ = game.client_event_from_slice(level_up(&inside).as_bytes(), &context(), RECEIVED, String::new);
        let _ = game.cloud_event_from_slice(&bytes, &context(), RECEIVED, String::new);
    }
}
