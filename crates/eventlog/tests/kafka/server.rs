//! The broker that the other tests use.

use std::time::Duration;

use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};

fn answers(server: &KafkaServer) -> bool {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", server.bootstrap())
        .create()
        .unwrap();
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(3));
    metadata.is_ok_and(|metadata| metadata.brokers().len() == 1)
}

#[test]
fn kafka_starts_is_killed_and_starts_again() {
    let mut server = KafkaServer::start(Options {
        sasl: true,
        tls: true,
        properties: Vec::new(),
        ..Options::default()
    });
    assert!(answers(&server));
    server.freeze();
    assert!(!answers(&server));
    server.thaw();
    assert!(answers(&server));
    server.kill();
    assert!(!answers(&server));
    server.restart();
    assert!(answers(&server), "{}", server.log());
}
