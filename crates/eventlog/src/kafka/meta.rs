//! The records of the topic beside the events: which log this is, and how far each outbox is on it. Persisted: keep stable.
//!
//! Keys are text, values JSON, so that `kcat` shows them. The topic is compacted: of each key the last record stays.

use std::collections::HashMap;
use std::time::Duration;

use rdkafka::consumer::Consumer;
use rdkafka::error::KafkaError;
use rdkafka::{Message, Offset, TopicPartitionList};
use serde::{Deserialize, Serialize};

use super::clients::Clients;
use super::place::Place;
use super::polling::{self, Polled, Reading};
use super::produce::Outgoing;
use crate::log::LogError;

/// What a relay that is gone has begun holds up readers for this long at most, unless somebody takes its place.
const MIN_TRANSACTION: Duration = Duration::from_secs(10);

/// Brokers look this often for transactions that have taken too long (their transaction.abort.timed.out.transaction.cleanup.interval.ms).
const CLEANUP: Duration = Duration::from_secs(10);

/// The partition of all of it.
pub(super) const PARTITION: u32 = 0;

/// Each process that opens a log which has no generation yet offers one under a key of its own, so that compaction keeps
/// them all; the first in the partition is the log's.
const GENERATION_KEY: &str = "generation/";

const OUTBOX_KEY: &str = "outbox/";

/// Version of these records.
const FORMAT: u32 = 1;

/// Which log this is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Generation {
    format: u32,
    pub(super) generation: String,
    pub(super) partitions: u32,
}

/// How far an outbox is on the log, and what its relay knew of the log then. The relay writes it in the transaction of the
/// events, so what it knows of offsets is of the transaction before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// The highest sequence number that is on the log.
    pub(super) position: u64,
    /// For each partition an offset that it has reached.
    pub(super) reached: Vec<u64>,
    /// A record that was on the log.
    pub(super) mark: Option<Mark>,
    /// Versions that did not check left none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checked: Option<Checked>,
}

/// Up to where readers have all entries: no transaction with one of them was open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Checked {
    /// The sequence number of the last one.
    pub(super) position: u64,
    /// Where each partition ended then; later entries come behind it.
    pub(super) ends: Vec<u64>,
}

/// A record's place and what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) crc: u32,
}

/// The fingerprint of a record.
pub(super) fn crc_of(key: &[u8], value: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(value);
    hasher.finalize()
}

/// The record that offers a generation.
pub(super) fn encode_generation(generation: &str, partitions: u32) -> (String, Vec<u8>) {
    let record = Generation {
        format: FORMAT,
        generation: generation.to_owned(),
        partitions,
    };
    (format!("{GENERATION_KEY}{generation}"), json(&record))
}

/// A record for this topic, of such a key and value.
pub(super) fn record<'a>(place: &'a Place, key: &'a str, value: &'a [u8]) -> Outgoing<'a> {
    Outgoing {
        topic: &place.meta,
        partition: PARTITION,
        key: key.as_bytes(),
        value,
        headers: None,
        time_ms: place.now_ms(),
    }
}

/// The record of an outbox.
pub(super) fn encode_progress(outbox_id: &str, progress: &Progress) -> (String, Vec<u8>) {
    (format!("{OUTBOX_KEY}{outbox_id}"), json(progress))
}

fn json<T: Serialize>(record: &T) -> Vec<u8> {
    // Numbers and text to memory: there is no way to fail.
    serde_json::to_vec(record).unwrap_or_default()
}

/// All that the topic says.
#[derive(Debug, Default)]
pub(super) struct Meta {
    pub(super) generation: Option<Generation>,
    pub(super) outboxes: HashMap<String, Progress>,
}

impl Meta {
    fn take(&mut self, key: &[u8], value: &[u8]) -> Result<(), String> {
        let Ok(key) = str::from_utf8(key) else {
            return Ok(());
        };
        let unreadable =
            |error: serde_json::Error| format!("record {key:?} can't be read: {error}");
        if key.starts_with(GENERATION_KEY) {
            let record: Generation = serde_json::from_slice(value).map_err(unreadable)?;
            if record.format != FORMAT {
                let format = record.format;
                return Err(format!(
                    "it has format {format}; this gamepipe knows {FORMAT}"
                ));
            }
            self.generation.get_or_insert(record);
        } else if let Some(outbox) = key.strip_prefix(OUTBOX_KEY) {
            let progress = serde_json::from_slice(value).map_err(unreadable)?;
            self.outboxes.insert(outbox.to_owned(), progress);
        }
        Ok(())
    }
}

/// Up to where the topic is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// What is committed now.
    Committed,
    /// All that was there when the reading began: what a relay has begun and not yet committed is waited for, as long as that
    /// may take.
    Settled,
}

/// What a transaction may take, when its relay is gone and nobody takes its place: brokers end it then.
pub(super) fn longest_transaction(place: &Place) -> Duration {
    (place.timeout * 2).max(MIN_TRANSACTION)
}

/// What [`load`] takes at most, with the questions that are asked around it.
pub(super) fn patience(place: &Place) -> Duration {
    place.patience() * 2 + longest_transaction(place) + CLEANUP
}

/// The offset behind what is committed, or behind all that is there. Blocks.
pub(super) fn end(clients: &Clients, until: Until) -> Result<u64, LogError> {
    let place = &clients.place;
    let asked = match until {
        Until::Committed => &clients.committed,
        Until::Settled => &clients.raw,
    };
    let partition = i32::try_from(PARTITION).unwrap_or_default();
    let ends = clients.asking_leaders(asked, &place.meta, || {
        asked.fetch_watermarks(&place.meta, partition, place.timeout)
    });
    let (_, end) =
        ends.map_err(|error| clients.explain(&format!("read topic {}", place.meta), &error))?;
    Ok(u64::try_from(end).unwrap_or(0))
}

/// The position that a record says of this outbox; `None` when it is another record.
pub(super) fn position_of(outbox_id: &str, key: &[u8], value: &[u8]) -> Option<u64> {
    let key = str::from_utf8(key).ok()?;
    if key.strip_prefix(OUTBOX_KEY)? != outbox_id {
        return None;
    }
    let progress: Progress = serde_json::from_slice(value).ok()?;
    Some(progress.position)
}

/// Reads all of it. Blocks.
pub(super) fn load(clients: &Clients, until: Until) -> Result<Meta, LogError> {
    let place = &clients.place;
    let doing = format!("read topic {} to its end", place.meta);
    let fail = |error: KafkaError| clients.explain(&doing, &error);
    let more = match until {
        Until::Committed => Duration::ZERO,
        Until::Settled => longest_transaction(place) + CLEANUP,
    };
    let end = end(clients, until)?;
    let mut start = TopicPartitionList::new();
    start
        .add_partition_offset(
            &place.meta,
            i32::try_from(PARTITION).unwrap_or_default(),
            Offset::Beginning,
        )
        .map_err(fail)?;
    let consumer = clients.consume(&place.consumer(), &start).map_err(fail)?;
    let reading = Reading {
        doing: &doing,
        patience: place.timeout + more,
        or_else: ", or a relay that is gone has left a transaction open. It ends by itself, or when a relay begins",
    };
    let mut meta = Meta::default();
    polling::read(clients, consumer, &reading, |polled| {
        let next = match polled {
            Polled::Record(message) => {
                let (key, value) = (message.key(), message.payload());
                meta.take(key.unwrap_or_default(), value.unwrap_or_default())
                    .map_err(|problem| {
                        LogError::Corrupt(format!("topic {}: {problem}", place.meta))
                    })?;
                // Where a relay is at work the partition's end runs ahead, and nothing says that it was reached.
                u64::try_from(message.offset()).unwrap_or(0) + 1
            }
            // Where it is before the end, more of it comes when others have committed.
            Polled::End { offset, .. } => offset.unwrap_or(0),
        };
        Ok(polling::until(next >= end))
    })?;
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::{Checked, Mark, Meta, Progress, encode_generation, encode_progress};

    #[test]
    fn records_come_back_and_the_first_generation_wins() {
        let mut meta = Meta::default();
        for name in ["one", "two"] {
            let (key, value) = encode_generation(name, 7);
            assert_eq!(meta.take(key.as_bytes(), &value), Ok(()));
        }
        let progress = Progress {
            position: 9,
            reached: vec![1, 2],
            mark: Some(Mark {
                partition: 1,
                offset: 2,
                crc: 3,
            }),
            checked: Some(Checked {
                position: 2,
                ends: vec![1, 1],
            }),
        };
        for position in [3, 9] {
            let progress = Progress {
                position,
                ..progress.clone()
            };
            let (key, value) = encode_progress("box/1", &progress);
            assert_eq!(meta.take(key.as_bytes(), &value), Ok(()));
        }
        let generation = meta
            .generation
            .as_ref()
            .map(|found| (found.generation.clone(), found.partitions));
        assert_eq!(generation, Some(("one".to_owned(), 7)));
        assert_eq!(meta.outboxes.get("box/1"), Some(&progress));
        let older = br#"{"position":10,"reached":[],"mark":null}"#;
        assert_eq!(meta.take(b"outbox/box/1", older), Ok(()));
        assert_eq!(meta.outboxes["box/1"].checked, None);
    }

    #[test]
    fn records_of_a_later_format_are_refused() {
        let text = br#"{"format":2,"generation":"x","partitions":1}"#;
        let refused = Meta::default().take(b"generation/x", text);
        assert!(refused.is_err_and(|text| text.contains("format 2")));
        assert!(Meta::default().take(b"outbox/x", b"{").is_err());
        assert_eq!(Meta::default().take(b"else", b"{"), Ok(()));
    }
}
