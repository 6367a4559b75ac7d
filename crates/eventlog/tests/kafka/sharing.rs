//! Processes that land a log together, and what other tools see of it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use gamepipe_domain::JsonMap;
use gamepipe_domain::event::{Event, encode_event};
use gamepipe_domain::request::RequestContext;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, LogError, Membership, Record};
use gamepipe_testkit::kafka_server::KafkaServer;
use gamepipe_testkit::reexec::{self, Victim};
use gamepipe_testkit::wait;

use crate::logs::{config, new_topic, open, record, texts};

async fn shared(topic: &str) -> Arc<KafkaLog> {
    open(&config(&KafkaServer::shared().bootstrap(), topic)).await
}

/// Waits until these members have all partitions between them, none of them twice, and each of them some.
async fn shared_out(members: &[Arc<dyn Membership>]) {
    wait::until("the partitions are shared out", async || {
        let shares: Vec<_> = members.iter().map(|member| member.share()).collect();
        for (member, share) in members.iter().zip(&shares) {
            member.settled(share.turn);
        }
        let all: Vec<u32> = shares
            .iter()
            .flat_map(|share| share.partitions.clone())
            .collect();
        let distinct: HashSet<u32> = all.iter().copied().collect();
        let is_fair = shares.iter().all(|share| !share.partitions.is_empty());
        is_fair && all.len() == 4 && distinct.len() == 4
    })
    .await;
}

/// The victim of the next test: a member until it is killed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_member_child() {
    let Some(argument) = reexec::role() else {
        return;
    };
    let (servers, topic) = argument.split_once(' ').unwrap();
    let log = open(&config(servers, topic)).await;
    let member = log.join().await.unwrap();
    let mut turn = 0;
    loop {
        member.changed(turn).await;
        turn = member.share().turn;
        member.settled(turn);
        reexec::say(&format!("{:?}", member.share().partitions));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_members_share_the_partitions_as_they_come_and_go() {
    let topic = new_topic();
    let log = shared(&topic).await;
    let first = log.join().await.unwrap();
    shared_out(&[Arc::clone(&first)]).await;
    let other = shared(&topic).await;
    let second = other.join().await.unwrap();
    shared_out(&[Arc::clone(&first), Arc::clone(&second)]).await;
    // A third that is killed is missed after its session.
    let argument = format!("{} {topic}", KafkaServer::shared().bootstrap());
    let mut victim = Victim::start("sharing::kafka_member_child", &argument, "");
    let third_has = tokio::task::spawn_blocking(move || {
        while victim.hear().is_some_and(|said| said == "[]") {}
        victim
    });
    wait::until("the third has some", async || {
        for member in [&first, &second] {
            member.settled(member.share().turn);
        }
        third_has.is_finished()
    })
    .await;
    third_has.await.unwrap().kill();
    shared_out(&[Arc::clone(&first), Arc::clone(&second)]).await;
    // One that leaves is not waited for.
    let begun = Instant::now();
    second.leave().await;
    assert!(second.share().partitions.is_empty());
    shared_out(&[first]).await;
    assert!(
        begun.elapsed() < Duration::from_secs(5),
        "{:?}",
        begun.elapsed()
    );
}

/// Partitions that are taken away go to others only when work on them has settled, or after a few seconds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_partitions_wait_for_work_to_settle() {
    let topic = new_topic();
    let (log, other) = (shared(&topic).await, shared(&topic).await);
    let first = log.join().await.unwrap();
    wait::until("it has all", async || first.share().partitions.len() == 4).await;
    let turn = first.share().turn;
    first.settled(turn);
    let second = other.join().await.unwrap();
    wait::ready("some are taken away", first.changed(turn)).await;
    // Nothing is said: they come after the budget.
    let begun = Instant::now();
    wait::until("the second has some", async || {
        !second.share().partitions.is_empty()
    })
    .await;
    let waited = begun.elapsed();
    assert!(
        waited > Duration::from_secs(2) && waited < Duration::from_secs(10),
        "{waited:?}"
    );
}

/// The landing group shows how far landing is, whether members are in it or not.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_release_tells_the_landing_group() {
    use rdkafka::consumer::{BaseConsumer, Consumer};
    let topic = new_topic();
    let log = shared(&topic).await;
    let records = (0..40)
        .map(|number| record(&format!("k{number}"), "x"))
        .collect();
    log.append(records).await.unwrap();
    let highs: Vec<u64> = log
        .offsets()
        .await
        .unwrap()
        .iter()
        .map(|known| known.high)
        .collect();
    let group: BaseConsumer = rdkafka::ClientConfig::new()
        .set("bootstrap.servers", KafkaServer::shared().bootstrap())
        .set("group.id", format!("{topic}.landing"))
        .create()
        .unwrap();
    let committed = || -> Vec<i64> {
        let mut list = rdkafka::TopicPartitionList::new();
        list.add_partition_range(&topic, 0, 3);
        let found = group
            .committed_offsets(list, Duration::from_secs(10))
            .unwrap();
        found
            .elements()
            .iter()
            .map(|element| element.offset().to_raw().unwrap())
            .collect()
    };
    let halves: Vec<u64> = highs.iter().map(|high| high / 2).collect();
    for (landed, is_member) in [(&halves, false), (&highs, true)] {
        let member = match is_member {
            true => Some(log.join().await.unwrap()),
            false => None,
        };
        if let Some(member) = &member {
            wait::until("it is a member", async || {
                !member.share().partitions.is_empty()
            })
            .await;
        }
        log.release(landed).await.unwrap();
        let expected: Vec<i64> = landed.iter().map(|offset| *offset as i64).collect();
        wait::until("the group knows", async || committed() == expected).await;
    }
    let beyond: Vec<u64> = highs.iter().map(|high| high + 1).collect();
    assert!(matches!(
        log.release(&beyond).await,
        Err(LogError::Invalid(_))
    ));
}

fn kcat() -> Command {
    Command::new(std::env::var("GAMEPIPE_TEST_KCAT").unwrap_or_else(|_| "kcat".to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_kcat_prints_readable_events() {
    let topic = new_topic();
    let log = shared(&topic).await;
    let mut data = JsonMap::new();
    data.insert("gold".to_owned(), 7.into());
    let value = encode_event(&Event {
        id: "one".to_owned(),
        event_type: "dig".to_owned(),
        time: Timestamp::from_micros(1_767_323_045_000_000),
        key: "ann".to_owned(),
        data,
        context: RequestContext::default(),
        origin: None,
    });
    let text = String::from_utf8(value.clone()).unwrap();
    let record = Record {
        key: "ann".to_owned(),
        value: value.into(),
        dedupe_id: None,
    };
    log.append(vec![record]).await.unwrap();
    let output = kcat()
        .args([
            "-C",
            "-e",
            "-q",
            "-b",
            &KafkaServer::shared().bootstrap(),
            "-t",
            &topic,
        ])
        .args(["-f", "%k|%s|%h\n"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let headers = format!(
        "ce_specversion=1.0,ce_id=one,ce_type=dig,ce_time=2026-01-02T03:04:05.000000Z,ce_source=/gamepipe/{topic},\
         content-type=application/json"
    );
    assert_eq!(printed, format!("ann|{text}|{headers}\n"));
}

/// Whoever else writes to the topic may name headers as he likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_records_of_strangers_are_read_whatever_their_headers_are() {
    let topic = new_topic();
    let log = shared(&topic).await;
    let headers: [&[u8]; 4] = [
        b"\xff\xfe=box/1",
        b"gamepipe-outbox=\xff/1",
        b"gamepipe-outbox=box",
        b"gamepipe-outbox=box/-1",
    ];
    for header in headers {
        let mut child = kcat()
            .args(["-P", "-b", &KafkaServer::shared().bootstrap()])
            .args(["-t", &topic, "-p", "0", "-H"])
            .arg(OsStr::from_bytes(header))
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // With the mark that events of an outbox end with.
        child.stdin.take().unwrap().write_all(b"strange ").unwrap();
        assert!(child.wait().unwrap().success());
    }
    let found = texts(&log).await;
    assert_eq!(found, ["strange "; 4]);
}
