//! Appending telemetry: one idempotent producer for the process.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;

use super::bootstrap;
use super::clients::{Clients, drop_later, drop_when_unused};
use super::context::Context;
use super::headers::headers_of;
use super::problem::explain;
use super::produce::{self, Call, NO_REPORT, Outgoing, Producer, check_size};
use super::reader::Reader;
use crate::log::{Appended, LogError, Position, Record, partition_of};

/// How long a record waits for company, in milliseconds. A request of its own for each would cost the broker more than all else.
const LINGER_MS: &str = "2";

/// How long a log that is dropped waits for what is under way.
const FLUSH: Duration = Duration::from_secs(2);

/// Appends records.
pub(super) struct Appender {
    clients: Arc<Clients>,
    reader: Arc<Reader>,
    source: String,
    context: Context,
    /// Made when it is needed first: processes that only read have none.
    producer: Mutex<Option<Arc<Producer>>>,
}

impl Appender {
    /// One without a producer yet; `source` is what the events' headers name.
    pub(super) fn new(clients: Arc<Clients>, reader: Arc<Reader>, source: String) -> Self {
        Self {
            clients,
            reader,
            source,
            context: Context::default(),
            producer: Mutex::default(),
        }
    }

    /// [`crate::EventLog::append`].
    pub(super) async fn append(&self, records: Vec<Record>) -> Result<Vec<Appended>, LogError> {
        for record in &records {
            check_size(&record.key, &record.value)?;
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let producer = self.producer()?;
        let outcome = self.send(&producer, &records).await;
        outcome.map_err(|error| {
            self.replace_if_dead(&producer, &error);
            explain(&self.clients.place, &self.context, "append events", &error)
        })
    }

    async fn send(
        &self,
        producer: &Producer,
        records: &[Record],
    ) -> Result<Vec<Appended>, KafkaError> {
        let place = &self.clients.place;
        let deadline = Instant::now() + place.timeout;
        let time_ms = place.now_ms();
        let (call, answer) = Call::new(records.len());
        for (index, record) in records.iter().enumerate() {
            let message = Outgoing {
                topic: &place.topic,
                partition: partition_of(&record.key, self.reader.count()),
                key: record.key.as_bytes(),
                value: &record.value,
                headers: headers_of(&record.value, &self.source),
                time_ms,
            };
            produce::send(producer, message, call.ticket(index), deadline).await?;
        }
        drop(call);
        let delivered = produce::reports(place, answer).await?;
        let mut appended = Vec::with_capacity(records.len());
        for (record, offset) in records.iter().zip(delivered) {
            let partition = partition_of(&record.key, self.reader.count());
            let offset = offset.map_err(KafkaError::MessageProduction)?;
            self.reader.note_written(partition, offset);
            appended.push(Appended::At(Position { partition, offset }));
        }
        self.reader.wake();
        Ok(appended)
    }

    fn producer(&self) -> Result<Arc<Producer>, LogError> {
        let mut slot = self.lock();
        if let Some(producer) = &*slot {
            bootstrap::find_again(producer.client(), &self.context, &self.clients.place);
            return Ok(Arc::clone(producer));
        }
        let settings = [("linger.ms", LINGER_MS)];
        let made = produce::start(&self.clients.place, &self.context, &settings)?;
        Ok(Arc::clone(slot.insert(Arc::new(made))))
    }

    /// A producer that has lost track of what the brokers have, or says nothing more, can't be used any more; the next append
    /// makes another.
    fn replace_if_dead(&self, producer: &Arc<Producer>, error: &KafkaError) {
        let is_silent = error.rdkafka_error_code() == Some(NO_REPORT);
        let (code, reason) = match producer.client().fatal_error() {
            Some(fatal) => fatal,
            None if is_silent => (NO_REPORT, "it reports nothing".to_owned()),
            None => return,
        };
        let mut slot = self.lock();
        if slot
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, producer))
        {
            tracing::warn!(kafka.code = %code, reason, "the producer is replaced");
            if let Some(dead) = slot.take() {
                drop_when_unused(dead);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Producer>>> {
        self.producer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits a little for what is under way.
    pub(super) fn close(&self) {
        let Some(producer) = self.lock().take() else {
            return;
        };
        if let Err(error) = producer.flush(Timeout::After(FLUSH)) {
            tracing::warn!(%error, "events that were not acknowledged are given up");
        }
        drop_later(producer);
    }
}
