//! CloudEvents in structured mode, read as events.

use serde_json::{Value, json};

use crate::event::Event;
use crate::event::client::EventProblem;
use crate::event::client::tests::{context, game};
use crate::time::Timestamp;

fn take(event: &Value) -> Result<Event, EventProblem> {
    let text = event.to_string();
    game().cloud_event_from_slice(
        text.as_bytes(),
        &context(),
        Timestamp::from_micros(0),
        || "fallback".to_owned(),
    )
}

fn sample() -> Value {
    json!({
        "specversion": "1.0", "id": "c-1", "type": "com.acme.sample.level_up", "source": "/client/7",
        "time": "2026-01-02T03:04:05Z", "subject": "player/ann", "datacontenttype": "application/json; charset=utf-8",
        "data": {"player": "ann", "level": 2},
    })
}

fn changed(name: &str, value: Value) -> Value {
    let mut event = sample();
    event[name] = value;
    event
}

#[test]
fn attributes_become_the_envelope_and_none_is_lost() {
    let event = take(&sample()).expect("an event");
    assert_eq!(
        (
            event.id.as_str(),
            event.event_type.as_str(),
            event.key.as_str()
        ),
        ("c-1", "level_up", "ann")
    );
    assert_eq!(event.time.to_rfc3339(), "2026-01-02T03:04:05.000000Z");
    let data = json!({"player": "ann", "level": 2, "bonus": 0.5, "ce_source": "/client/7", "ce_subject": "player/ann"});
    assert_eq!(Value::Object(event.data), data);
    assert_eq!(
        take(&changed("type", json!("level_up")))
            .expect("an event")
            .event_type,
        "level_up"
    );
}

#[test]
fn faults_point_into_the_cloud_event() {
    for (event, code, pointer) in [
        (
            changed("specversion", json!("0.3")),
            "unsupported",
            "/specversion",
        ),
        (
            changed("datacontenttype", json!("text/xml")),
            "unsupported",
            "/datacontenttype",
        ),
        (
            changed("data_base64", json!("AA==")),
            "unsupported",
            "/data_base64",
        ),
        (
            changed("type", json!("com.acme.other")),
            "unknown_event",
            "/type",
        ),
        (changed("id", json!("")), "invalid_event_id", "/id"),
        (changed("time", json!("x")), "invalid_time", "/time"),
        (changed("data", json!([1])), "wrong_type", "/data"),
        (
            changed("data", json!({"player": "ann", "level": "x"})),
            "wrong_type",
            "/data/level",
        ),
        (
            changed(
                "data",
                json!({"player": "ann", "level": 1, "event_id": "x"}),
            ),
            "reserved_name",
            "/data/event_id",
        ),
        (json!({"id": "x"}), "missing_property", "/specversion"),
    ] {
        let problem = take(&event).expect_err(code);
        assert_eq!(
            (problem.code, problem.pointer.as_str()),
            (code, pointer),
            "{problem}"
        );
    }
}
