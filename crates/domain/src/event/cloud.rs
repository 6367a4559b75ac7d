//! CloudEvents 1.0 in JSON (structured mode) as events from clients.

use std::borrow::Cow;

use serde_json::Value;

use super::client::{EventProblem, Sent, json_problem};
use super::{Event, field};
use crate::JsonMap;
use crate::definition::Game;
use crate::definition::suggest::shorten;
use crate::definition::value::{describe, pointer_to};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// The only version of the specification there is in use.
const SPEC_VERSION: &str = "1.0";
/// Attributes that become something else than data.
const CONSUMED: [&str; 6] = [
    "specversion",
    "id",
    "type",
    "time",
    "datacontenttype",
    "data",
];

impl Game {
    /// The event in a CloudEvent that a client sent as JSON: `id` is the event's id, `time` its time, `data` its
    /// properties. `type` is the event's name, or ends in a dot and the name (`com.acme.arena.level_up`). The other
    /// attributes are kept beside the data as `ce_source`, `ce_subject` and so on, as headers of Kafka call them.
    pub fn cloud_event_from_slice(
        &self,
        text: &[u8],
        context: &RequestContext,
        received: Timestamp,
        fallback_id: impl FnOnce() -> String,
    ) -> Result<Event, EventProblem> {
        let json: JsonMap = serde_json::from_slice(text).map_err(|error| json_problem(&error))?;
        let sent = self.sort_cloud_event(json)?;
        self.accept(sent, context, received, fallback_id)
            .map_err(|mut problem| {
                problem.pointer = cloud_pointer(&problem);
                problem
            })
    }

    fn sort_cloud_event(&self, mut json: JsonMap) -> Result<Sent, EventProblem> {
        check_attributes(&json)?;
        let mut sent = Sent {
            event_id: json.remove("id"),
            event_type: json.remove("type").map(|sent| self.plain_type(sent)),
            event_time: json.remove("time").filter(|time| !time.is_null()),
            ..Sent::default()
        };
        match json.remove("data") {
            Some(Value::Object(data)) => {
                for (name, value) in data {
                    sent.add_data(Cow::Owned(name), value);
                }
            }
            None | Some(Value::Null) => {}
            Some(other) => {
                let detail = format!(
                    "data: expected an object with the event's properties, got {}",
                    describe(&other)
                );
                return Err(EventProblem::new("wrong_type", pointer_to("data"), detail));
            }
        }
        for (name, value) in json {
            let kept = format!("ce_{name}");
            if !CONSUMED.contains(&name.as_str()) && !sent.data.contains_key(&kept) {
                sent.add_data(Cow::Owned(kept), value);
            }
        }
        Ok(sent)
    }

    /// The event's own name in `com.acme.arena.level_up`.
    fn plain_type(&self, sent: Value) -> Value {
        let Value::String(name) = &sent else {
            return sent;
        };
        match name.rsplit_once('.') {
            Some((_, last)) => Value::from(last),
            None => sent,
        }
    }
}

/// What the specification requires, and what can't be read here.
fn check_attributes(json: &JsonMap) -> Result<(), EventProblem> {
    for required in ["specversion", "id", "source", "type"] {
        if !json.contains_key(required) {
            let detail = format!("{required} is missing; every CloudEvent has one");
            return Err(EventProblem::new(
                "missing_property",
                pointer_to(required),
                detail,
            ));
        }
    }
    let unsupported = |name: &str, detail: String| {
        Err(EventProblem::new("unsupported", pointer_to(name), detail))
    };
    if json.get("specversion").and_then(Value::as_str) != Some(SPEC_VERSION) {
        return unsupported(
            "specversion",
            format!("specversion: expected \"{SPEC_VERSION}\""),
        );
    }
    if json.contains_key("data_base64") {
        return unsupported(
            "data_base64",
            "data_base64 is not read: send the properties in `data`".to_owned(),
        );
    }
    match json.get("datacontenttype") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(kind)) if is_json(kind) => Ok(()),
        Some(other) => unsupported(
            "datacontenttype",
            format!(
                "datacontenttype: expected application/json, got {}",
                shorten(&other.to_string())
            ),
        ),
    }
}

fn is_json(content_type: &str) -> bool {
    let kind = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind.ends_with("/json") || kind.ends_with("+json")
}

/// Where a problem is in the CloudEvent. A reserved name is one in its data, whatever the name.
fn cloud_pointer(problem: &EventProblem) -> String {
    let attribute = match problem.pointer.strip_prefix('/') {
        _ if problem.code == "reserved_name" => None,
        Some(field::EVENT_ID) => Some("/id"),
        Some(field::EVENT_TYPE) => Some("/type"),
        Some(field::EVENT_TIME) => Some("/time"),
        Some(_) => None,
        None => Some(""),
    };
    attribute.map_or_else(|| format!("/data{}", problem.pointer), str::to_owned)
}

#[cfg(test)]
mod tests;
