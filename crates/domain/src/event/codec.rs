//! The form of an event on the log, in both directions. Persisted on every log: keep stable.

use serde_json::Value;

use super::{Event, Origin, field};
use crate::JsonMap;
use crate::entity::{Entity, EntityId};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// How long most events are, in bytes.
const USUAL_LENGTH: usize = 512;

/// The event as JSON text: `event_id`, `event_type`, `event_time` first, then the data in the order of names, then the
/// context that is known, then `_origin`. Never fails.
pub fn encode_event(event: &Event) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL_LENGTH);
    encode_event_into(event, &mut out);
    out
}

/// Appends what [`encode_event`] gives to `out`.
pub fn encode_event_into(event: &Event, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"event_id\":");
    push_text(out, &event.id);
    out.extend_from_slice(b",\"event_type\":");
    push_text(out, &event.event_type);
    out.extend_from_slice(b",\"event_time\":\"");
    out.extend_from_slice(&event.time.rfc3339_bytes());
    out.push(b'"');
    for (name, value) in &event.data {
        push_field(out, name, value);
    }
    let context = [
        (field::HOST, &event.context.host),
        (field::USER_AGENT, &event.context.user_agent),
        (field::ACCEPT, &event.context.accept),
    ];
    for (name, value) in context {
        if let Some(text) = value {
            push_name(out, name);
            push_text(out, text);
        }
    }
    if let Some(origin) = &event.origin {
        push_name(out, field::ORIGIN);
        push_origin(out, origin);
    }
    out.push(b'}');
}

fn push_origin(out: &mut Vec<u8>, origin: &Origin) {
    out.extend_from_slice(b"{\"action\":");
    push_text(out, &origin.action);
    out.extend_from_slice(b",\"rules\":");
    push_text(out, &origin.rules);
    out.extend_from_slice(b",\"seed\":\"");
    for shift in (0..16).rev() {
        let digit = usize::try_from(origin.seed >> (shift * 4) & 0xf).unwrap_or(0);
        out.extend(b"0123456789abcdef".get(digit));
    }
    out.push(b'"');
    if !origin.writes.is_empty() {
        push_writes(out, &origin.writes);
    }
    out.push(b'}');
}

fn push_writes(out: &mut Vec<u8>, writes: &[(EntityId, Entity)]) {
    out.extend_from_slice(b",\"writes\":[");
    for (index, (id, entity)) in writes.iter().enumerate() {
        out.extend_from_slice(if index == 0 {
            b"{\"type\":"
        } else {
            b",{\"type\":"
        });
        push_text(out, &id.entity_type);
        out.extend_from_slice(b",\"key\":");
        push_text(out, &id.key);
        out.extend_from_slice(b",\"version\":");
        push_json(out, &entity.version);
        out.extend_from_slice(b",\"state\":");
        push_json(out, &entity.state);
        out.push(b'}');
    }
    out.push(b']');
}

/// Appends a field, after a comma unless it is the object's first.
pub(super) fn push_field(out: &mut Vec<u8>, name: &str, value: &Value) {
    push_name(out, name);
    match value {
        Value::String(text) => push_text(out, text),
        other => push_json(out, other),
    }
}

fn push_name(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    push_text(out, name);
    out.push(b':');
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
    if text.bytes().all(is_plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        push_json(out, text);
    }
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
/// A field of the context or an origin of a form that gamepipe does not write stays in the data, so that nothing is lost.
pub fn decode_event(key: &str, text: &[u8]) -> Result<Event, DecodeError> {
    let mut data: JsonMap = serde_json::from_slice(text)
        .map_err(|error| DecodeError::NotAnObject(error.to_string()))?;
    let id = take_text(&mut data, field::EVENT_ID)?;
    let event_type = take_text(&mut data, field::EVENT_TYPE)?;
    let time_text = take_text(&mut data, field::EVENT_TIME)?;
    let time = Timestamp::parse_rfc3339(&time_text).ok_or_else(|| DecodeError::Envelope {
        field: field::EVENT_TIME,
        detail: format!("expected an RFC 3339 time, got {time_text:?}"),
    })?;
    let context = RequestContext {
        host: take_optional_text(&mut data, field::HOST),
        user_agent: take_optional_text(&mut data, field::USER_AGENT),
        accept: take_optional_text(&mut data, field::ACCEPT),
    };
    let origin = data.get(field::ORIGIN).and_then(decode_origin);
    if origin.is_some() {
        data.remove(field::ORIGIN);
    }
    Ok(Event {
        id,
        event_type,
        time,
        key: key.to_owned(),
        data,
        context,
        origin,
    })
}

fn decode_origin(value: &Value) -> Option<Origin> {
    Some(Origin {
        action: value.get("action")?.as_str()?.to_owned(),
        seed: u64::from_str_radix(value.get("seed")?.as_str()?, 16).ok()?,
        rules: value.get("rules")?.as_str()?.to_owned(),
        writes: match value.get("writes") {
            None => Vec::new(),
            Some(writes) => decode_writes(writes)?,
        },
    })
}

fn decode_writes(value: &Value) -> Option<Vec<(EntityId, Entity)>> {
    let write = |value: &Value| {
        let id = EntityId {
            entity_type: value.get("type")?.as_str()?.to_owned(),
            key: value.get("key")?.as_str()?.to_owned(),
        };
        let entity = Entity {
            version: value.get("version")?.as_u64()?,
            state: value.get("state")?.as_object()?.clone(),
        };
        Some((id, entity))
    };
    value.as_array()?.iter().map(write).collect()
}

fn take_text(data: &mut JsonMap, name: &'static str) -> Result<String, DecodeError> {
    match data.remove(name) {
        Some(Value::String(text)) => Ok(text),
        other => Err(DecodeError::Envelope {
            field: name,
            detail: format!(
                "expected a string, got {}",
                other.map_or("nothing".into(), |v| v.to_string())
            ),
        }),
    }
}

fn take_optional_text(data: &mut JsonMap, name: &str) -> Option<String> {
    if !data.get(name)?.is_string() {
        return None;
    }
    match data.remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
