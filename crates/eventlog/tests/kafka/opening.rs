//! What opening a log refuses, and what it says.

use std::time::{Duration, Instant};

use gamepipe_config::kafka::{SaslMechanism, SecurityProtocol};
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::{EventLog, LogError};
use gamepipe_testkit::kafka_server::{KafkaServer, Options, PASSWORD, STRANGER, USER};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewPartitions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::logs::{batch, config, new_topic, numbers, open, record, refused, texts, try_open};

pub(crate) fn admin() -> AdminClient<DefaultClientContext> {
    let servers = KafkaServer::shared().bootstrap();
    ClientConfig::new()
        .set("bootstrap.servers", servers)
        .create()
        .unwrap()
}

fn shared(topic: &str) -> LogConfig {
    config(&KafkaServer::shared().bootstrap(), topic)
}

fn with(
    mut config: LogConfig,
    change: impl FnOnce(&mut gamepipe_config::kafka::KafkaConfig),
) -> LogConfig {
    change(&mut config.kafka);
    config
}

#[tokio::test]
async fn kafka_brokers_that_are_not_there_are_named_within_10_s() {
    let begun = Instant::now();
    for (servers, reason) in [
        ("127.0.0.1:1", "can't be reached"),
        ("no-such-host.invalid:9092", "host that is not known"),
    ] {
        let text = refused(&config(servers, "events")).await;
        assert!(text.contains(servers) && text.contains(reason), "{text}");
        assert!(text.contains("log.kafka.bootstrapServers"), "{text}");
    }
    assert!(
        begun.elapsed() < Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn kafka_settings_that_can_not_be_right_are_refused() {
    for (config, reason) in [
        (config("", "events"), "bootstrapServers is empty"),
        (config("a:1", "no topic"), "can't be a topic"),
        (config("a:1", &"x".repeat(250)), "can't be a topic"),
        (
            with(config("a:1", "x"), |kafka| {
                kafka.security_protocol = SecurityProtocol::SaslSsl
            }),
            "log.kafka.username and log.kafka.password",
        ),
        (
            LogConfig {
                partitions: 0,
                ..config("a:1", "x")
            },
            "log.partitions must be",
        ),
    ] {
        let error = try_open(&config).await.unwrap_err();
        assert!(matches!(error, LogError::Invalid(_)), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

/// Signs in, encrypts, and says what is wrong when that fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_passwords_rights_and_certificates_are_checked() {
    let server = KafkaServer::start(Options {
        sasl: true,
        tls: true,
        properties: Vec::new(),
        ..Options::default()
    });
    let signed_in = |user: &str, password: &str, mechanism: SaslMechanism| {
        with(config(&server.sasl_bootstrap(), "events"), |kafka| {
            kafka.security_protocol = SecurityProtocol::SaslPlaintext;
            kafka.username = user.to_owned();
            kafka.password = password.to_owned();
            kafka.sasl_mechanism = mechanism;
        })
    };
    for mechanism in [
        SaslMechanism::ScramSha512,
        SaslMechanism::ScramSha256,
        SaslMechanism::Plain,
    ] {
        let log = open(&signed_in(USER, PASSWORD, mechanism)).await;
        log.append(vec![record("a", "x")]).await.unwrap();
    }
    let text = refused(&signed_in(USER, "wrong-secret", SaslMechanism::ScramSha512)).await;
    assert!(
        text.contains("log.kafka.username, log.kafka.password and log.kafka.saslMechanism"),
        "{text}"
    );
    assert!(!text.contains("wrong-secret"), "{text}");
    let text = refused(&signed_in(STRANGER, PASSWORD, SaslMechanism::ScramSha512)).await;
    assert!(
        text.contains("does not let this user") && text.contains("events"),
        "{text}"
    );
    // A client that does not sign in at a listener that asks for it.
    let text = refused(&config(&server.sasl_bootstrap(), "events")).await;
    assert!(text.contains("log.kafka.securityProtocol"), "{text}");

    let encrypted = |ca_file: String| {
        with(config(&server.tls_bootstrap(), "events"), |kafka| {
            kafka.security_protocol = SecurityProtocol::Ssl;
            kafka.ca_file = ca_file;
        })
    };
    let log = open(&encrypted(server.ca_file())).await;
    log.append(vec![record("a", "y")]).await.unwrap();
    assert_eq!(texts(&log).await, ["x", "x", "x", "y"]);
    let text = refused(&encrypted(String::new())).await;
    assert!(text.contains("log.kafka.caFile"), "{text}");
    let text = refused(&config(&server.tls_bootstrap(), "events")).await;
    assert!(text.contains("log.kafka.securityProtocol"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_topics_are_made_only_when_they_may_be() {
    let topic = new_topic();
    let text = refused(&with(shared(&topic), |kafka| kafka.create = false)).await;
    assert!(
        text.contains(&topic) && text.contains("log.kafka.create is false"),
        "{text}"
    );
    drop(open(&shared(&topic)).await);
    let log = open(&with(shared(&topic), |kafka| kafka.create = false)).await;
    assert_eq!(log.partitions(), 4);
}

/// Several processes start at once, on a broker that has nothing yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn kafka_logs_that_are_opened_at_once_agree_on_one_generation() {
    let config = shared(&new_topic());
    let opens: Vec<_> = (0..5)
        .map(|_| {
            let config = config.clone();
            tokio::spawn(async move { open(&config).await.generation().to_owned() })
        })
        .collect();
    let mut generations = Vec::new();
    for opened in opens {
        generations.push(opened.await.unwrap());
    }
    // One that comes too late changes nothing any more.
    let late = r#"{"format":1,"generation":"late","partitions":4}"#;
    write(
        &format!("{}.meta", config.kafka.topic),
        0,
        "generation/late",
        late,
        1,
    );
    generations.push(open(&config).await.generation().to_owned());
    generations.dedup();
    assert_eq!(generations.len(), 1, "{generations:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_a_topic_with_more_partitions_than_at_first_is_refused() {
    let topic = new_topic();
    drop(open(&shared(&topic)).await);
    let more = [NewPartitions::new(&topic, 6)];
    let made = admin()
        .create_partitions(&more, &AdminOptions::new())
        .await
        .unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let text = refused(&shared(&topic)).await;
    assert!(
        text.contains("6 partitions") && text.contains("made with 4"),
        "{text}"
    );
}

async fn delete(topics: &[&str]) {
    let deleted = admin()
        .delete_topics(topics, &AdminOptions::new())
        .await
        .unwrap();
    assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
}

async fn make(topic: &str) {
    let new = NewTopic::new(topic, 4, TopicReplication::Fixed(1));
    let begun = Instant::now();
    // A deletion goes on after its answer.
    loop {
        let made = admin()
            .create_topics([&new], &AdminOptions::new())
            .await
            .unwrap();
        if made.iter().all(Result::is_ok) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{made:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// R6: a topic that is not what it was is never taken for what it was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_a_topic_that_was_made_anew_is_noticed() {
    let topic = new_topic();
    let log = open(&shared(&topic)).await;
    for round in 0..3 {
        log.append_from_outbox(batch("box", 1 + round * 20, 20 + round * 20))
            .await
            .unwrap();
    }
    assert_eq!(numbers(&log).await.len(), 60);
    let generation = log.generation().to_owned();
    drop(log);
    delete(&[&topic]).await;
    make(&topic).await;
    // Empty: the ends are not where they were.
    let error = try_open(&shared(&topic)).await.unwrap_err();
    assert!(matches!(error, LogError::Corrupt(_)), "{error}");
    assert!(
        error.to_string().contains("deleted and made anew"),
        "{error}"
    );
    // With other records up to the same ends: they are not what they were.
    let meta = format!("{topic}.meta");
    for partition in 0..4 {
        write(&topic, partition, "k", "foreign", 100);
    }
    let error = try_open(&shared(&topic)).await.unwrap_err().to_string();
    assert!(error.contains("another record"), "{error}");
    // Without the topic that says which log it is.
    delete(&[&meta]).await;
    let error = refused(&shared(&topic)).await;
    assert!(error.contains("does not say which log"), "{error}");
    // Both gone: another log.
    delete(&[&topic, &meta]).await;
    make(&topic).await;
    assert_ne!(open(&shared(&topic)).await.generation(), generation);
}

/// Writes the same record several times.
fn write(topic: &str, partition: i32, key: &str, value: &str, count: usize) {
    use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
    let producer: FutureProducer = ClientConfig::new()
        .set("bootstrap.servers", KafkaServer::shared().bootstrap())
        .create()
        .unwrap();
    for _ in 0..count {
        let record = FutureRecord::to(topic)
            .partition(partition)
            .key(key)
            .payload(value);
        drop(producer.send_result(record).unwrap());
    }
    producer.flush(Duration::from_secs(20)).unwrap();
}

/// A process that is running notices as soon as it looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kafka_a_topic_that_is_made_anew_under_a_running_relay_stops_it() {
    let topic = new_topic();
    let log = open(&shared(&topic)).await;
    log.append_from_outbox(batch("box", 1, 40)).await.unwrap();
    delete(&[&topic]).await;
    make(&topic).await;
    let begun = Instant::now();
    loop {
        match log.append_from_outbox(batch("box", 41, 40)).await {
            Err(LogError::Corrupt(text)) => {
                assert!(text.contains(&topic), "{text}");
                break;
            }
            other => assert!(begun.elapsed() < Duration::from_secs(40), "{other:?}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
