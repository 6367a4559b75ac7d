//! Transactions that hang: the partitions have them open, and brokers have lost what would end them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_eventlog::{EventLog, OutboxBatch, partition_of};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::reexec::{self, Victim};
use gamepipe_testkit::wait;

use crate::damaged::{batches, take_last};
use crate::logs::{batch, config, new_topic, numbers, open, try_open};

/// Where coordinators keep what they know of transactions.
const COORDINATOR: &str = "__transaction_state";

/// The topic beside the events has one.
const META_PARTITION: u32 = 0;

fn marks(trimmed: u64, last: u64) -> OutboxMarks {
    OutboxMarks { last, trimmed }
}

/// Takes all but the first batch of a segment away.
fn keep_first(segment: &Path) {
    let all = batches(&fs::read(segment).unwrap());
    assert!(all.len() > 1, "{all:?}");
    fs::write(segment, &all[0]).unwrap();
}

/// The partitions that entries are in.
fn partitions_of(entries: &OutboxBatch, partitions: u32) -> Vec<u32> {
    let keys = entries.records.iter().map(|record| &record.key);
    let found: BTreeSet<_> = keys.map(|key| partition_of(key, partitions)).collect();
    found.into_iter().collect()
}

/// The relay that comes next takes off what was not committed, and all that was acknowledged is read once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_transaction_that_its_coordinator_has_lost_is_ended_by_the_next_relay() {
    let mut server = KafkaServer::start(Options::default());
    let topic = new_topic();
    let config = config(&server.bootstrap(), &topic);
    let argument = format!("{} {topic}", server.bootstrap());
    let arm = "kafka.relay.acknowledged=kill@1";
    let mut victim = Victim::start("relaying::kafka_relay_child", &argument, arm);
    assert_eq!(victim.hear(), None, "nothing was committed");
    server.stop();
    // The first says that the relay's id is known; the next one that it has begun.
    keep_first(&server.segment(COORDINATOR, 0));
    server.restart();

    let log = open(&config).await;
    wait::until("what hangs is named", async || {
        log.append_from_outbox(batch("box", 1, 20))
            .await
            .is_err_and(|error| error.to_string().contains("hangs"))
    })
    .await;
    wait::until("the relay begins", async || {
        log.resume_outbox("box", marks(0, 20))
            .await
            .is_ok_and(|position| position == 0)
    })
    .await;
    assert_eq!(numbers(&log).await, [0; 0]);
    log.append_from_outbox(batch("box", 1, 20)).await.unwrap();
    assert_eq!(numbers(&log).await, (1..=20).collect::<Vec<_>>());
    let other = open(&config).await;
    assert_eq!(numbers(&other).await, (1..=20).collect::<Vec<_>>());
}

/// What a broker has lost of a topic that has entries 1 to 10 and 11 to 20, each in a transaction.
struct Case {
    /// The last transaction's end in how many of its partitions.
    events: usize,
    /// And in the topic beside the events.
    is_meta: bool,
    /// What the outbox says.
    marks: OutboxMarks,
    /// Where its relay goes on.
    expected: u64,
}

/// Transactions that were committed lose their ends, and the outbox's next relay neither loses nor doubles an entry.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_transactions_that_have_lost_their_ends_are_ended_by_what_the_outbox_says() {
    let cases = [
        // The outbox has forgotten its entries: they were committed.
        (4, true, marks(20, 20), 20),
        (1, true, marks(20, 20), 20),
        (0, true, marks(20, 20), 20),
        // It holds them, and the position counts them.
        (4, false, marks(10, 20), 20),
        // It holds them, and nothing does.
        (4, true, marks(10, 20), 10),
        // It holds them; some are on the log and others are not.
        (1, true, marks(10, 20), 10),
        // It has lost them: it has to learn that.
        (4, true, marks(10, 15), 20),
    ];
    let mut server = KafkaServer::start(Options::default());
    let cases = cases.map(|(events, is_meta, marks, expected)| {
        let case = Case {
            events,
            is_meta,
            marks,
            expected,
        };
        (config(&server.bootstrap(), &new_topic()), case)
    });
    for (config, _) in &cases {
        let log = open(config).await;
        log.append_from_outbox(batch("box", 1, 10)).await.unwrap();
        log.append_from_outbox(batch("box", 11, 20)).await.unwrap();
        assert_eq!(numbers(&log).await.len(), 20);
    }
    server.stop();
    for (config, case) in &cases {
        let topic = &config.kafka.topic;
        let touched = partitions_of(&batch("box", 11, 20), config.partitions);
        assert_eq!(touched.len(), 4, "each case means the same");
        for partition in touched.into_iter().take(case.events) {
            take_last(&server.segment(topic, partition));
        }
        if case.is_meta {
            take_last(&server.segment(&format!("{topic}.meta"), META_PARTITION));
        }
    }
    server.restart();

    for (index, (config, case)) in cases.iter().enumerate() {
        // The broker may still be taking over its partitions.
        wait::until("the log opens", async || try_open(config).await.is_ok()).await;
        let log = open(config).await;
        let mut position = None;
        wait::until("the relay begins", async || {
            position = log.resume_outbox("box", case.marks).await.ok();
            position.is_some()
        })
        .await;
        assert_eq!(position, Some(case.expected), "case {index}");
        let first = case.expected + 1;
        log.append_from_outbox(batch("box", first, 30))
            .await
            .unwrap();
        assert_eq!(
            numbers(&log).await,
            (1..=30).collect::<Vec<_>>(),
            "case {index}"
        );
        let other = open(config).await;
        assert_eq!(
            numbers(&other).await,
            (1..=30).collect::<Vec<_>>(),
            "case {index}"
        );
    }
}

/// The victim: becomes the relay of an outbox. Its argument: the brokers, the topic, and the outbox's marks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_resuming_child() {
    let Some(argument) = reexec::role() else {
        return;
    };
    let words: Vec<_> = argument.split(' ').collect();
    let [servers, topic, trimmed, last] = words[..] else {
        panic!("{argument}");
    };
    let log = open(&config(servers, topic)).await;
    let marks = marks(trimmed.parse().unwrap(), last.parse().unwrap());
    let position = log.resume_outbox("box", marks).await.unwrap();
    reexec::say(&position.to_string());
}

/// A relay that is killed at any step of putting right what brokers have forgotten takes nothing with it: the next one finds what was acknowledged, and puts on the log
/// again what the kill has taken off it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_relay_killed_while_it_ends_what_hangs_loses_nothing() {
    // What has lost its end, the outbox's marks, where its relay goes on at least, and at which of its steps it is killed.
    let cases = [
        (4, true, marks(20, 20), 20, 1),
        (4, true, marks(20, 20), 20, 2),
        (1, true, marks(20, 20), 20, 1),
        (4, false, marks(20, 20), 20, 1),
        (4, false, marks(20, 20), 20, 2),
        (4, false, marks(20, 20), 20, 3),
        (2, false, marks(15, 20), 15, 2),
    ];
    let mut server = KafkaServer::start(Options::default());
    let cases = cases.map(|case| (config(&server.bootstrap(), &new_topic()), case));
    for (config, _) in &cases {
        let log = open(config).await;
        log.append_from_outbox(batch("box", 1, 10)).await.unwrap();
        log.append_from_outbox(batch("box", 11, 20)).await.unwrap();
        assert_eq!(numbers(&log).await.len(), 20);
    }
    server.stop();
    for (config, (events, is_meta, ..)) in &cases {
        let topic = &config.kafka.topic;
        let touched = partitions_of(&batch("box", 11, 20), config.partitions);
        for partition in touched.into_iter().take(*events) {
            take_last(&server.segment(topic, partition));
        }
        if *is_meta {
            take_last(&server.segment(&format!("{topic}.meta"), META_PARTITION));
        }
    }
    server.restart();

    for (index, (config, (_, _, marks, least, step))) in cases.iter().enumerate() {
        wait::until("the log opens", async || try_open(config).await.is_ok()).await;
        let topic = &config.kafka.topic;
        let servers = server.bootstrap();
        let argument = format!("{servers} {topic} {} {}", marks.trimmed, marks.last);
        let arm = format!("kafka.relay.settling=kill@{step}");
        let mut victim = Victim::start("hanging::kafka_resuming_child", &argument, &arm);
        assert_eq!(victim.hear(), None, "case {index}");
        let log = open(config).await;
        let mut position = 0;
        wait::until("the relay begins", async || {
            let resumed = log.resume_outbox("box", *marks).await;
            position = *resumed.as_ref().unwrap_or(&0);
            resumed.is_ok()
        })
        .await;
        assert!(
            position >= *least && position <= 20,
            "case {index}: {position}"
        );
        log.append_from_outbox(batch("box", position + 1, 30))
            .await
            .unwrap();
        let expected: Vec<_> = (1..=30).collect();
        assert_eq!(numbers(&log).await, expected, "case {index}");
        let other = open(config).await;
        assert_eq!(numbers(&other).await, expected, "case {index}");
    }
}

/// A relay at work notices that its last transaction has lost its end, and a new session ends it: whether the process had seen that end, or has to look twice.
/// Who had read beyond that end goes on behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_relay_at_work_notices_that_its_transaction_has_lost_its_end() {
    let mut server = KafkaServer::start(Options::default());
    let mut logs = Vec::new();
    for has_seen in [true, false] {
        let config = config(&server.bootstrap(), &new_topic());
        let log = open(&config).await;
        log.append_from_outbox(batch("box", 1, 10)).await.unwrap();
        let reader = if has_seen {
            Arc::clone(&log)
        } else {
            open(&config).await
        };
        assert_eq!(numbers(&reader).await.len(), 10);
        let ends = reader.offsets().await.unwrap();
        logs.push((config, log, ends));
    }
    server.stop();
    let partition = partitions_of(&batch("box", 1, 10), 4)[0];
    for (config, ..) in &logs {
        take_last(&server.segment(&config.kafka.topic, partition));
    }
    server.restart();

    let nothing = || OutboxBatch {
        outbox_id: "box".to_owned(),
        first: 11,
        records: Vec::new(),
    };
    for (config, log, ends) in &logs {
        wait::until("what hangs is named", async || {
            log.append_from_outbox(nothing())
                .await
                .is_err_and(|error| error.to_string().contains("hangs"))
        })
        .await;
        wait::until("the relay begins anew", async || {
            log.resume_outbox("box", marks(10, 10))
                .await
                .is_ok_and(|position| position == 10)
        })
        .await;
        let other = open(config).await;
        assert_eq!(numbers(&other).await, (1..=10).collect::<Vec<_>>());
        let end = ends[partition as usize].high;
        let behind = other.read(partition, end, 1 << 20).await.unwrap();
        assert!(
            behind.records.is_empty() && behind.next >= end,
            "{behind:?}"
        );
        log.append_from_outbox(nothing()).await.unwrap();
    }
}
