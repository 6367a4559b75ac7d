//! Cuts the body of `/v1/events` into events: one object, an array, lines, or CloudEvents.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::{Problem, codes};

/// The form of each event of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventForm {
    /// The flat form, as on the log.
    Flat,
    /// CloudEvents 1.0, structured JSON.
    Cloud,
}

/// The events of a body, as they were sent. Whether each is an event is judged later, one by one.
#[derive(Debug, PartialEq)]
pub(crate) struct Batch<'a> {
    pub(crate) form: EventForm,
    pub(crate) events: Vec<&'a [u8]>,
}

/// Cuts `body` as its content type says (JSON when there is none). Only what can't be cut at all is an error.
pub(crate) fn cut<'a>(
    media_type: Option<&str>,
    body: &'a [u8],
    max_events: usize,
) -> Result<Batch<'a>, Problem> {
    let (form, events) = match media_type.unwrap_or("application/json") {
        "application/json" => (EventForm::Flat, one_or_array(body, max_events)?),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            (EventForm::Flat, lines(body, max_events)?)
        }
        "application/cloudevents+json" => (EventForm::Cloud, vec![one(body)?]),
        "application/cloudevents-batch+json" => (EventForm::Cloud, array(body, max_events)?),
        other => {
            return Err(Problem::new(
                codes::UNSUPPORTED_MEDIA_TYPE,
                format!(
                    "{other:?} is not supported here: send application/json, application/x-ndjson, \
                     application/cloudevents+json or application/cloudevents-batch+json"
                ),
            ));
        }
    };
    Ok(Batch { form, events })
}

fn one_or_array(body: &[u8], max_events: usize) -> Result<Vec<&[u8]>, Problem> {
    if body.trim_ascii_start().starts_with(b"[") {
        return array(body, max_events);
    }
    Ok(vec![one(body)?])
}

fn one(body: &[u8]) -> Result<&[u8], Problem> {
    serde_json::from_slice::<&RawValue>(body).map_err(|error| not_json(&error))?;
    Ok(body)
}

fn lines(body: &[u8], max_events: usize) -> Result<Vec<&[u8]>, Problem> {
    let mut events = Vec::new();
    for line in body
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty())
    {
        if events.len() == max_events {
            return Err(too_many(max_events));
        }
        events.push(line);
    }
    Ok(events)
}

fn array(body: &[u8], max_events: usize) -> Result<Vec<&[u8]>, Problem> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let elements = deserializer
        .deserialize_seq(Elements { max_events })
        .and_then(|elements| deserializer.end().map(|()| elements))
        .map_err(|error| not_json(&error))?;
    elements.ok_or_else(|| too_many(max_events))
}

/// Collects the elements of an array as they stand, up to a limit: an array of many tiny elements would otherwise take
/// sixteen times its size.
struct Elements {
    max_events: usize,
}

impl<'de> Visitor<'de> for Elements {
    type Value = Option<Vec<&'de [u8]>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an array of events")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let mut events = Vec::new();
        while let Some(event) = elements.next_element::<&'de RawValue>()? {
            if events.len() < self.max_events {
                events.push(event.get().as_bytes());
            } else {
                // Read to the end all the same: a broken array is a broken array.
                while elements.next_element::<serde::de::IgnoredAny>()?.is_some() {}
                return Ok(None);
            }
        }
        Ok(Some(events))
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::new(
        codes::INVALID_JSON,
        format!("the body is not JSON of events: {error}"),
    )
}

fn too_many(max_events: usize) -> Problem {
    Problem::new(
        codes::BATCH_TOO_LARGE,
        format!("a request may have {max_events} events; send them in several"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{EventForm, cut};

    fn events(media_type: &str, body: &str) -> Result<Vec<String>, String> {
        cut(Some(media_type), body.as_bytes(), 3)
            .map(|batch| {
                batch
                    .events
                    .iter()
                    .map(|event| String::from_utf8_lossy(event).into_owned())
                    .collect()
            })
            .map_err(|problem| problem.code().to_owned())
    }

    fn texts(events: &[&str]) -> Result<Vec<String>, String> {
        Ok(events.iter().map(|event| (*event).to_owned()).collect())
    }

    #[test]
    fn every_form_is_cut_into_its_events() {
        assert_eq!(
            events("application/json", r#" {"a":1} "#),
            texts(&[r#" {"a":1} "#])
        );
        assert_eq!(
            events("application/json", r#"[{"a":[1]}, 2 ,"x"]"#),
            texts(&[r#"{"a":[1]}"#, "2", "\"x\""])
        );
        assert_eq!(events("application/json", " []"), texts(&[]));
        assert_eq!(
            events("application/x-ndjson", "{\"a\":1}\r\n\n  not json\n{}"),
            texts(&["{\"a\":1}", "not json", "{}"])
        );
        assert_eq!(
            events("application/cloudevents-batch+json", "[{}]"),
            texts(&["{}"])
        );
        assert_eq!(
            cut(Some("application/cloudevents+json"), b"{}", 3)
                .unwrap()
                .form,
            EventForm::Cloud
        );
        assert_eq!(cut(None, b"{}", 3).unwrap().form, EventForm::Flat);
    }

    #[test]
    fn what_can_not_be_cut_is_refused_whole() {
        for (media_type, body, code) in [
            ("application/json", "", "invalid_json"),
            ("application/json", "{", "invalid_json"),
            ("application/json", "{} {}", "invalid_json"),
            ("application/json", "[{},", "invalid_json"),
            ("application/json", "[{}] x", "invalid_json"),
            ("application/json", "[1,2,3,4]", "batch_too_large"),
            ("application/json", "[1,2,3,4,", "invalid_json"),
            ("application/x-ndjson", "1\n2\n3\n4\n", "batch_too_large"),
            ("application/cloudevents-batch+json", "{}", "invalid_json"),
            ("multipart/form-data", "{}", "unsupported_media_type"),
            ("text/plain", "{}", "unsupported_media_type"),
        ] {
            assert_eq!(
                events(media_type, body),
                Err(code.to_owned()),
                "{media_type} {body}"
            );
        }
    }

    #[test]
    fn deep_nesting_does_not_exhaust_the_stack() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(
            events("application/json", &deep),
            Err("invalid_json".to_owned())
        );
        let closed = format!("[{}{}]", "[".repeat(500_000), "]".repeat(500_000));
        assert_eq!(
            events("application/json", &closed).map(|events| events.len()),
            Ok(1)
        );
    }

    proptest! {
        #[test]
        fn any_body_is_cut_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            for media_type in ["application/json", "application/x-ndjson", "application/cloudevents-batch+json"] {
                let _ = cut(Some(media_type), &body, 3);
            }
        }
    }
}
