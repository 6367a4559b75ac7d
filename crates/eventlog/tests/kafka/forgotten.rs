//! Clients that were told that there are no brokers.

use std::sync::Arc;

use gamepipe_eventlog::{EventLog, Membership};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::wait;

use crate::logs::{batch, config, everything, new_topic, open, record};

/// How many clients of the test's log ask about topics: three that look, the one that appends, the relay's, and the members of its two groups.
const CLIENTS: usize = 7;

/// Many: it is while a client reads what an answer says of the partitions that its brokers go, and only then does it not begin anew by itself.
const PARTITIONS: u32 = 512;

/// A broker that has just started may name no brokers, and a client forgets those that are not named. All of a log's clients go on by themselves: what
/// appends, what relays, what reads, and the membership of the groups.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_clients_that_were_told_of_no_brokers_find_them_again() {
    let server = KafkaServer::start(Options {
        behind_proxy: true,
        ..Options::default()
    });
    let topic = new_topic();
    let mut far = config(&server.far_bootstrap(), &topic);
    far.partitions = PARTITIONS;
    let log = open(&far).await;
    let member: Arc<dyn Membership> = log.join().await.unwrap();
    log.append(vec![record("k", "first")]).await.unwrap();
    wait::until("it relays", async || log.relays("box").await.unwrap()).await;
    log.append_from_outbox(batch("box", 1, 3)).await.unwrap();
    wait::until("it has all partitions", async || {
        member.share().partitions.len() == PARTITIONS as usize
    })
    .await;
    assert_eq!(everything(&log).await.len(), 4);

    let broker = server.proxy();
    broker.forget();
    wait::until("all clients were told of no brokers", async || {
        broker.told() >= CLIENTS
    })
    .await;
    broker.remember();

    wait::until("events are appended", async || {
        let appended = log.append(vec![record("k", "second")]).await;
        appended.is_ok()
    })
    .await;
    wait::until("events are relayed", async || {
        let relayed = log.append_from_outbox(batch("box", 1, 5)).await;
        relayed.is_ok()
    })
    .await;
    wait::until("they are read", async || match log.offsets().await {
        Ok(_) => everything(&log)
            .await
            .iter()
            .any(|record| &*record.value == b"5"),
        Err(_) => false,
    })
    .await;
    // Only one who is in the group can have half of it.
    let other = open(&config(&server.bootstrap(), &topic)).await;
    let second = other.join().await.unwrap();
    wait::until("the partitions are shared out", async || {
        let shares = [member.share(), second.share()];
        member.settled(shares[0].turn);
        second.settled(shares[1].turn);
        shares
            .iter()
            .all(|share| share.partitions.len() == PARTITIONS as usize / 2)
    })
    .await;
}
