//! A transaction that hangs: the partitions have it open, and its coordinator has lost that it was begun.

use std::fs;
use std::path::Path;

use gamepipe_eventlog::EventLog;
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::reexec::Victim;
use gamepipe_testkit::wait;

use crate::damaged::batches;
use crate::logs::{batch, config, new_topic, numbers, open};

/// Where coordinators keep what they know of transactions.
const COORDINATOR: &str = "__transaction_state";

/// Takes all but the first batch of a segment away.
fn keep_first(segment: &Path) {
    let all = batches(&fs::read(segment).unwrap());
    assert!(all.len() > 1, "{all:?}");
    fs::write(segment, &all[0]).unwrap();
}

/// The relay that comes next ends it, and all that was acknowledged is read, and what was not is not.
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
    wait::until("events are relayed", async || {
        log.append_from_outbox(batch("box", 1, 20)).await.is_ok()
    })
    .await;
    assert_eq!(numbers(&log).await, (1..=20).collect::<Vec<_>>());
    let other = open(&config).await;
    assert_eq!(numbers(&other).await, (1..=20).collect::<Vec<_>>());
}
