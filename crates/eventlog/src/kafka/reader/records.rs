//! The records of one read.

use bytes::Bytes;
use gamepipe_domain::time::Timestamp;
use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::log::{LogRecord, ReadBatch};

/// How many bytes of records a read makes room for at first.
const FIRST_BYTES: usize = 64 << 10;

/// Records as they come: all bytes in one piece of memory, so that a record costs no allocation.
#[derive(Default)]
pub(super) struct Records {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

struct Span {
    offset: i64,
    time_ms: i64,
    key_end: usize,
    value_end: usize,
}

impl Records {
    /// True when there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.spans.len()
    }

    /// How many bytes their keys and values have.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Takes in a record of this value.
    pub(super) fn push(&mut self, message: &BorrowedMessage<'_>, value: &[u8]) {
        if self.bytes.is_empty() {
            self.bytes.reserve(FIRST_BYTES);
        }
        self.bytes
            .extend_from_slice(message.key().unwrap_or_default());
        let key_end = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.spans.push(Span {
            offset: message.offset(),
            time_ms: message.timestamp().to_millis().unwrap_or(0),
            key_end,
            value_end: self.bytes.len(),
        });
    }

    /// All of them; `next` is where to read on.
    pub(super) fn into_batch(self, next: u64) -> ReadBatch {
        let bytes = Bytes::from(self.bytes);
        let mut start = 0;
        let records = self.spans.iter().map(|span| {
            let key = bytes.slice(start..span.key_end);
            let value = bytes.slice(span.key_end..span.value_end);
            start = span.value_end;
            LogRecord {
                offset: u64::try_from(span.offset).unwrap_or(0),
                appended: Timestamp::from_micros(span.time_ms.saturating_mul(1000)),
                key,
                value,
            }
        });
        ReadBatch {
            records: records.collect(),
            next,
        }
    }
}
