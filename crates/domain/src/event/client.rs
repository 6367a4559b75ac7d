//! Events from clients: from the bytes that were posted to an event that may go on the log, or the reason why not.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, MapAccess, Visitor};
use serde_json::Value;

use super::{Event, field};
use crate::JsonMap;
use crate::definition::Game;
use crate::definition::game::EventType;
use crate::definition::suggest::{did_you_mean, shorten};
use crate::definition::value::{
    MAX_VALUE_DEPTH, Mismatch, Reason, check_value, describe, describe_place, is_too_deep,
    kind_name, pointer_to,
};
use crate::request::{RequestContext, hostname};
use crate::rules::MAX_KEY_BYTES;
use crate::time::Timestamp;

/// The longest event id that a client may choose, in bytes: five UUIDs.
pub const MAX_EVENT_ID_BYTES: usize = 200;
/// What programs send when they have lost the id: as an id it would make all such events one.
const LOST_IDS: [&str; 9] = [
    "null",
    "undefined",
    "none",
    "nil",
    "nan",
    "true",
    "false",
    "[object object]",
    "object object",
];

/// Why something can't be an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct EventProblem {
    /// `invalid_json`, `unknown_event`, `not_from_client`, `missing_property`, `wrong_type`, `out_of_bounds`,
    /// `invalid_event_id`, `invalid_time`, `reserved_name`, `unsupported` or `too_deep`.
    pub code: &'static str,
    /// What was expected and what came.
    pub detail: String,
    /// JSON pointer to the culprit; empty for the whole event.
    pub pointer: String,
}

impl EventProblem {
    pub(super) fn new(code: &'static str, pointer: String, detail: String) -> Self {
        Self {
            code,
            detail,
            pointer,
        }
    }
}

impl Game {
    /// The event in JSON text that a client sent: one object with `event_type`, and if the client likes `event_id` and
    /// `event_time`, beside the event's properties. Absent properties get their default; properties that are not declared
    /// are kept. Without an id the event gets the one of `fallback_id`, without a time the one of `received`.
    pub fn client_event_from_slice(
        &self,
        text: &[u8],
        context: &RequestContext,
        received: Timestamp,
        fallback_id: impl FnOnce() -> String,
    ) -> Result<Event, EventProblem> {
        let sent: Sent = serde_json::from_slice(text).map_err(|error| json_problem(&error))?;
        self.accept(sent, context, received, fallback_id)
    }

    /// [`Self::client_event_from_slice`] for JSON that has been read already.
    pub fn client_event(
        &self,
        json: JsonMap,
        context: &RequestContext,
        received: Timestamp,
        fallback_id: impl FnOnce() -> String,
    ) -> Result<Event, EventProblem> {
        let mut sent = Sent::default();
        for (name, value) in json {
            sent.add(Cow::Owned(name), value);
        }
        self.accept(sent, context, received, fallback_id)
    }

    pub(super) fn accept(
        &self,
        sent: Sent,
        context: &RequestContext,
        received: Timestamp,
        fallback_id: impl FnOnce() -> String,
    ) -> Result<Event, EventProblem> {
        if let Some(problem) = sent.problem {
            return Err(problem);
        }
        let event_type = self.sent_type(sent.event_type)?;
        let id = match sent.event_id {
            Some(id) => client_id(id)?,
            None => fallback_id(),
        };
        let time = match sent.event_time {
            Some(time) => client_time(&time)?,
            None => received,
        };
        let mut data = sent.data;
        check_data(event_type, &mut data)?;
        let key = key_of(event_type, &data, context, &id)?;
        Ok(Event {
            id,
            event_type: event_type.name.clone(),
            time,
            key,
            data,
            context: context.clone(),
            origin: None,
        })
    }

    fn sent_type(&self, sent: Option<Value>) -> Result<&EventType, EventProblem> {
        let pointer = || pointer_to(field::EVENT_TYPE);
        let name = match sent {
            Some(Value::String(name)) => name,
            Some(other) => {
                let detail = format!("event_type: expected text, got {}", describe(&other));
                return Err(EventProblem::new("wrong_type", pointer(), detail));
            }
            None => {
                let detail = "event_type is missing: which event is it?".to_owned();
                return Err(EventProblem::new("missing_property", pointer(), detail));
            }
        };
        let Some(found) = self.event(&name) else {
            let hint = did_you_mean(
                &name,
                self.events()
                    .filter(|known| known.from_client)
                    .map(|known| known.name.as_str()),
            );
            let detail = format!(
                "{} has no event {}{hint}",
                self.name(),
                describe(&Value::from(name))
            );
            return Err(EventProblem::new("unknown_event", pointer(), detail));
        };
        if !found.from_client {
            let detail = format!(
                "event `{name}` is recorded by the game's own actions; clients can't send it"
            );
            return Err(EventProblem::new("not_from_client", pointer(), detail));
        }
        Ok(found)
    }
}

/// What a client sent, sorted into the envelope's parts and data, not judged yet.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) event_id: Option<Value>,
    pub(super) event_type: Option<Value>,
    pub(super) event_time: Option<Value>,
    pub(super) data: JsonMap,
    /// The first thing that is wrong whatever the event's type.
    pub(super) problem: Option<EventProblem>,
}

impl Sent {
    pub(super) fn add(&mut self, name: Cow<'_, str>, value: Value) {
        let place = match name.as_ref() {
            field::EVENT_ID => &mut self.event_id,
            field::EVENT_TYPE => &mut self.event_type,
            field::EVENT_TIME => &mut self.event_time,
            _ => return self.add_data(name, value),
        };
        if place.replace(value).is_some() {
            self.twice(&name);
        }
    }

    pub(super) fn add_data(&mut self, name: Cow<'_, str>, value: Value) {
        if name.starts_with('_') || field::ENVELOPE.contains(&name.as_ref()) {
            let detail = format!(
                "property {:?}: gamepipe uses this name itself",
                shorten(&name)
            );
            return self.report(EventProblem::new(
                "reserved_name",
                pointer_to(&name),
                detail,
            ));
        }
        if (value.is_array() || value.is_object()) && is_too_deep(&value) {
            return self.report(too_deep(pointer_to(&name)));
        }
        if let Some(before) = self.data.get_mut(name.as_ref()) {
            *before = value;
            return self.twice(&name);
        }
        self.data.insert(name.into_owned(), value);
    }

    fn twice(&mut self, name: &str) {
        let detail = format!("{:?} is given twice: which one is meant?", shorten(name));
        self.report(EventProblem::new("invalid_json", pointer_to(name), detail));
    }

    fn report(&mut self, problem: EventProblem) {
        self.problem.get_or_insert(problem);
    }
}

/// Sorts while it reads, so that every event is gone through once.
impl<'de> Deserialize<'de> for Sent {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Sent;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Sent, A::Error> {
                let mut sent = Sent::default();
                while let Some(Name(name)) = map.next_key()? {
                    sent.add(name, map.next_value()?);
                }
                Ok(sent)
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A name that is only copied when it has escapes.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn json_problem(error: &serde_json::Error) -> EventProblem {
    let text = error.to_string();
    if text.starts_with("recursion limit") {
        return too_deep(String::new());
    }
    EventProblem::new(
        "invalid_json",
        String::new(),
        format!("expected one JSON object: {text}"),
    )
}

fn too_deep(pointer: String) -> EventProblem {
    EventProblem::new(
        "too_deep",
        pointer,
        format!("nested deeper than {MAX_VALUE_DEPTH} levels"),
    )
}

fn client_id(sent: Value) -> Result<String, EventProblem> {
    let refuse = |detail: String| {
        Err(EventProblem::new(
            "invalid_event_id",
            pointer_to(field::EVENT_ID),
            detail,
        ))
    };
    let Value::String(id) = sent else {
        return refuse(format!(
            "event_id: expected text, got {}; leave it out to get one",
            describe(&sent)
        ));
    };
    if id.trim().is_empty() {
        return refuse("event_id is empty; leave it out to get one".to_owned());
    }
    if id.len() > MAX_EVENT_ID_BYTES {
        return refuse(format!(
            "event_id is {} bytes long; the limit is {MAX_EVENT_ID_BYTES}",
            id.len()
        ));
    }
    if id.chars().any(char::is_control) {
        return refuse("event_id holds a control character".to_owned());
    }
    if LOST_IDS
        .iter()
        .any(|lost| lost.eq_ignore_ascii_case(id.trim()))
    {
        return refuse(format!(
            "event_id {id:?} is no id but what programs print without one"
        ));
    }
    Ok(id)
}

fn client_time(sent: &Value) -> Result<Timestamp, EventProblem> {
    sent.as_str()
        .and_then(Timestamp::parse_rfc3339)
        .ok_or_else(|| {
            let detail = format!(
                "event_time: expected an RFC 3339 time such as 2026-01-02T03:04:05.678Z, got {}",
                describe(sent)
            );
            EventProblem::new("invalid_time", pointer_to(field::EVENT_TIME), detail)
        })
}

/// Checks declared properties and fills in defaults; the others may stay.
fn check_data(event_type: &EventType, data: &mut JsonMap) -> Result<(), EventProblem> {
    for (name, spec) in &event_type.properties {
        match data.get(name) {
            Some(value) => check_value(spec, value, false)
                .map_err(|mismatch| property_problem(name, mismatch))?,
            None if spec.is_required() => {
                let detail = format!(
                    "property `{name}` of event `{}` is missing; expected {}",
                    event_type.name,
                    kind_name(spec.kind)
                );
                return Err(EventProblem::new(
                    "missing_property",
                    pointer_to(name),
                    detail,
                ));
            }
            None => {
                if let Some(default) = &spec.default {
                    data.insert(name.clone(), default.clone());
                }
            }
        }
    }
    Ok(())
}

fn property_problem(name: &str, mismatch: Mismatch) -> EventProblem {
    let code = match mismatch.reason {
        Reason::WrongType => "wrong_type",
        Reason::OutOfBounds => "out_of_bounds",
        Reason::Missing => "missing_property",
        Reason::Unknown => "unknown_property",
        Reason::TooDeep => "too_deep",
    };
    let detail = format!(
        "property `{name}`{}: {}",
        describe_place(&mismatch.pointer),
        mismatch.detail
    );
    EventProblem::new(code, mismatch.inside(name).pointer, detail)
}

/// The value of the declared property; else the host without its port, as actions of players by host have it; else,
/// since such an event belongs to nobody, its own id, which spreads these events over the partitions.
fn key_of(
    event_type: &EventType,
    data: &JsonMap,
    context: &RequestContext,
    id: &str,
) -> Result<String, EventProblem> {
    let property = event_type
        .key
        .as_deref()
        .and_then(|name| Some((name, data.get(name)?)));
    let key = match property {
        Some((_, Value::String(text))) => text.clone(),
        Some((_, Value::Number(number))) => number.to_string(),
        _ => context.host.as_deref().map_or(id, hostname).to_owned(),
    };
    if key.len() > MAX_KEY_BYTES {
        let pointer = property.map_or(String::new(), |(name, _)| pointer_to(name));
        let detail = format!(
            "the event's key is {} bytes long; the limit is {MAX_KEY_BYTES}",
            key.len()
        );
        return Err(EventProblem::new("out_of_bounds", pointer, detail));
    }
    Ok(key)
}

#[cfg(test)]
pub(super) mod tests;
