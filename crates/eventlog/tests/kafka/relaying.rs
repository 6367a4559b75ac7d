//! The relay: exactly once through kills, fences and races.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, LogError};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::reexec::{self, Dice, Victim};
use gamepipe_testkit::wait;

use crate::logs::{batch, config, new_topic, numbers, open};

/// The steps of a relay's transaction at which it is killed.
const STEPS: [&str; 3] = ["begun", "acknowledged", "committed"];

async fn shared(topic: &str) -> Arc<KafkaLog> {
    open(&config(&KafkaServer::shared().bootstrap(), topic)).await
}

/// The victim: relays batches of ten until it is killed. Its argument: the brokers and the topic.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_relay_child() {
    let Some(argument) = reexec::role() else {
        return;
    };
    let (servers, topic) = argument.split_once(' ').unwrap();
    let log = open(&config(servers, topic)).await;
    let mut position = log.outbox_position("box").await.unwrap();
    loop {
        log.append_from_outbox(batch("box", position + 1, position + 10))
            .await
            .unwrap();
        position += 10;
        reexec::say(&position.to_string());
    }
}

/// EO-1: killed between any two steps, the next relay goes on where the last one was, and no reader saw what was not committed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_relay_killed_between_any_two_steps_loses_and_doubles_nothing() {
    let topic = new_topic();
    let argument = format!("{} {topic}", KafkaServer::shared().bootstrap());
    for (round, step) in STEPS.iter().cycle().take(6).enumerate() {
        let visit = 1 + round / 3;
        let arm = format!("kafka.relay.{step}=kill@{visit}");
        let mut victim = Victim::start("relaying::kafka_relay_child", &argument, &arm);
        let mut acknowledged = 0;
        while let Some(said) = victim.hear() {
            acknowledged = said.parse().unwrap();
        }
        let log = shared(&topic).await;
        if visit == 2 {
            // As the relay it ends what was begun; otherwise it waits until the broker does.
            wait::until("it relays", async || log.relays("box").await.unwrap()).await;
        }
        let position = log.outbox_position("box").await.unwrap();
        assert!(
            position >= acknowledged,
            "{step}: {position} < {acknowledged}"
        );
        log.append_from_outbox(batch("box", position + 1, position + 10))
            .await
            .unwrap();
        let expected: Vec<u64> = (1..=position + 10).collect();
        assert_eq!(numbers(&log).await, expected, "{step}");
        assert_eq!(log.outbox_position("box").await.unwrap(), position + 10);
    }
}

/// The one who comes later wins, the one who is fenced says so and does not fight.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_relay_that_is_fenced_appends_nothing_more() {
    let topic = new_topic();
    let (first, second) = (shared(&topic).await, shared(&topic).await);
    first.append_from_outbox(batch("box", 1, 10)).await.unwrap();
    second
        .append_from_outbox(batch("box", 1, 20))
        .await
        .unwrap();
    for _ in 0..3 {
        let refused = first
            .append_from_outbox(batch("box", 11, 30))
            .await
            .unwrap_err();
        assert!(matches!(refused, LogError::Unavailable(_)), "{refused}");
        let text = refused.to_string();
        assert!(text.contains("another process"), "{text}");
    }
    second
        .append_from_outbox(batch("box", 21, 30))
        .await
        .unwrap();
    assert_eq!(numbers(&second).await, (1..=30).collect::<Vec<_>>());
}

/// What another one has moved and forgotten is missing in what the outbox gives: that is no sign of stores that don't belong
/// together.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_relay_that_another_one_has_overtaken_is_not_told_of_a_gap() {
    let topic = new_topic();
    let (first, second) = (shared(&topic).await, shared(&topic).await);
    first.append_from_outbox(batch("box", 1, 10)).await.unwrap();
    second
        .append_from_outbox(batch("box", 1, 20))
        .await
        .unwrap();
    let refused = first
        .append_from_outbox(batch("box", 21, 30))
        .await
        .unwrap_err();
    assert!(matches!(refused, LogError::Unavailable(_)), "{refused}");
    let gap = second
        .append_from_outbox(batch("box", 22, 30))
        .await
        .unwrap_err();
    assert!(matches!(gap, LogError::Invalid(_)), "{gap}");
    assert_eq!(numbers(&second).await, (1..=20).collect::<Vec<_>>());
}

/// What a relay has sent and not committed is on the log, and nobody reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_records_that_were_not_committed_are_not_read() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let topic = new_topic();
    let servers = KafkaServer::shared().bootstrap();
    let arm = "kafka.relay.acknowledged=kill@1";
    let argument = format!("{servers} {topic}");
    let mut victim = Victim::start("relaying::kafka_relay_child", &argument, arm);
    assert_eq!(victim.hear(), None);
    let raw: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("isolation.level", "read_uncommitted")
        .create()
        .unwrap();
    let deadline = Duration::from_secs(10);
    let ends = (0..4).map(|partition| raw.fetch_watermarks(&topic, partition, deadline).unwrap().1);
    assert!(ends.sum::<i64>() >= 10);
    let log = shared(&topic).await;
    assert_eq!(numbers(&log).await, Vec::<u64>::new());
    assert_eq!(log.outbox_position("box").await.unwrap(), 0);
    // Its end is on the log now, and what was before it is passed over.
    assert_eq!(numbers(&log).await, Vec::<u64>::new());
    log.append_from_outbox(batch("box", 1, 3)).await.unwrap();
    assert_eq!(numbers(&log).await, [1, 2, 3]);
}

/// Two relays at once, each back as a new process whenever it is fenced: each entry lands once and in order of the outbox.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_relays_that_race_land_each_entry_once() {
    const ENTRIES: u64 = 600;
    const LIVES: u64 = 5;
    let topic = new_topic();
    let mut dice = Dice::from_environment();
    drop(shared(&topic).await);
    let start = Arc::new(tokio::sync::Barrier::new(2));
    let mut racers = Vec::new();
    for _ in 0..2 {
        let start = Arc::clone(&start);
        let (topic, size) = (topic.clone(), 5 + dice.roll(10));
        racers.push(tokio::spawn(async move {
            let mut fenced = 0;
            for life in 0..LIVES {
                let log = shared(&topic).await;
                if life == 0 {
                    start.wait().await;
                }
                while let Ok(position) = log.outbox_position("box").await {
                    if position >= ENTRIES {
                        return fenced;
                    }
                    let last = (position + size).min(ENTRIES);
                    let entries = batch("box", position + 1, last);
                    if log.append_from_outbox(entries).await.is_err() {
                        break;
                    }
                }
                fenced += 1;
            }
            fenced
        }));
    }
    let mut fenced = 0;
    for racer in racers {
        fenced += racer.await.unwrap();
    }
    assert!(fenced > 0, "they did not meet");
    let log = shared(&topic).await;
    let position = log.outbox_position("box").await.unwrap();
    let last = position + 5;
    log.append_from_outbox(batch("box", position + 1, last))
        .await
        .unwrap();
    assert_eq!(numbers(&log).await, (1..=last).collect::<Vec<_>>());
}

/// One of several processes relays; another takes over when it is gone, and at once when it says so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_one_of_several_processes_relays() {
    let topic = new_topic();
    let mut logs = Vec::new();
    for _ in 0..3 {
        logs.push(shared(&topic).await);
    }
    let mut position = 0;
    while !logs.is_empty() {
        let mut relays = Vec::new();
        wait::until("one relays", async || {
            relays.clear();
            for (index, log) in logs.iter().enumerate() {
                if log.relays("box").await.unwrap() {
                    relays.push(index);
                }
            }
            !relays.is_empty()
        })
        .await;
        assert_eq!(relays.len(), 1);
        let log = Arc::clone(&logs[relays[0]]);
        let begun = Instant::now();
        while let Err(error) = log
            .append_from_outbox(batch("box", position + 1, position + 10))
            .await
        {
            assert!(begun.elapsed() < Duration::from_secs(20), "{error}");
        }
        position += 10;
        for (index, other) in logs.iter().enumerate() {
            if index != relays[0] {
                let refused = other
                    .append_from_outbox(batch("box", position + 1, position + 1))
                    .await;
                assert!(
                    matches!(refused, Err(LogError::Unavailable(_))),
                    "{refused:?}"
                );
            }
        }
        assert_eq!(log.outbox_position("box").await.unwrap(), position);
        assert_eq!(numbers(&log).await, (1..=position).collect::<Vec<_>>());
        drop(logs.remove(relays[0]));
        drop(log);
    }
}

/// AT-1, EO-1: brokers that are killed under load keep all that was acknowledged, and get nothing twice from a relay. One that is killed
/// right after a commit may come back with the transaction open and nobody left to end it; then the relay does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_killed_under_load_keeps_what_it_acknowledged() {
    const LAST: u64 = 2000;
    let mut server = KafkaServer::start(Options::default());
    let config = config(&server.bootstrap(), "events");
    let log = open(&config).await;
    let (told, mut relayed) = tokio::sync::watch::channel(0);
    let relay = tokio::spawn(relay_to(Arc::clone(&log), LAST, told));
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let log = Arc::clone(&log);
            tokio::spawn(async move {
                let mut acknowledged = Vec::new();
                for number in 0..300_u64 {
                    let text = (1_000_000 + writer * 1000 + number).to_string();
                    let record = crate::logs::record(&format!("w{writer}"), &text);
                    if log.append(vec![record]).await.is_ok() {
                        acknowledged.push(text);
                    }
                }
                acknowledged
            })
        })
        .collect();
    // The second time at once, while it settles what the first time has left.
    for position in [100, 100, 1000] {
        let is_there = relayed.wait_for(|told| *told > position);
        wait::ready("something is relayed", is_there).await.unwrap();
        server.kill();
        server.restart();
    }
    relay.await.unwrap();
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.unwrap());
    }
    let log = open(&config).await;
    let found = numbers(&log).await;
    let relayed: Vec<u64> = found
        .iter()
        .copied()
        .filter(|number| *number < 1_000_000)
        .collect();
    assert_eq!(relayed, (1..=LAST).collect::<Vec<_>>());
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    for text in acknowledged {
        let number = text.parse().unwrap();
        assert!(found.binary_search(&number).is_ok(), "{number} is lost");
    }
    let appended = found.len() - relayed.len();
    let mut distinct = found;
    distinct.dedup();
    assert_eq!(distinct.len() - relayed.len(), appended, "appended twice");
}

/// Relays an outbox with so many entries as the API does, and tells what it has trimmed.
async fn relay_to(log: Arc<KafkaLog>, last: u64, trimmed: tokio::sync::watch::Sender<u64>) {
    while *trimmed.borrow() < last {
        let marks = OutboxMarks {
            last,
            trimmed: *trimmed.borrow(),
        };
        let begun = Instant::now();
        let position = loop {
            match log.resume_outbox("box", marks).await {
                Ok(position) => break position,
                Err(LogError::Unavailable(_)) if begun.elapsed() < wait::DEADLINE => {}
                Err(error) => panic!("{error}"),
            }
        };
        trimmed.send_replace(position);
        let next = batch("box", position + 1, (position + 20).min(last));
        // An error leaves the outcome open; the position tells.
        if log.append_from_outbox(next).await.is_ok() {
            trimmed.send_replace((position + 20).min(last));
        }
    }
}

async fn wait_position(log: &KafkaLog) -> Result<u64, LogError> {
    let begun = Instant::now();
    loop {
        match log.outbox_position("box").await {
            Err(LogError::Unavailable(_)) if begun.elapsed() < Duration::from_secs(60) => {}
            other => return other,
        }
    }
}

/// A broker that stands still makes calls fail in time, and all goes on by itself after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_stopped_for_a_while_makes_calls_fail_in_time() {
    let server = KafkaServer::start(Options::default());
    let mut config = config(&server.bootstrap(), "events");
    // A broker's first requests may take seconds.
    let log = open(&config).await;
    log.append_from_outbox(batch("box", 1, 1)).await.unwrap();
    drop(log);
    config.kafka.timeout_ms = 1500;
    let log = open(&config).await;
    log.append_from_outbox(batch("box", 1, 10)).await.unwrap();
    log.append(vec![crate::logs::record("a", "1000")])
        .await
        .unwrap();
    server.freeze();
    let begun = Instant::now();
    let (append, relay, offsets) = tokio::join!(
        log.append(vec![crate::logs::record("a", "1001")]),
        log.append_from_outbox(batch("box", 11, 20)),
        log.offsets()
    );
    for refused in [append.map(|_| ()), relay, offsets.map(|_| ())] {
        assert!(
            matches!(refused, Err(LogError::Unavailable(_))),
            "{refused:?}"
        );
    }
    assert!(
        begun.elapsed() < Duration::from_secs(8),
        "{:?}",
        begun.elapsed()
    );
    server.thaw();
    let position = wait_position(&log).await.unwrap();
    let last = position + 10;
    let begun = Instant::now();
    while let Err(error) = log
        .append_from_outbox(batch("box", position + 1, last))
        .await
    {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
    }
    while let Err(error) = log.append(vec![crate::logs::record("a", "1002")]).await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{error}");
    }
    let mut found = Vec::new();
    wait::until("all is shown", async || {
        found = match log.offsets().await {
            Ok(_) => numbers(&log).await,
            Err(_) => return false,
        };
        found.contains(&1002)
    })
    .await;
    found.retain(|number| *number <= 1000 || *number == 1002);
    let expected: Vec<u64> = (1..=last).chain([1000, 1002]).collect();
    assert_eq!(found, expected);
}
