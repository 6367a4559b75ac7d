//! Events, and their form on the log: one flat JSON object, encoded and decoded here and nowhere else.

pub mod bad;

use serde_json::Value;

use crate::JsonMap;
use crate::request::RequestContext;
use crate::time::Timestamp;

/// The event type of every refused action. Its data: `action`, `code`, `message`, `params` (object), `key`.
pub const ACTION_REJECTED: &str = "action_rejected";

/// The JSON names of the envelope. A definition can't declare properties with these names.
pub mod field {
    /// A UUID, or what the client sent.
    pub const EVENT_ID: &str = "event_id";
    /// The event's name.
    pub const EVENT_TYPE: &str = "event_type";
    /// RFC 3339, UTC, microseconds.
    pub const EVENT_TIME: &str = "event_time";
    /// The `Host` header.
    pub const HOST: &str = "Host";
    /// The `User-Agent` header.
    pub const USER_AGENT: &str = "User-Agent";
    /// The `Accept` header.
    pub const ACCEPT: &str = "Accept";
    /// The decision's origin: [`super::Origin`].
    pub const ORIGIN: &str = "_origin";
    /// What no property may be called, whatever the letter case.
    pub const ENVELOPE: [&str; 6] = [EVENT_ID, EVENT_TYPE, EVENT_TIME, HOST, USER_AGENT, ACCEPT];
}

/// An immutable fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique for ever: a UUID of version 7, or what the client chose.
    pub id: String,
    /// Its kind, as declared; or [`ACTION_REJECTED`].
    pub event_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// The entity that it is about: its place in the log's order.
    pub key: String,
    /// Its data, as declared.
    pub data: JsonMap,
    /// Where it came from.
    pub context: RequestContext,
    /// The decision that made it; `None` for a client's event.
    pub origin: Option<Origin>,
}

/// What is needed to replay the decision behind an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The action.
    pub action: String,
    /// The decision's seed, in 16 hexadecimal digits on the log.
    pub seed: u64,
    /// [`crate::definition::Game::version`].
    pub rules: String,
}

/// The event as JSON text: `event_id`, `event_type`, `event_time` first, then the data in the order of names, then the
/// context that is known, then `_origin`. Never fails.
pub fn encode_event(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    out.push(b'{');
    push_field(&mut out, field::EVENT_ID, &Value::from(event.id.as_str()));
    push_field(&mut out, field::EVENT_TYPE, &Value::from(event.event_type.as_str()));
    push_field(&mut out, field::EVENT_TIME, &Value::from(event.time.to_rfc3339()));
    for (name, value) in &event.data {
        push_field(&mut out, name, value);
    }
    let context = [
        (field::HOST, &event.context.host),
        (field::USER_AGENT, &event.context.user_agent),
        (field::ACCEPT, &event.context.accept),
    ];
    for (name, value) in context {
        if let Some(text) = value {
            push_field(&mut out, name, &Value::from(text.as_str()));
        }
    }
    if let Some(origin) = &event.origin {
        let value = serde_json::json!({
            "action": origin.action, "seed": format!("{:016x}", origin.seed), "rules": origin.rules,
        });
        push_field(&mut out, field::ORIGIN, &value);
    }
    out.push(b'}');
    out
}

fn push_field(out: &mut Vec<u8>, name: &str, value: &Value) {
    if out.len() > 1 {
        out.push(b',');
    }
    push_json(out, name);
    out.push(b':');
    push_json(out, value);
}

fn push_json<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Writing a string or a JSON value to memory has no way to fail: no I/O, no map with keys that are not strings.
    let _ = serde_json::to_writer(&mut *out, value);
}

/// Why bytes from a log are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not one JSON object.
    #[error("not a JSON object: {0}")]
    NotAnObject(String),
    /// A field of the envelope is missing or has the wrong type.
    #[error("{field}: {detail}")]
    Envelope {
        /// Which one.
        field: &'static str,
        /// What was expected.
        detail: String,
    },
}

/// The event behind JSON text; the inverse of [`encode_event`]. The key is not in the text: the log keeps it beside it.
pub fn decode_event(key: &str, text: &[u8]) -> Result<Event, DecodeError> {
    let mut data: JsonMap =
        serde_json::from_slice(text).map_err(|error| DecodeError::NotAnObject(error.to_string()))?;
    let id = take_text(&mut data, field::EVENT_ID)?;
    let event_type = take_text(&mut data, field::EVENT_TYPE)?;
    let time_text = take_text(&mut data, field::EVENT_TIME)?;
    let time = Timestamp::parse_rfc3339(&time_text).ok_or_else(|| DecodeError::Envelope {
        field: field::EVENT_TIME,
        detail: format!("expected an RFC 3339 time, got {time_text:?}"),
    })?;
    let mut optional = |name: &str| match data.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let context = RequestContext {
        host: optional(field::HOST),
        user_agent: optional(field::USER_AGENT),
        accept: optional(field::ACCEPT),
    };
    let origin = data.remove(field::ORIGIN).as_ref().and_then(decode_origin);
    Ok(Event { id, event_type, time, key: key.to_owned(), data, context, origin })
}

fn decode_origin(value: &Value) -> Option<Origin> {
    Some(Origin {
        action: value.get("action")?.as_str()?.to_owned(),
        seed: u64::from_str_radix(value.get("seed")?.as_str()?, 16).ok()?,
        rules: value.get("rules")?.as_str()?.to_owned(),
    })
}

fn take_text(data: &mut JsonMap, name: &'static str) -> Result<String, DecodeError> {
    match data.remove(name) {
        Some(Value::String(text)) => Ok(text),
        other => Err(DecodeError::Envelope {
            field: name,
            detail: format!("expected a string, got {}", other.map_or("nothing".into(), |v| v.to_string())),
        }),
    }
}
