//! The log in Kafka, for processes that share one: a topic of events, and a compacted one beside it for the log's generation
//! and the relay's position.
//!
//! Events of an outbox and its position are one transaction of Kafka; readers see what is committed. Kafka is told to let
//! nothing expire: what has landed is removed by [`EventLog::release`]. `docs/decisions/0033-kafka.md` has the layout and
//! how a topic that is not what it was is noticed.

mod alarm;
mod append;
mod blocking;
mod bootstrap;
mod clients;
mod context;
mod headers;
mod loss;
mod member;
mod meta;
mod open;
mod place;
mod polling;
mod problem;
mod produce;
mod reader;
mod reading;
mod relay;
mod retention;
mod version;

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use gamepipe_config::log::LogConfig;
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_service::clock::SharedClock;
use rdkafka::consumer::{CommitMode, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use self::append::Appender;
use self::blocking::blocking;
use self::clients::Clients;
use self::member::Member;
use self::open::Wishes;
use self::place::Place;
use self::reader::Reader;
use self::relay::Relay;
use self::retention::Retention;
use crate::log::{Appended, EventLog, LogError, OutboxBatch, PartitionOffsets, ReadBatch, Record};
use crate::share::Membership;

/// How often the ends are asked for by one who waits for records of partitions that nobody reads here: their brokers tell
/// only readers.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How long brokers may take to show what they have committed. They do in milliseconds, unless another relay's transaction is
/// open before it.
const OWN_WAIT: Duration = Duration::from_secs(1);

/// How often that is looked at.
const OWN_PAUSE: Duration = Duration::from_millis(3);

/// The event log in Kafka. Dropping it waits for what is under way, leaves its groups and ends its threads.
pub struct KafkaLog {
    generation: String,
    appender: Appender,
    relay: Relay,
    retention: Arc<Retention>,
    reader: Arc<Reader>,
    clients: Arc<Clients>,
    member: Mutex<Weak<Member>>,
    server: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for KafkaLog {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("KafkaLog")
            .field("topic", &self.clients.place.topic)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

impl KafkaLog {
    /// Opens the log in the brokers of `config.kafka`, making its topics with `config.partitions` when they are not there and
    /// may be made. `default_topic` is the topic when the settings name none. Takes 10 s at most to find the brokers. Must be
    /// called within a tokio runtime.
    ///
    /// # Errors
    /// [`LogError::Invalid`] for settings that can't be right, and for a topic with another number of partitions than the
    /// log was made with; [`LogError::Unavailable`] when the brokers can't be used: the text names the reason and what to
    /// change; [`LogError::Corrupt`] when the topic is not the one that it was.
    pub async fn open(
        config: &LogConfig,
        default_topic: &str,
        clock: SharedClock,
    ) -> Result<Arc<Self>, LogError> {
        let place = Arc::new(Place::new(config, default_topic, clock)?);
        let clients = Arc::new(Clients::new(Arc::clone(&place), config.partitions)?);
        let wishes = Wishes {
            partitions: config.partitions,
            replication: config.kafka.replication_factor,
            may_create: config.kafka.create,
        };
        let (generation, found) = open::open(&clients, wishes).await?;
        let reader = Arc::new(Reader::new(Arc::clone(&clients), generation.partitions));
        let server = serve(&clients, &reader)?;
        let source = format!("/gamepipe/{}", place.topic);
        let log = Self {
            generation: generation.generation,
            appender: Appender::new(Arc::clone(&clients), Arc::clone(&reader), source.clone()),
            relay: Relay::new(Arc::clone(&clients), Arc::clone(&reader), source),
            retention: Arc::new(Retention::new(Arc::clone(&clients), Arc::clone(&reader))),
            reader: Arc::clone(&reader),
            clients: Arc::clone(&clients),
            member: Mutex::default(),
            server: Some(server),
        };
        blocking(meta::patience(&place), move || {
            clients.prepare()?;
            for progress in found.outboxes.values() {
                loss::check(&clients, &reader, progress)?;
            }
            Ok(())
        })
        .await?;
        Ok(Arc::new(log))
    }

    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Reader) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let reader = Arc::clone(&self.reader);
        blocking(self.clients.place.patience(), move || question(&reader)).await
    }

    /// Tells the landing group, for tools that show how far it is behind.
    fn commit(&self, landed: &[u64]) -> Result<(), KafkaError> {
        let mut list = TopicPartitionList::new();
        for (partition, offset) in (0..).zip(landed) {
            let offset = Offset::Offset(i64::try_from(*offset).unwrap_or(i64::MAX));
            list.add_partition_offset(&self.clients.place.topic, partition, offset)?;
        }
        let member = self
            .member
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .upgrade();
        match member {
            // Only members may speak for a group that has any. One that joins anew can't for a moment; the next release tells all.
            Some(member) => member.commit(&list),
            None => self.clients.committed.commit(&list, CommitMode::Async),
        }
    }
}

fn serve(clients: &Arc<Clients>, reader: &Arc<Reader>) -> Result<JoinHandle<()>, LogError> {
    let (clients, reader) = (Arc::clone(clients), Arc::clone(reader));
    std::thread::Builder::new()
        .name("kafka-serve".to_owned())
        .spawn(move || clients.serve(|| reader.tidy()))
        .map_err(|error| LogError::Unavailable(format!("can't start a thread: {error}")))
}

impl Drop for KafkaLog {
    fn drop(&mut self) {
        self.clients.end();
        if let Some(server) = self.server.take() {
            // A thread that panicked serves no more.
            let _ = server.join();
        }
        self.reader.close();
        self.appender.close();
    }
}

#[async_trait]
impl EventLog for KafkaLog {
    fn partitions(&self) -> u32 {
        self.reader.count()
    }

    fn generation(&self) -> &str {
        &self.generation
    }

    async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        self.appender.append(records).await
    }

    async fn append_from_outbox(&self, batch: OutboxBatch) -> Result<(), LogError> {
        self.relay.append(batch).await
    }

    async fn outbox_position(&self, outbox_id: &str) -> Result<u64, LogError> {
        self.relay.position(outbox_id, None).await
    }

    async fn resume_outbox(&self, outbox_id: &str, marks: OutboxMarks) -> Result<u64, LogError> {
        self.relay.position(outbox_id, Some(marks)).await
    }

    async fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        self.ask(move |reader| reader.read(partition, from, max_bytes))
            .await
    }

    async fn offsets(&self) -> Result<Vec<PartitionOffsets>, LogError> {
        let begun = Instant::now();
        loop {
            let offsets = self.ask(Reader::offsets).await?;
            if self.reader.shows_own(&offsets) || begun.elapsed() > OWN_WAIT {
                return Ok(offsets);
            }
            tokio::time::sleep(OWN_PAUSE).await;
        }
    }

    async fn changed(&self, seen: &[u64]) {
        let mut news = self.reader.news();
        loop {
            news.mark_unchanged();
            if let Ok(highs) = self.ask(Reader::highs).await
                && highs.iter().zip(seen).any(|(high, seen)| high > seen)
            {
                return;
            }
            // The sender lives as long as the reader; without news, looking is what is left.
            let _ = tokio::time::timeout(LOOK_EVERY, news.changed()).await;
        }
    }

    async fn release(&self, landed: &[u64]) -> Result<(), LogError> {
        if landed.len() != self.reader.count() as usize {
            return Err(LogError::Invalid(format!(
                "{} offsets for {} partitions",
                landed.len(),
                self.reader.count()
            )));
        }
        let beyond = |highs: &[u64]| {
            let mut pairs = (0..).zip(landed.iter().zip(highs));
            pairs.find_map(|(partition, (landed, high))| {
                (landed > high).then_some((partition, *landed, *high))
            })
        };
        if beyond(&self.reader.stable()).is_some() {
            let highs = self.ask(Reader::highs).await?;
            if let Some((partition, landed, high)) = beyond(&highs) {
                let partition: u32 = partition;
                return Err(LogError::Invalid(format!(
                    "offset {landed} of partition {partition} can't have landed: the log ends at {high}"
                )));
            }
        }
        if let Err(error) = self.commit(landed) {
            tracing::debug!(%error, "the landing group was not told what has landed");
        }
        self.retention.run(landed.to_vec());
        Ok(())
    }

    fn remembers_ids(&self) -> bool {
        false
    }

    async fn relays(&self, outbox_id: &str) -> Result<bool, LogError> {
        self.relay.relays(outbox_id)
    }

    async fn join(&self) -> Result<Arc<dyn Membership>, LogError> {
        let place = &self.clients.place;
        let member = Arc::new(Member::join(place, &place.group, &place.topic)?);
        *self.member.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&member);
        Ok(member)
    }
}
