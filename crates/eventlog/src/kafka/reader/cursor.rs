//! Where a partition's queue is, and what comes out of it next. It begins a little before what is asked for, so that it is known which events were there.

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use super::repeats::{Repeats, Seen};

/// How many records before the first one are looked at when a partition begins to be read. An event that is there again is close behind the first: the relay
/// sends nothing else in between than the rest of its batch, which is of 4,096 at most, and clients can append little to a partition that has no room.
pub(super) const LOOK_BACK: u64 = 10_000;

/// The place of a queue.
#[derive(Debug, Default)]
pub(super) struct Cursor {
    /// Where it is read on: the offset of the next record at least, unless the broker goes back.
    pub(super) at: u64,
    /// True when the partition ended there.
    pub(super) has_ended: bool,
    /// The offset behind the last record that came, or where the queue began.
    reached: u64,
    repeats: Repeats,
}

impl Cursor {
    /// A queue that begins at one offset, to be read from another one on.
    pub(super) fn new(begins: u64, at: u64) -> Self {
        Self {
            at,
            has_ended: false,
            reached: begins,
            repeats: Repeats::default(),
        }
    }

    /// Goes beyond the next message, and gives the value of a record that is to be read and was not there before.
    pub(super) fn meets<'a>(
        &mut self,
        partition: u32,
        message: &'a BorrowedMessage<'_>,
    ) -> Option<&'a [u8]> {
        let offset = u64::try_from(message.offset()).unwrap_or(self.at);
        let goes_back = offset < self.reached;
        // What lies before was read already, and is looked at to be known again.
        let is_before = if goes_back {
            self.reached < self.at
        } else {
            offset < self.at
        };
        self.reached = self.reached.max(offset + 1);
        let seen = self.repeats.look_at(message);
        if is_before {
            return None;
        }
        self.at = self.at.max(offset + 1);
        self.has_ended = false;
        if goes_back || seen == Seen::Again {
            tell(partition, offset, seen == Seen::Again);
        }
        match seen {
            Seen::New(value) => Some(value),
            Seen::Again | Seen::NoEvent => None,
        }
    }

    /// Notes that the partition ends at this offset; false when that is before what is to be read.
    pub(super) fn ends(&mut self, end: u64) -> bool {
        let is_there = end >= self.at;
        if is_there {
            self.at = end;
            self.has_ended = true;
        }
        is_there
    }

    /// True when this record was passed over lately, as one that was there already.
    pub(super) fn has_passed_over(&self, offset: u64, crc: u32) -> bool {
        self.repeats.has_passed(offset, crc)
    }
}

fn tell(partition: u32, offset: u64, is_again: bool) {
    tracing::warn!(
        log.partition = partition,
        log.offset = offset,
        "the log is damaged, and has {} there: was a broker's disk full?",
        if is_again {
            "an event again, which is passed over"
        } else {
            "more than one record"
        }
    );
}
