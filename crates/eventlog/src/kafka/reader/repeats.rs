//! Records that are on the log again. A broker whose disk is full may write a batch, fail before it counts it, and go on: readers see the batch, the relay
//! is told that it failed and sends its events anew, and the offsets of both overlap. So each event of an outbox carries its number
//! there, and one whose number has passed is passed over.

use std::collections::{HashMap, VecDeque};

use rdkafka::Message;
use rdkafka::message::BorrowedMessage;

use crate::kafka::headers::{NO_EVENT, entry_of};
use crate::kafka::meta::crc_of;

/// How many of the records that were passed over last are remembered, for whoever looks for one of them.
const REMEMBERED: usize = 64;

/// What a record is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen<'a> {
    /// One with this value, which was not there before.
    New(&'a [u8]),
    /// An event of an outbox that was there already.
    Again,
    /// What a relay has put there to end a transaction.
    NoEvent,
}

/// What is known of a partition's records up to where it was read.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// For each outbox the highest number that was there.
    highest: HashMap<Box<str>, u64>,
    /// Offset and checksum of the records that were passed over last.
    passed: VecDeque<(u64, u32)>,
}

impl Repeats {
    /// Notes a record, and tells what it is.
    pub(super) fn look_at<'a>(&mut self, message: &'a BorrowedMessage<'_>) -> Seen<'a> {
        let entry = entry_of(message, |outbox, number| {
            (number != NO_EVENT).then(|| self.note(outbox, number))
        });
        let Some((was_there, value)) = entry else {
            return Seen::New(message.payload().unwrap_or_default());
        };
        match was_there {
            None => Seen::NoEvent,
            Some(false) => Seen::New(value),
            Some(true) => {
                self.remember(message, value);
                Seen::Again
            }
        }
    }

    fn remember(&mut self, message: &BorrowedMessage<'_>, value: &[u8]) {
        if self.passed.len() == REMEMBERED {
            self.passed.pop_front();
        }
        let crc = crc_of(message.key().unwrap_or_default(), value);
        let offset = u64::try_from(message.offset()).unwrap_or_default();
        self.passed.push_back((offset, crc));
    }

    /// True when an event of this number or a later one was there already.
    fn note(&mut self, outbox: &str, number: u64) -> bool {
        match self.highest.get_mut(outbox) {
            Some(highest) if number <= *highest => true,
            Some(highest) => {
                *highest = number;
                false
            }
            None => {
                self.highest.insert(outbox.into(), number);
                false
            }
        }
    }

    /// True when this record was passed over lately.
    pub(super) fn has_passed(&self, offset: u64, crc: u32) -> bool {
        self.passed.contains(&(offset, crc))
    }
}

#[cfg(test)]
mod tests {
    use super::Repeats;

    #[test]
    fn numbers_of_an_outbox_only_grow() {
        let mut repeats = Repeats::default();
        let mut note = |outbox, number| repeats.note(outbox, number);
        let had = [
            note("a", 3),
            note("a", 5),
            note("a", 4),
            note("a", 5),
            note("a", 6),
        ];
        assert_eq!(had, [false, false, true, true, false]);
        // Each outbox counts for itself.
        assert!(!note("b", 1));
    }
}
