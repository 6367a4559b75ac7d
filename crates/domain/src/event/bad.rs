//! Bad events: what a client sent and can't be an event, in the form in which it travels on the log.
//!
//! Nothing is dropped in silence: the API appends such a record (key: the request's host without its port, or `bad`
//! when there is none), and the streamer lands it as a row of `bad_events`. Its exact form, in this order:
//!
//! ```json
//! {"event_id": "0193..", "event_type": "_bad_event", "event_time": "2026-01-02T03:04:05.000006Z",
//!  "_bad": {"code": "wrong_type", "detail": "expected an integer, got \"x\"", "origin": "api",
//!           "payload": "<what was sent, as text>", "pointer": "/price"}}
//! ```
//!
//! All five fields of `_bad` are strings and always there; `pointer` is empty when the whole event is meant.
//! Persisted on every log: keep stable. The type's leading `_` is reserved, so no game can declare it and no client can
//! send it.

use serde_json::{Value, json};

use super::field;
use crate::JsonMap;
use crate::time::Timestamp;

/// The event type of a record that carries a bad event.
pub const BAD_EVENT: &str = "_bad_event";
/// The field with the bad event's own data.
pub const FIELD: &str = "_bad";
/// The origin of what the API refused.
pub const ORIGIN_API: &str = "api";
/// How much of what was sent is kept, in bytes: the largest event that is ever accepted, so that nothing that could have
/// been an event is cut.
pub const MAX_PAYLOAD_BYTES: usize = 64 << 10;
/// What follows a payload that was cut.
pub const TRUNCATION_MARK: &str = "... [truncated]";
/// How much of a detail is kept, in bytes: some errors quote what was sent.
const MAX_DETAIL_BYTES: usize = 1 << 10;

/// Something that was sent as an event and is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEvent {
    /// The record's own id (never the client's).
    pub id: String,
    /// When it was received.
    pub time: Timestamp,
    /// Who refused it, such as [`ORIGIN_API`].
    pub origin: String,
    /// A stable code: why.
    pub code: String,
    /// What was expected and what came, for people.
    pub detail: String,
    /// JSON pointer to the culprit; empty when the whole is meant.
    pub pointer: String,
    /// What was sent, as [`payload_text`] gives it.
    pub payload: String,
}

/// What was sent, as text: bytes that are not UTF-8 become U+FFFD, and what exceeds [`MAX_PAYLOAD_BYTES`] is replaced by
/// [`TRUNCATION_MARK`].
pub fn payload_text(sent: &[u8]) -> String {
    // A lossy conversion can triple the length; cutting before it bounds the work, cutting after it the result.
    let head = sent.get(..MAX_PAYLOAD_BYTES).unwrap_or(sent);
    let whole = String::from_utf8_lossy(head);
    let mut text = cut(&whole, MAX_PAYLOAD_BYTES).to_owned();
    if sent.len() > MAX_PAYLOAD_BYTES || text.len() < whole.len() {
        text.push_str(TRUNCATION_MARK);
    }
    text
}

/// The longest prefix of `text` of at most `max` bytes that ends between characters.
fn cut(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

/// The record's value on the log. Never fails.
pub fn encode_bad_event(bad: &BadEvent) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + bad.payload.len());
    out.push(b'{');
    super::push_field(&mut out, field::EVENT_ID, &Value::from(bad.id.as_str()));
    super::push_field(&mut out, field::EVENT_TYPE, &Value::from(BAD_EVENT));
    super::push_field(
        &mut out,
        field::EVENT_TIME,
        &Value::from(bad.time.to_rfc3339()),
    );
    let body = json!({
        "code": bad.code, "detail": cut(&bad.detail, MAX_DETAIL_BYTES), "origin": bad.origin,
        "payload": bad.payload, "pointer": bad.pointer,
    });
    super::push_field(&mut out, FIELD, &body);
    out.push(b'}');
    out
}

/// The bad event behind a record's value; `None` when the value is anything else. The inverse of [`encode_bad_event`].
pub fn decode_bad_event(value: &[u8]) -> Option<BadEvent> {
    let mut fields: JsonMap = serde_json::from_slice(value).ok()?;
    let text = |found: Option<Value>| match found {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    if text(fields.remove(field::EVENT_TYPE))? != BAD_EVENT {
        return None;
    }
    let id = text(fields.remove(field::EVENT_ID))?;
    let time = Timestamp::parse_rfc3339(&text(fields.remove(field::EVENT_TIME))?)?;
    let Some(Value::Object(mut body)) = fields.remove(FIELD) else {
        return None;
    };
    let mut take = |name: &str| text(body.remove(name));
    Some(BadEvent {
        id,
        time,
        origin: take("origin")?,
        code: take("code")?,
        detail: take("detail")?,
        pointer: take("pointer")?,
        payload: take("payload")?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        BAD_EVENT, BadEvent, MAX_PAYLOAD_BYTES, TRUNCATION_MARK, decode_bad_event,
        encode_bad_event, payload_text,
    };
    use crate::time::Timestamp;

    fn sample(payload: String) -> BadEvent {
        BadEvent {
            id: "0193e5f0-0000-7000-8000-000000000001".to_owned(),
            time: Timestamp::from_micros(1_767_323_045_000_006),
            origin: "api".to_owned(),
            code: "wrong_type".to_owned(),
            detail: "expected an integer, got \"x\"".to_owned(),
            pointer: "/price".to_owned(),
            payload,
        }
    }

    #[test]
    fn form_on_the_log_is_as_documented() {
        let text = String::from_utf8(encode_bad_event(&sample("{\"a\":1".to_owned()))).unwrap();
        assert_eq!(
            text,
            r#"{"event_id":"0193e5f0-0000-7000-8000-000000000001","event_type":"_bad_event","event_time":"2026-01-02T03:04:05.000006Z","_bad":{"code":"wrong_type","detail":"expected an integer, got \"x\"","origin":"api","payload":"{\"a\":1","pointer":"/price"}}"#
        );
    }

    #[test]
    fn long_payload_is_cut_with_a_mark() {
        let text = payload_text(&vec![b'x'; MAX_PAYLOAD_BYTES + 1]);
        assert_eq!(text.len(), MAX_PAYLOAD_BYTES + TRUNCATION_MARK.len());
        assert!(text.ends_with(TRUNCATION_MARK));
        assert_eq!(
            payload_text(&vec![b'x'; MAX_PAYLOAD_BYTES]).len(),
            MAX_PAYLOAD_BYTES
        );
    }

    #[test]
    fn payload_that_is_not_text_stays_bounded() {
        let text = payload_text(&vec![0xff; MAX_PAYLOAD_BYTES]);
        assert!(
            text.len() <= MAX_PAYLOAD_BYTES + TRUNCATION_MARK.len(),
            "{}",
            text.len()
        );
    }

    #[test]
    fn other_records_are_no_bad_events() {
        assert_eq!(decode_bad_event(b"{}"), None);
        assert_eq!(decode_bad_event(b"\xff"), None);
        assert_eq!(
            decode_bad_event(format!(r#"{{"event_type":"{BAD_EVENT}"}}"#).as_bytes()),
            None
        );
    }

    proptest! {
        #[test]
        fn any_payload_round_trips(sent in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bad = sample(payload_text(&sent));
            prop_assert_eq!(decode_bad_event(&encode_bad_event(&bad)), Some(bad));
        }
    }
}
