//! Entries that the position counts, and that were aborted or lost after all.

use std::path::Path;

use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_eventlog::{EventLog, LogError, OutboxBatch, partition_of};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::reexec::{self, Victim};
use gamepipe_testkit::wait;
use rdkafka::admin::AdminOptions;
use rdkafka::{Offset, TopicPartitionList};

use crate::damaged::take_last;
use crate::logs::{config, new_topic, numbers, open, record, try_open};
use crate::opening::admin;

/// A log's partitions.
const PARTITIONS: u32 = 4;

/// Entries of an outbox with these keys.
fn entries(first: u64, keys: &[&str]) -> OutboxBatch {
    let records = (first..).zip(keys);
    OutboxBatch {
        outbox_id: "box".to_owned(),
        first,
        records: records
            .map(|(number, key)| record(key, &number.to_string()))
            .collect(),
    }
}

/// Keys of that many partitions, one of each.
fn keys(count: usize) -> Vec<String> {
    let all: Vec<_> = (0..100).map(|number| format!("k{number}")).collect();
    let key_in = |partition| {
        let mut keys = all.iter();
        keys.find(|key| partition_of(key, PARTITIONS) == partition)
    };
    let keys: Vec<_> = (0..PARTITIONS).filter_map(key_in).cloned().collect();
    keys[..count].to_vec()
}

fn marks(trimmed: u64, last: u64) -> OutboxMarks {
    OutboxMarks { last, trimmed }
}

/// The victim: relays the first batch, says so, waits for a file, and relays the others. Its argument: the brokers, the topic, the file, and for each batch its keys.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_waiting_relay_child() {
    let Some(argument) = reexec::role() else {
        return;
    };
    let mut words = argument.split(' ');
    let [servers, topic, file] = [(); 3].map(|()| words.next().unwrap());
    let log = open(&config(servers, topic)).await;
    let mut first = 1;
    for (index, keys) in words.enumerate() {
        let keys: Vec<_> = keys.split(',').collect();
        if let Err(error) = log.append_from_outbox(entries(first, &keys)).await {
            reexec::say(&error.to_string());
            return;
        }
        first += keys.len() as u64;
        if index == 0 {
            reexec::say("relayed");
            wait::until("it may go on", async || Path::new(file).exists()).await;
            wait::until("brokers answer", async || log.offsets().await.is_ok()).await;
        }
    }
}

/// A broker loses the ends of a committed transaction, and the relay, which has not noticed yet, is killed within a later one that goes to the same partitions: what
/// ends that one aborts both. The position counts the first one's entries, and the next relay puts them on the log again, also when it is killed at that.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_entries_that_were_committed_and_then_aborted_come_back() {
    let keys = keys(3);
    let [a, b, c] = [0, 1, 2].map(|index| keys[index].as_str());
    // The batches, the keys of partitions that lose the first one's end, and how many entries are committed then.
    let cases = [
        (vec![vec![a, b, c, a], vec![c, a, b]], vec![a, b, c], 4),
        (vec![vec![b, a, a], vec![b], vec![a]], vec![a], 4),
        (vec![vec![a, b, a, c], vec![c], vec![a, b]], vec![a, b], 5),
    ];
    let mut server = KafkaServer::start(Options::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("go");
    let mut victims = Vec::new();
    for (batches, _, _) in &cases {
        let topic = new_topic();
        let words: Vec<_> = batches.iter().map(|keys| keys.join(",")).collect();
        let argument = format!(
            "{} {topic} {} {}",
            server.bootstrap(),
            file.display(),
            words.join(" ")
        );
        let arm = format!("kafka.relay.acknowledged=kill@{}", batches.len());
        let mut victim = Victim::start("aborted::kafka_waiting_relay_child", &argument, &arm);
        assert_eq!(victim.hear().as_deref(), Some("relayed"));
        victims.push((config(&server.bootstrap(), &topic), victim));
    }
    server.stop();
    for ((config, _), (_, lost, _)) in victims.iter().zip(&cases) {
        for key in lost {
            let partition = partition_of(key, PARTITIONS);
            take_last(&server.segment(&config.kafka.topic, partition));
        }
    }
    server.restart();
    for (config, _) in &victims {
        wait::until("the log opens", async || try_open(config).await.is_ok()).await;
    }
    std::fs::write(&file, "").unwrap();

    for (index, ((config, mut victim), (_, _, committed))) in
        victims.into_iter().zip(&cases).enumerate()
    {
        assert_eq!(victim.hear(), None, "case {index}: it had to be killed");
        let servers = server.bootstrap();
        let topic = &config.kafka.topic;
        // The first one that takes its place is killed before it commits what it puts there.
        let argument = format!("{servers} {topic} {committed} {committed}");
        let arm = "kafka.relay.settling=kill@1";
        let mut next = Victim::start("hanging::kafka_resuming_child", &argument, arm);
        assert_eq!(next.hear(), None, "case {index}");

        let log = open(&config).await;
        let mut position = None;
        wait::until("the relay begins", async || {
            let resumed = log.resume_outbox("box", marks(*committed, *committed));
            position = resumed.await.ok();
            position.is_some()
        })
        .await;
        assert_eq!(position, Some(*committed), "case {index}");
        assert_eq!(
            numbers(&log).await,
            (1..=*committed).collect::<Vec<_>>(),
            "case {index}"
        );
        log.append_from_outbox(entries(committed + 1, &[a, b, c]))
            .await
            .unwrap();
        let other = open(&config).await;
        let expected: Vec<_> = (1..=committed + 3).collect();
        assert_eq!(numbers(&other).await, expected, "case {index}");
    }
}

/// A partition that has lost entries themselves, which the position counts, is not what it was: nobody goes on as if it were.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_log_that_has_lost_what_its_position_counts_is_refused() {
    let keys = keys(2);
    let [a, b] = [0, 1].map(|index| keys[index].as_str());
    let mut server = KafkaServer::start(Options::default());
    let config = config(&server.bootstrap(), &new_topic());
    let log = open(&config).await;
    log.append_from_outbox(entries(1, &[a, b])).await.unwrap();
    log.append_from_outbox(entries(3, &[a, b])).await.unwrap();
    drop(log);
    server.stop();
    let segment = server.segment(&config.kafka.topic, partition_of(a, PARTITIONS));
    // The second transaction's end, and its entry.
    take_last(&segment);
    take_last(&segment);
    server.restart();

    wait::until("the log opens", async || try_open(&config).await.is_ok()).await;
    let log = open(&config).await;
    let mut refused = None;
    wait::until("the relay answers", async || {
        match log.resume_outbox("box", marks(2, 4)).await {
            Err(LogError::Unavailable(_)) => false,
            other => {
                refused = Some(other);
                true
            }
        }
    })
    .await;
    let Some(Err(LogError::Corrupt(text))) = refused else {
        panic!("{refused:?}");
    };
    assert!(text.contains("event 3 of outbox box"), "{text}");
}

/// An outbox that has forgotten entries which the log never had belongs to another log: nothing is made up, and who sends the next entry is told of the gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_log_without_what_the_outbox_has_forgotten_stays_as_it_is() {
    let keys = keys(2);
    let [a, b] = [0, 1].map(|index| keys[index].as_str());
    let config = config(&KafkaServer::shared().bootstrap(), &new_topic());
    open(&config)
        .await
        .append_from_outbox(entries(1, &[a, b, a, b]))
        .await
        .unwrap();
    // Some, and more than a relay looks for.
    for forgotten in [6, 100_000] {
        let log = open(&config).await;
        let mut position = None;
        wait::until("the relay begins", async || {
            let resumed = log.resume_outbox("box", marks(forgotten, forgotten));
            position = resumed.await.ok();
            position.is_some()
        })
        .await;
        assert_eq!(position, Some(4));
        let refused = log.append_from_outbox(entries(forgotten + 1, &[a])).await;
        let Err(LogError::Invalid(text)) = refused else {
            panic!("{refused:?}");
        };
        assert!(text.contains("up to 4 only"), "{text}");
        assert_eq!(numbers(&log).await, [1, 2, 3, 4]);
    }
}

/// What retention has taken has landed: a relay that begins does not miss it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_relay_begins_where_retention_has_taken_its_last_entries() {
    let keys = keys(2);
    let [a, b] = [0, 1].map(|index| keys[index].as_str());
    let config = config(&KafkaServer::shared().bootstrap(), &new_topic());
    let log = open(&config).await;
    log.append_from_outbox(entries(1, &[a, b, a]))
        .await
        .unwrap();
    let mut ends = TopicPartitionList::new();
    let partition = i32::try_from(partition_of(a, PARTITIONS)).unwrap();
    ends.add_partition_offset(&config.kafka.topic, partition, Offset::End)
        .unwrap();
    let removed = admin().delete_records(&ends, &AdminOptions::new()).await;
    assert_eq!(removed.unwrap().count(), 1);
    drop(log);

    let log = open(&config).await;
    let mut position = None;
    wait::until("the relay begins", async || {
        position = log.resume_outbox("box", marks(3, 3)).await.ok();
        position.is_some()
    })
    .await;
    assert_eq!(position, Some(3));
    log.append_from_outbox(entries(4, &[a, b])).await.unwrap();
    assert_eq!(numbers(&log).await, [2, 4, 5]);
}
