//! The headers of a record: the attributes of CloudEvents in Kafka's binary mode, taken from the start of our own encoding; and, of an outbox's event, which one
//! it is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rdkafka::Message;
use rdkafka::message::{BorrowedMessage, Header, Headers, OwnedHeaders};

/// How the codec begins every event.
const STARTS: [&[u8]; 3] = [
    b"{\"event_id\":\"",
    b",\"event_type\":\"",
    b",\"event_time\":\"",
];

/// The last header of an outbox's event: the outbox's id, a slash, and the event's number in it, from 1.
const ENTRY: &str = "gamepipe-outbox";

/// The number of what is no event: a relay that has to have a record somewhere puts it there.
pub(super) const NO_EVENT: u64 = 0;

/// What such an event ends with, which JSON takes for nothing: only where it stands readers look into the headers. The library makes a list of all of them for
/// that, with memory of its own for each.
const MARK: &[u8] = b" ";

/// Id, type and time of an event whose encoding begins as ours does and needs no unescaping.
fn attributes(value: &[u8]) -> Option<[&[u8]; 3]> {
    let mut rest = value;
    let mut found: [&[u8]; 3] = [&[]; 3];
    for (start, place) in STARTS.iter().zip(&mut found) {
        rest = rest.strip_prefix(*start)?;
        let end = rest
            .iter()
            .position(|byte| *byte == b'"' || *byte == b'\\')?;
        let (text, after) = rest.split_at_checked(end)?;
        rest = after.strip_prefix(b"\"")?;
        *place = text;
    }
    Some(found)
}

/// The headers of an event from `source`. A value that is something else gets none: headers repeat what is in it.
pub(super) fn headers_of(value: &[u8], source: &str) -> Option<OwnedHeaders> {
    let [id, kind, time] = attributes(value)?;
    let headers: [(&str, &[u8]); 6] = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id),
        ("ce_type", kind),
        ("ce_time", time),
        ("ce_source", source.as_bytes()),
        ("content-type", b"application/json"),
    ];
    let mut owned = OwnedHeaders::new_with_capacity(headers.len());
    for (key, value) in headers {
        owned = owned.insert(Header {
            key,
            value: Some(value),
        });
    }
    Some(owned)
}

/// The headers of an event of an outbox: [`headers_of`], and which one it is.
pub(super) fn headers_of_entry(
    value: &[u8],
    source: &str,
    outbox_id: &str,
    number: u64,
) -> OwnedHeaders {
    let entry = format!("{outbox_id}/{number}");
    let header = Header {
        key: ENTRY,
        value: Some(entry.as_bytes()),
    };
    headers_of(value, source).unwrap_or_default().insert(header)
}

/// An outbox's event as it is on the log.
pub(super) fn with_mark(value: &[u8]) -> Vec<u8> {
    [value, MARK].concat()
}

/// Value and headers of a record that stands among an outbox's events and is none.
pub(super) fn empty_entry(outbox_id: &str) -> (&'static [u8], OwnedHeaders) {
    (MARK, headers_of_entry(&[], "", outbox_id, NO_EVENT))
}

/// Tells which event of which outbox a record is, and gives its value; `None` when it is none.
pub(super) fn entry_of<'a, T>(
    message: &'a BorrowedMessage<'_>,
    tell: impl FnOnce(&str, u64) -> T,
) -> Option<(T, &'a [u8])> {
    let value = message.payload()?.strip_suffix(MARK)?;
    let headers = message.headers()?;
    let last = headers.count().checked_sub(1)?;
    // The crate panics at a name that is not UTF-8, which a stranger's record may have.
    let header = catch_unwind(AssertUnwindSafe(|| headers.get(last))).ok()?;
    let entry = header.value.filter(|_| header.key == ENTRY)?;
    let (outbox_id, number) = std::str::from_utf8(entry).ok()?.rsplit_once('/')?;
    Some((tell(outbox_id, number.parse().ok()?), value))
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::JsonMap;
    use gamepipe_domain::event::{Event, encode_event};
    use gamepipe_domain::request::RequestContext;
    use gamepipe_domain::time::Timestamp;

    use super::attributes;

    fn event(id: &str) -> Vec<u8> {
        encode_event(&Event {
            id: id.to_owned(),
            event_type: "dig".to_owned(),
            time: Timestamp::from_micros(1_767_323_045_000_000),
            key: "ann".to_owned(),
            data: JsonMap::new(),
            context: RequestContext::default(),
            origin: None,
        })
    }

    #[test]
    fn attributes_are_found_in_what_the_codec_writes() {
        let value = event("one");
        let [id, kind, time] = attributes(&value).unwrap_or_default();
        assert_eq!((id, kind), (&b"one"[..], &b"dig"[..]));
        assert_eq!(time, b"2026-01-02T03:04:05.000000Z");
    }

    #[test]
    fn what_needs_unescaping_or_is_no_event_has_none() {
        let quoted = event("a\"b");
        for value in [&quoted[..], b"", b"{}", b"{\"event_id\":\"", b"\xff"] {
            assert_eq!(attributes(value), None);
        }
    }
}
