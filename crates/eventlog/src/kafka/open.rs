//! Opening: find the brokers, make or find the topics, agree on the log's generation, and compare it all with what was.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::admin::{AdminOptions, NewTopic, ResourceSpecifier, TopicReplication};
use rdkafka::consumer::Consumer;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::util::Timeout;

use super::blocking::blocking;
use super::clients::{Clients, drop_later};
use super::meta::{self, Generation, Meta, Until};
use super::produce::{self, Call, MAX_MESSAGE_BYTES};
use super::version;
use crate::log::LogError;

/// How long brokers may take to be found. A process that can't find them says so within 10 s.
const REACH: Duration = Duration::from_secs(8);

/// How long one attempt lasts, between which errors are looked at.
const ATTEMPT: Duration = Duration::from_millis(500);

/// A segment of the topic beside the events is rolled at this size, so that it can be compacted: it is read whole at every start.
const META_SEGMENT_BYTES: &str = "4194304";

/// Records may be from any time; brokers refuse what is more than an hour ahead by default.
const ANY_TIME: &str = "9223372036854775807";

/// How many partitions a log may have.
const MAX_PARTITIONS: u32 = 1024;

/// What the settings say of topics that are to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wishes {
    pub(super) partitions: u32,
    pub(super) replication: u16,
    pub(super) may_create: bool,
}

/// The log's generation and how many partitions it has; the rest of what the topic beside the events says.
pub(super) async fn open(
    clients: &Arc<Clients>,
    wishes: Wishes,
) -> Result<(Generation, Meta), LogError> {
    if !(1..=MAX_PARTITIONS).contains(&wishes.partitions) {
        return Err(LogError::Invalid(format!(
            "log.partitions must be 1 to {MAX_PARTITIONS}, got {}",
            wishes.partitions
        )));
    }
    let place = Arc::clone(&clients.place);
    let reached = Arc::clone(clients);
    blocking(REACH * 2, move || reach(&reached)).await?;
    version::check(clients).await?;
    let events = ensure(clients, &place.topic, Kind::Events, wishes).await?;
    let of_meta = ensure(clients, &place.meta, Kind::Meta, wishes).await?;
    if of_meta != 1 {
        return Err(LogError::Invalid(format!(
            "topic {} has {of_meta} partitions and must have 1",
            place.meta
        )));
    }
    let looked = Arc::clone(clients);
    // What relays are at matters to their outboxes alone.
    let limit = meta::patience(&place);
    let mut found = blocking(limit, move || meta::load(&looked, Until::Committed)).await?;
    let generation = match found.generation.take() {
        Some(generation) => generation,
        None => {
            let offered = offer(clients, events).await?;
            tracing::info!(
                log.generation = offered.generation,
                kafka.topic = place.topic,
                "the log is new"
            );
            offered
        }
    };
    if generation.partitions != events {
        return Err(LogError::Invalid(format!(
            "topic {} has {events} partitions, and the log was made with {}: its keys would move, or records would be missed. \
             Partitions can't be taken away from a topic; land what it holds, and begin with a new topic and state store",
            place.topic, generation.partitions
        )));
    }
    if wishes.partitions != events {
        tracing::info!(
            kafka.topic = place.topic,
            log.partitions = events,
            "the log keeps the partitions that it has"
        );
    }
    Ok((generation, found))
}

/// Waits until a broker answers; an error that will not pass ends it at once.
fn reach(clients: &Clients) -> Result<(), LogError> {
    let begun = Instant::now();
    loop {
        let answer = clients
            .raw
            .fetch_metadata(Some(&clients.place.topic), ATTEMPT);
        // Lets the client report why.
        let _ = clients.raw.poll(Duration::ZERO);
        let Err(error) = answer else {
            return Ok(());
        };
        let is_final = clients.context.problem().is_some_and(|(code, _)| {
            matches!(
                code,
                RDKafkaErrorCode::Authentication
                    | RDKafkaErrorCode::SaslAuthenticationFailed
                    | RDKafkaErrorCode::UnsupportedSASLMechanism
                    | RDKafkaErrorCode::SSL
                    | RDKafkaErrorCode::Resolve
            )
        });
        if is_final || begun.elapsed() > REACH {
            return Err(clients.explain("open the log", &error));
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Events,
    Meta,
}

/// Makes the topic when it is not there, and gives how many partitions it has.
async fn ensure(
    clients: &Arc<Clients>,
    topic: &str,
    kind: Kind,
    wishes: Wishes,
) -> Result<u32, LogError> {
    let begun = Instant::now();
    let mut is_made = false;
    loop {
        let (asked, name) = (Arc::clone(clients), topic.to_owned());
        match blocking(clients.place.patience(), move || partitions(&asked, &name)).await? {
            Some(count) => {
                if !is_made {
                    // Nothing waits for what can only warn.
                    tokio::spawn(check_settings(Arc::clone(clients), topic.to_owned(), kind));
                }
                return Ok(count);
            }
            None if !wishes.may_create => {
                return Err(LogError::Unavailable(format!(
                    "{} has no topic {topic}, and log.kafka.create is false: make it, or correct log.kafka.topic",
                    clients.place.name()
                )));
            }
            None if !is_made => {
                create(clients, topic, kind, wishes).await?;
                is_made = true;
            }
            None if begun.elapsed() > REACH => {
                return Err(LogError::Unavailable(format!(
                    "{} has made topic {topic}, and its partitions have no leaders",
                    clients.place.name()
                )));
            }
            None => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// How many partitions a topic has, when all have a leader; `None` when it is not there yet.
fn partitions(clients: &Clients, topic: &str) -> Result<Option<u32>, LogError> {
    let fail = |error: KafkaError| clients.explain(&format!("look at topic {topic}"), &error);
    let metadata = clients
        .raw
        .fetch_metadata(Some(topic), clients.place.timeout)
        .map_err(fail)?;
    let Some(found) = metadata.topics().iter().find(|found| found.name() == topic) else {
        return Ok(None);
    };
    match found.error().map(RDKafkaErrorCode::from) {
        None => {}
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::LeaderNotAvailable,
        ) => return Ok(None),
        Some(code) => return Err(fail(KafkaError::MetadataFetch(code))),
    }
    let is_led = |partition: &rdkafka::metadata::MetadataPartition| partition.leader() >= 0;
    if found.partitions().is_empty() || !found.partitions().iter().all(is_led) {
        return Ok(None);
    }
    Ok(u32::try_from(found.partitions().len()).ok())
}

async fn create(
    clients: &Clients,
    topic: &str,
    kind: Kind,
    wishes: Wishes,
) -> Result<(), LogError> {
    let (timeout, fail) = (clients.place.timeout, |error: KafkaError| {
        clients.explain(&format!("make topic {topic}"), &error)
    });
    let options = AdminOptions::new()
        .request_timeout(Some(Timeout::After(timeout)))
        .operation_timeout(Some(Timeout::After(timeout)));
    let admin = clients.admin()?;
    let (client, largest) = (admin.client().map_err(fail)?, MAX_MESSAGE_BYTES.to_string());
    let plain = || new_topic(topic, kind, wishes, &largest);
    // A process whose clock is hours ahead appends all the same. Brokers know this since 3.6.
    let open = plain().set("message.timestamp.after.max.ms", ANY_TIME);
    for (new, is_last) in [(open, false), (plain(), true)] {
        let results = client.create_topics([&new], &options).await.map_err(fail)?;
        match results.into_iter().next() {
            Some(Err((_, RDKafkaErrorCode::InvalidConfig))) if !is_last => {}
            None | Some(Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists))) => break,
            Some(Err((_, code))) => return Err(fail(KafkaError::AdminOp(code))),
        }
    }
    tracing::info!(kafka.topic = topic, "the topic was made");
    Ok(())
}

fn new_topic<'a>(topic: &'a str, kind: Kind, wishes: Wishes, largest: &'a str) -> NewTopic<'a> {
    // -1 is the brokers' own default.
    let replication = match i32::from(wishes.replication) {
        0 => -1,
        copies => copies,
    };
    let count = match kind {
        Kind::Events => i32::try_from(wishes.partitions).unwrap_or(1),
        Kind::Meta => 1,
    };
    let new = NewTopic::new(topic, count, TopicReplication::Fixed(replication));
    match kind {
        // What has not landed must never expire; what has landed is removed by us.
        Kind::Events => new
            .set("cleanup.policy", "delete")
            .set("retention.ms", "-1")
            .set("retention.bytes", "-1")
            .set("message.timestamp.type", "CreateTime")
            .set("max.message.bytes", largest),
        Kind::Meta => new
            .set("cleanup.policy", "compact")
            .set("segment.bytes", META_SEGMENT_BYTES)
            .set("min.cleanable.dirty.ratio", "0.1"),
    }
}

/// Warns when a topic that others have made may lose what has not landed. One that may not be looked at is taken as it is.
async fn check_settings(clients: Arc<Clients>, topic: String, kind: Kind) {
    let Ok(admin) = clients.admin() else {
        return;
    };
    let Ok(client) = admin.client() else {
        return;
    };
    let options = AdminOptions::new().request_timeout(Some(clients.place.timeout));
    let asked = [ResourceSpecifier::Topic(&topic)];
    let described = client.describe_configs(&asked, &options).await;
    let Ok(Some(Ok(settings))) = described.map(|found| found.into_iter().next()) else {
        return;
    };
    let value = |name: &str| {
        settings
            .get(name)
            .and_then(|entry| entry.value.clone())
            .unwrap_or_default()
    };
    let wanted: &[(&str, &str)] = match kind {
        Kind::Events => &[
            ("cleanup.policy", "delete"),
            ("retention.ms", "-1"),
            ("retention.bytes", "-1"),
        ],
        Kind::Meta => &[("cleanup.policy", "compact")],
    };
    for (name, wanted) in wanted {
        let found = value(name);
        if found != *wanted {
            tracing::warn!(
                kafka.topic = topic,
                setting.name = name,
                setting.value = found,
                setting.wanted = wanted,
                "the topic may lose what has not landed; change its setting"
            );
        }
    }
}

/// Offers a generation for a log that has none. Several processes may at once: the first offer in the topic is the log's.
async fn offer(clients: &Arc<Clients>, partitions: u32) -> Result<Generation, LogError> {
    let place = &clients.place;
    let asked = Arc::clone(clients);
    let ends = blocking(place.patience(), move || asked.raw_highs(partitions)).await?;
    let used = ends.iter().any(|end| *end > 0);
    let id = new_id(clients);
    if !used {
        let fail = |error: KafkaError| clients.explain("name the log", &error);
        let producer = produce::start(place, &clients.context, &[])?;
        let (call, answer) = Call::new(1);
        let (key, value) = meta::encode_generation(&id, partitions);
        let message = meta::record(place, &key, &value);
        let deadline = Instant::now() + place.timeout;
        produce::send(&producer, message, call.ticket(0), deadline)
            .await
            .map_err(fail)?;
        for delivered in produce::reports(place, answer).await.map_err(fail)? {
            delivered.map_err(|code| fail(KafkaError::MessageProduction(code)))?;
        }
        drop_later(producer);
    }
    let looked = Arc::clone(clients);
    // Somebody else's offer may be what filled the events' topic.
    let limit = meta::patience(place);
    let found = blocking(limit, move || meta::load(&looked, Until::Settled))
        .await?
        .generation;
    found.ok_or_else(|| {
        LogError::Corrupt(format!(
            "topic {} of {} holds records, and {} does not say which log they are: it was deleted, or the topic belongs to something \
             else. Put {} back, or choose another log.kafka.topic",
            place.topic,
            place.name(),
            place.meta,
            place.meta
        ))
    })
}

fn new_id(clients: &Clients) -> String {
    let clock = &clients.place.clock;
    let millis = u64::try_from(clock.now_micros().div_euclid(1000)).unwrap_or(0);
    let mut random = [0; 10];
    for (byte, drawn) in random.iter_mut().zip(
        clock
            .seed()
            .to_be_bytes()
            .into_iter()
            .chain(clock.seed().to_be_bytes()),
    ) {
        *byte = drawn;
    }
    uuid::Builder::from_unix_timestamp_millis(millis, &random)
        .into_uuid()
        .to_string()
}
