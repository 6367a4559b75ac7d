//! The consumers that every log has, and the questions that they ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rdkafka::admin::AdminClient;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::alarm::Alarm;
use super::bootstrap;
use super::context::Context;
use super::place::Place;
use super::problem::explain;
use super::reading::ReadingClient;
use crate::log::LogError;

/// A consumer of ours.
pub(super) type Consume = BaseConsumer<Context>;

/// A client for rare requests.
pub(super) struct Admin(Option<AdminClient<Context>>);

impl Admin {
    /// The client.
    pub(super) fn client(&self) -> KafkaResult<&AdminClient<Context>> {
        self.0.as_ref().ok_or(KafkaError::Canceled)
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        drop_later(self.0.take());
    }
}

/// Drops a client on a thread of its own: its threads look ten times a second whether they should end, and nobody has to
/// wait for that.
pub(super) fn drop_later<T: Send + 'static>(client: T) {
    if let Err(error) = std::thread::Builder::new().spawn(move || drop(client)) {
        tracing::debug!(%error, "a client was not dropped in the background");
    }
}

/// Drops a client that others use still, when they are done with it: none of them has to wait for its threads.
pub(super) fn drop_when_unused<T: Send + Sync + 'static>(client: Arc<T>) {
    let waiting = std::thread::Builder::new().spawn(move || {
        while Arc::strong_count(&client) > 1 {
            std::thread::sleep(POLL);
        }
    });
    if let Err(error) = waiting {
        tracing::debug!(%error, "a client was not dropped in the background");
    }
}

/// How often reports are looked for: what a drop of the log waits for it.
const POLL: Duration = Duration::from_millis(100);

/// How long a look who leads may take.
const LOOK: Duration = Duration::from_secs(1);

/// After the wall clock was set back, clients are woken for this long and this often: each of their threads waits a second at
/// most, as it believes, and not all are met at a time.
const WAKING: Duration = Duration::from_secs(60);
const WAKE_EVERY: Duration = Duration::from_secs(1);

/// The clients that only look.
pub(super) struct Clients {
    pub(super) place: Arc<Place>,
    pub(super) context: Context,
    /// Reads what is committed.
    pub(super) reading: ReadingClient,
    /// Answers what is committed, and tells the landing group what has landed where nobody is in it.
    pub(super) committed: Consume,
    /// Answers what is there, committed or not.
    pub(super) raw: Consume,
    ends: AtomicBool,
}

impl std::fmt::Debug for Clients {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Clients")
            .field("topic", &self.place.topic)
            .finish_non_exhaustive()
    }
}

impl Clients {
    /// A client that makes topics and removes records.
    pub(super) fn admin(&self) -> Result<Admin, LogError> {
        let made = self
            .place
            .client()
            .create_with_context(self.context.beside());
        let made = made.map_err(|error| self.explain("make a client", &error))?;
        Ok(Admin(Some(made)))
    }

    /// Makes them; nothing is asked yet. `partitions` is how many share the memory for reading ahead.
    pub(super) fn new(place: Arc<Place>, partitions: u32) -> Result<Self, LogError> {
        let context = Context::default();
        let fail = |error: KafkaError| explain(&place, &context, "make a consumer", &error);
        let reading = ReadingClient::new(&place, &context, partitions).map_err(fail)?;
        let ask = |config: ClientConfig| config.create_with_context(context.beside()).map_err(fail);
        let committed: Consume = ask(place.consumer())?;
        let mut uncommitted = place.client();
        uncommitted.set("isolation.level", "read_uncommitted");
        let raw: Consume = ask(uncommitted)?;
        Ok(Self {
            place,
            context,
            reading,
            committed,
            raw,
            ends: AtomicBool::new(false),
        })
    }

    /// A consumer that reads these partitions from these offsets on. Blocks.
    pub(super) fn consume(
        &self,
        config: &ClientConfig,
        start: &TopicPartitionList,
    ) -> KafkaResult<Consume> {
        let place = &self.place;
        let consumer: Consume = config.create_with_context(self.context.beside())?;
        // A consumer that is given a partition of a topic that it does not know yet looks for it a second later.
        for topic in [&place.topic, &place.meta] {
            consumer.fetch_metadata(Some(topic), place.timeout)?;
        }
        consumer.assign(start)?;
        Ok(consumer)
    }

    /// [`ReadingClient::prepare`].
    pub(super) fn prepare(&self) -> Result<(), LogError> {
        let found = self.reading.prepare();
        found.map_err(|error| self.explain("open the log", &error))
    }

    /// Serves what the clients report, until [`Clients::end`].
    pub(super) fn serve(&self, mut at_times: impl FnMut()) {
        let mut alarm = Alarm::new(&self.place.clock);
        let (mut set_back, mut woken) = (None, Instant::now());
        while !self.ends.load(Ordering::Acquire) {
            let reading = self.reading.client();
            for client in [&*reading, &self.committed, &self.raw] {
                // Records come through queues of their own; here there are reports only, which the context takes.
                let _ = client.poll(Duration::ZERO);
                bootstrap::find_again(client.client(), client.context(), &self.place);
            }
            at_times();
            if alarm.rings() {
                set_back = Some(Instant::now());
            }
            let wakes = set_back.is_some_and(|since: Instant| since.elapsed() < WAKING);
            if wakes && woken.elapsed() >= WAKE_EVERY {
                self.wake();
                woken = Instant::now();
            }
            // Not in a poll: it would wait for as long as the wall clock is set back.
            std::thread::sleep(POLL);
        }
    }

    /// Has the clients' threads look at what there is to do.
    fn wake(&self) {
        let reading = self.reading.client();
        let _ = reading.assignment();
        for client in [&*reading, &self.committed, &self.raw] {
            // Nobody waits for the answer.
            let _ = client.fetch_metadata(Some(&self.place.topic), Duration::ZERO);
        }
    }

    /// Ends [`Clients::serve`] soon.
    pub(super) fn end(&self) {
        self.ends.store(true, Ordering::Release);
    }

    /// The offset behind the last committed record of each partition.
    pub(super) fn stable_highs(&self, partitions: u32) -> Result<Vec<u64>, LogError> {
        self.ask(&self.committed, Offset::End, partitions)
    }

    /// The offset behind the last record of each partition, committed or not.
    pub(super) fn raw_highs(&self, partitions: u32) -> Result<Vec<u64>, LogError> {
        self.ask(&self.raw, Offset::End, partitions)
    }

    /// The lowest offset of each partition.
    pub(super) fn lows(&self, partitions: u32) -> Result<Vec<u64>, LogError> {
        self.ask(&self.committed, Offset::Beginning, partitions)
    }

    /// For each partition the offset of the first record of that time or later; `None` where there is none.
    pub(super) fn first_since(
        &self,
        partitions: u32,
        time_ms: i64,
    ) -> Result<Vec<Option<u64>>, LogError> {
        self.list(&self.committed, Offset::Offset(time_ms.max(0)), partitions)
            .map_err(|error| self.explain("look up times in the log", &error))
    }

    fn ask(&self, consumer: &Consume, what: Offset, partitions: u32) -> Result<Vec<u64>, LogError> {
        let found = self
            .list(consumer, what, partitions)
            .map_err(|error| self.explain("read the log's offsets", &error))?;
        Ok(found.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// What [`Self::try_list`] gives; it is tried once more where leaders have moved.
    fn list(
        &self,
        consumer: &Consume,
        what: Offset,
        partitions: u32,
    ) -> KafkaResult<Vec<Option<u64>>> {
        self.asking_leaders(consumer, &self.place.topic, || {
            self.try_list(consumer, what, partitions)
        })
    }

    /// Asks something of a topic's leaders. Who only asks goes on believing in the leaders that there were for a minute and a
    /// half: after a failure the client has to be told to look who leads now.
    pub(super) fn asking_leaders<T>(
        &self,
        consumer: &Consume,
        topic: &str,
        ask: impl Fn() -> KafkaResult<T>,
    ) -> KafkaResult<T> {
        let asked = ask();
        let Err(error) = &asked else {
            return asked;
        };
        let has_looked = consumer.fetch_metadata(Some(topic), LOOK).is_ok();
        // Other failures have taken their time.
        let has_moved = matches!(
            error.rdkafka_error_code(),
            Some(
                RDKafkaErrorCode::LeaderNotAvailable
                    | RDKafkaErrorCode::NotLeaderForPartition
                    | RDKafkaErrorCode::FencedLeaderEpoch
                    | RDKafkaErrorCode::UnknownLeaderEpoch
                    | RDKafkaErrorCode::DestroyBroker
            )
        );
        if has_looked && has_moved {
            return ask();
        }
        asked
    }

    /// One request for all partitions of a broker: the names of the ends are times, too.
    fn try_list(
        &self,
        consumer: &Consume,
        what: Offset,
        partitions: u32,
    ) -> KafkaResult<Vec<Option<u64>>> {
        let mut asked = TopicPartitionList::new();
        for partition in 0..i32::try_from(partitions).unwrap_or(0) {
            asked.add_partition_offset(&self.place.topic, partition, what)?;
        }
        let answer = consumer.offsets_for_times(asked, self.place.timeout)?;
        let mut found = vec![None; partitions as usize];
        for element in answer.elements() {
            element.error()?;
            let place = usize::try_from(element.partition()).ok();
            if let Some(place) = place.and_then(|partition| found.get_mut(partition))
                && let Offset::Offset(offset) = element.offset()
            {
                *place = u64::try_from(offset).ok();
            }
        }
        Ok(found)
    }

    /// What an error means.
    pub(super) fn explain(&self, doing: &str, error: &KafkaError) -> LogError {
        explain(&self.place, &self.context, doing, error)
    }
}
