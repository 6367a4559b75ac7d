//! Encoding and decoding an event are inverse to each other.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{DecodeError, decode_event, encode_event};
use crate::JsonMap;
use crate::entity::{Entity, EntityId};
use crate::event::{Event, Origin};
use crate::request::RequestContext;
use crate::time::Timestamp;

fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // Every finite float, to the last bit: a decision can be replayed only from the numbers that it saw.
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[\\x00-\\x1f\"\\\\/\u{7f}\u{2028}😀é]{0,12}".prop_map(Value::from),
    ];
    scalar.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any::<String>(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let context = (
        option::of(any::<String>()),
        option::of(any::<String>()),
        option::of(any::<String>()),
    )
        .prop_map(|(host, user_agent, accept)| RequestContext {
            host,
            user_agent,
            accept,
        });
    let write = (
        any::<String>(),
        any::<String>(),
        any::<u64>(),
        btree_map(any::<String>(), any_json(), 0..3),
    )
        .prop_map(|(entity_type, key, version, state)| {
            let state = state.into_iter().collect();
            (EntityId { entity_type, key }, Entity { version, state })
        });
    let origin = option::of(
        (
            any::<String>(),
            any::<u64>(),
            "[0-9a-f]{12}",
            vec(write, 0..3),
        )
            .prop_map(|(action, seed, rules, writes)| Origin {
                action,
                seed,
                rules,
                writes,
            }),
    );
    let data = btree_map("[a-z][a-zA-Z_-]{0,8}|x\\PC{0,6}", any_json(), 0..6);
    let moment =
        (-62_167_219_200_000_000_i64..=253_402_300_799_999_999).prop_map(Timestamp::from_micros);
    (
        any::<String>(),
        any::<String>(),
        moment,
        any::<String>(),
        data,
        context,
        origin,
    )
        .prop_map(|(id, event_type, time, key, data, context, origin)| Event {
            id,
            event_type,
            time,
            key,
            data: data
                .into_iter()
                .filter(|(name, _)| !name.starts_with("event_"))
                .collect(),
            context,
            origin,
        })
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same_event(event in any_event()) {
        let text = encode_event(&event);
        prop_assert_eq!(decode_event(&event.key, &text), Ok(event));
    }

    #[test]
    fn no_bytes_break_the_decoder(bytes in vec(any::<u8>(), 0..200)) {
        let _ = decode_event("key", &bytes);
    }
}

#[test]
fn the_form_on_the_log_is_as_documented() {
    let event = Event {
        id: "e1".to_owned(),
        event_type: "dig".to_owned(),
        time: Timestamp::from_micros(1_767_323_045_000_006),
        key: "alice".to_owned(),
        data: json!({"gold": 5, "by": "al\"ice"})
            .as_object()
            .cloned()
            .unwrap_or_default(),
        context: RequestContext {
            host: Some("h:1".to_owned()),
            user_agent: None,
            accept: Some("*/*".to_owned()),
        },
        origin: Some(Origin {
            action: "dig".to_owned(),
            seed: 0xab,
            rules: "0123456789ab".to_owned(),
            writes: vec![(
                EntityId {
                    entity_type: "player".to_owned(),
                    key: "alice".to_owned(),
                },
                Entity {
                    version: 3,
                    state: JsonMap::from_iter([("gold".to_owned(), json!(7))]),
                },
            )],
        }),
    };
    let text = String::from_utf8(encode_event(&event)).expect("text");
    assert_eq!(
        text,
        r#"{"event_id":"e1","event_type":"dig","event_time":"2026-01-02T03:04:05.000006Z","by":"al\"ice","gold":5,"Host":"h:1","Accept":"*/*","_origin":{"action":"dig","rules":"0123456789ab","seed":"00000000000000ab","writes":[{"type":"player","key":"alice","version":3,"state":{"gold":7}}]}}"#
    );
}

#[test]
fn an_envelope_that_is_incomplete_names_its_field() {
    let refused = |text: &str| decode_event("", text.as_bytes()).expect_err(text);
    assert!(matches!(refused("[]"), DecodeError::NotAnObject(_)));
    assert!(matches!(
        refused("{}"),
        DecodeError::Envelope {
            field: "event_id",
            ..
        }
    ));
    let late = r#"{"event_id":"a","event_type":"b","event_time":"yesterday"}"#;
    assert!(matches!(
        refused(late),
        DecodeError::Envelope {
            field: "event_time",
            ..
        }
    ));
}

#[test]
fn foreign_context_and_origin_stay_in_the_data() {
    let text = r#"{"event_id":"a","event_type":"b","event_time":"2026-01-02T03:04:05Z","Host":5,"_origin":"x"}"#;
    let event = decode_event("", text.as_bytes()).expect("an event");
    assert_eq!(
        Value::Object(event.data),
        json!({"Host": 5, "_origin": "x"})
    );
    assert_eq!((event.context.host, event.origin), (None, None));
}
