//! A log that a broker has damaged: what it wrote and told nobody of is there, and the same again behind it.

use std::fs;
use std::path::Path;

use gamepipe_eventlog::{EventLog, LogError, OutboxBatch, partition_of};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::wait;

use crate::logs::{config, new_topic, numbers, open, record, try_open};

/// In a batch of records: its first offset comes first, then how long the rest is; neither is in its checksum
/// (<https://kafka.apache.org/documentation/#recordbatch>).
const FIRST: std::ops::Range<usize> = 0..8;
const LENGTH: std::ops::Range<usize> = 8..12;

/// A segment's batches.
pub(crate) fn batches(segment: &[u8]) -> Vec<Vec<u8>> {
    let mut batches = Vec::new();
    let mut rest = segment;
    while !rest.is_empty() {
        let length = u32::from_be_bytes(rest[LENGTH].try_into().unwrap());
        let (batch, after) = rest.split_at(LENGTH.end + length as usize);
        batches.push(batch.to_vec());
        rest = after;
    }
    batches
}

/// Takes the last batch of a segment away.
pub(crate) fn take_last(segment: &Path) {
    let mut all = batches(&fs::read(segment).unwrap());
    assert!(all.len() > 1, "{all:?}");
    all.pop();
    fs::write(segment, all.concat()).unwrap();
}

fn moved(batch: &[u8], by: i64) -> Vec<u8> {
    let first = i64::from_be_bytes(batch[FIRST].try_into().unwrap());
    let mut batch = batch.to_vec();
    batch[FIRST].copy_from_slice(&(first + by).to_be_bytes());
    batch
}

/// Writes the first batch of a segment once more, as a broker does that has not counted it and is sent it again after it has put an end to its transaction: an
/// offset further on.
fn write_again(segment: &Path) {
    let all = batches(&fs::read(segment).unwrap());
    let [events, end] = all.as_slice() else {
        panic!("events and their transaction's end: {all:?}");
    };
    let again = [events.clone(), moved(events, 1), moved(end, 1)];
    fs::write(segment, again.concat()).unwrap();
}

/// Entries of an outbox, all of one key.
fn entries(first: u64, last: u64) -> OutboxBatch {
    OutboxBatch {
        outbox_id: "box".to_owned(),
        first,
        records: (first..=last)
            .map(|number| record("k", &number.to_string()))
            .collect(),
    }
}

/// Events of an outbox that are there twice, at offsets that overlap, are read once: when the log is read through, and when it is read on from any offset in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_events_that_are_on_a_damaged_log_twice_are_read_once() {
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let log = open(&config).await;
    log.append_from_outbox(entries(1, 3)).await.unwrap();
    drop(log);
    server.stop();
    let partition = partition_of("k", config.partitions);
    write_again(&server.segment(&topic, partition));
    server.restart();

    let log = open(&config).await;
    assert_eq!(numbers(&log).await, [1, 2, 3]);
    // Anew for each offset: whoever lands the log goes on from there.
    for from in 0..=3 {
        let log = open(&config).await;
        let batch = log.read(partition, from, 1 << 20).await.unwrap();
        let found: Vec<_> = batch.records.iter().map(|record| &*record.value).collect();
        let expected = [&b"1"[..], b"2", b"3"];
        assert_eq!(found, expected[from as usize..], "from {from} on");
    }
    // Not taken for a log that was put back from a copy, and it goes on.
    wait::until("events are relayed", async || {
        log.append_from_outbox(entries(4, 6)).await.is_ok()
    })
    .await;
    let other = open(&config).await;
    assert_eq!(numbers(&other).await, [1, 2, 3, 4, 5, 6]);
}

/// So are those of the largest batch that a relay sends, whose second copy is far behind the first, wherever somebody goes on within it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_a_large_batch_that_is_on_a_damaged_log_twice_is_read_once() {
    const COUNT: u64 = 4096;
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let log = open(&config).await;
    log.append_from_outbox(entries(1, COUNT)).await.unwrap();
    drop(log);
    server.stop();
    let partition = partition_of("k", config.partitions);
    let segment = server.segment(&topic, partition);
    let mut all = batches(&fs::read(&segment).unwrap());
    let by = i64::try_from(COUNT).unwrap();
    let again: Vec<_> = all.iter().map(|batch| moved(batch, by)).collect();
    all.pop();
    all.extend(again);
    fs::write(&segment, all.concat()).unwrap();
    server.restart();

    wait::until("the log opens", async || try_open(&config).await.is_ok()).await;
    for from in [COUNT / 2, COUNT, COUNT + 2000, 2 * COUNT - 1] {
        let log = open(&config).await;
        let (mut next, mut found) = (from, 0);
        while next < 2 * COUNT {
            let batch = log.read(partition, next, 1 << 20).await.unwrap();
            found += batch.records.len() as u64;
            next = batch.next;
        }
        assert_eq!(found, COUNT.saturating_sub(from), "from {from} on");
    }
}

/// The record by which a relay knows the log may be one that its readers pass over.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_a_damaged_log_is_known_by_a_record_that_is_passed_over() {
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let log = open(&config).await;
    // The last one's position has what was known of the one before.
    for (first, last) in [(1, 1), (2, 4), (5, 5)] {
        log.append_from_outbox(entries(first, last)).await.unwrap();
    }
    drop(log);
    server.stop();
    let partition = partition_of("k", config.partitions);
    let segment = server.segment(&topic, partition);
    let mut all = batches(&fs::read(&segment).unwrap());
    assert_eq!(all.len(), 6, "three transactions and their ends");
    // What was written first was not counted.
    all.insert(2, moved(&all[2], -1));
    fs::write(&segment, all.concat()).unwrap();
    server.restart();

    let log = open(&config).await;
    wait::until("events are relayed", async || {
        log.append_from_outbox(entries(6, 6)).await.is_ok()
    })
    .await;
    assert_eq!(numbers(&log).await, [1, 2, 3, 4, 5, 6]);
}

/// A log that ends before where somebody wants to go on says so, also to a process that has seen more of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_a_log_that_was_cut_is_out_of_range_for_those_who_have_read_more() {
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let log = open(&config).await;
    for text in ["1", "2", "3"] {
        log.append(vec![record("k", text)]).await.unwrap();
    }
    assert_eq!(numbers(&log).await, [1, 2, 3]);
    let partition = partition_of("k", config.partitions);
    server.stop();
    let segment = server.segment(&topic, partition);
    let all = batches(&fs::read(&segment).unwrap());
    assert_eq!(all.len(), 3);
    fs::write(&segment, &all[0]).unwrap();
    server.restart();

    // The first time the fetch that goes on is told; the second time one that begins anew, a little before.
    for _ in 0..2 {
        wait::until("it is told", async || {
            match log.read(partition, 3, 1).await {
                Ok(batch) => {
                    assert!(batch.records.is_empty() && batch.next == 3, "{batch:?}");
                    false
                }
                Err(LogError::OutOfRange { asked, high, .. }) => {
                    assert_eq!((asked, high), (3, 1));
                    true
                }
                Err(_) => false,
            }
        })
        .await;
    }
}
