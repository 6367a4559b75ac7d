//! Partitions of which nothing comes: because the client hangs, and because there is nothing any more.

use std::fs;

use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{Appended, EventLog, LogError, ReadBatch, partition_of};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};

use crate::damaged::batches;
use crate::logs::{config, new_topic, open, record, texts};

/// How many reads may bring nothing. Each waits for five seconds; by itself a client that hears nothing gives its connection up after a minute.
const ATTEMPTS: usize = 6;

/// Reads until the brokers answer.
async fn read(log: &KafkaLog, partition: u32, from: u64) -> ReadBatch {
    let mut error = None;
    for _ in 0..ATTEMPTS {
        match log.read(partition, from, 1 << 20).await {
            Ok(batch) => return batch,
            Err(LogError::Unavailable(text)) => error = Some(text),
            Err(error) => panic!("{error}"),
        }
    }
    panic!("none of {ATTEMPTS} reads was answered: {error:?}");
}

/// Of a client that hears nothing any more, on a connection that stays open, all partitions go to a new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_partitions_are_read_on_when_their_client_hears_nothing_any_more() {
    let server = KafkaServer::start(Options {
        behind_proxy: true,
        ..Options::default()
    });
    let log = open(&config(&server.far_bootstrap(), &new_topic())).await;
    for number in 0..16 {
        let text = number.to_string();
        log.append(vec![record(&text, &text)]).await.unwrap();
    }
    assert_eq!(texts(&log).await.len(), 16);
    assert!(server.proxy().silence_readers() > 0);

    let more = log.append(vec![record("k", "more")]).await.unwrap();
    let Appended::At(more) = more[0] else {
        panic!("{more:?}");
    };
    let batch = read(&log, more.partition, more.offset).await;
    assert_eq!(&*batch.records[0].value, b"more");
    // Also those that nothing was missed of.
    assert_eq!(texts(&log).await.len(), 17);
}

/// A broker has lost the end of a partition before anybody has read it: there is nothing to wait for, and what comes next is read.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_an_end_that_was_lost_before_it_was_read_is_not_waited_for() {
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let log = open(&config).await;
    for text in ["1", "2", "3"] {
        log.append(vec![record("k", text)]).await.unwrap();
    }
    let partition = partition_of("k", config.partitions);
    let offsets = log.offsets().await.unwrap();
    assert_eq!(offsets[partition as usize].high, 3);
    server.stop();
    let segment = server.segment(&topic, partition);
    let all = batches(&fs::read(&segment).unwrap());
    fs::write(&segment, &all[0]).unwrap();
    server.restart();

    let batch = read(&log, partition, 1).await;
    assert!(batch.records.is_empty() && batch.next == 1, "{batch:?}");
    let other = open(&config).await;
    other.append(vec![record("k", "other")]).await.unwrap();
    let batch = read(&log, partition, 1).await;
    assert_eq!(&*batch.records[0].value, b"other");
}
