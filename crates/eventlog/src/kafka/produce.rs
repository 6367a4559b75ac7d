//! Sending records and waiting for what became of them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{DeliveryResult, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use tokio::sync::oneshot;

use super::context::Context;
use super::place::Place;
use super::problem::explain;
use crate::log::LogError;

/// The largest record, key and value together: as in the embedded log.
pub(super) const MAX_RECORD_BYTES: usize = 8 << 20;

/// What Kafka counts besides: headers and framing.
pub(super) const MAX_MESSAGE_BYTES: usize = MAX_RECORD_BYTES + (64 << 10);

/// How much a producer holds in its queue and on the way, in kilobytes: a tenth of a second at full speed, and some large records.
const QUEUE_KILOBYTES: usize = 64 << 10;

/// The same as a number of records.
const QUEUE_RECORDS: usize = 200_000;

/// How long a full queue is left alone before the next attempt.
const FULL_QUEUE_PAUSE: Duration = Duration::from_millis(2);

/// A report comes when a message's time is over, a little later.
const REPORT_GRACE: Duration = Duration::from_secs(2);

/// There was none even then: the producer's threads wait by the wall clock, and that was set back. It is of no use any more.
pub(super) const NO_REPORT: RDKafkaErrorCode = RDKafkaErrorCode::TimedOutQueue;

/// A producer whose reports are taken by a thread of its own.
pub(super) type Producer = ThreadedProducer<Reports>;

/// What a batch's record is, or why it is not there.
pub(super) type Delivered = Result<u64, RDKafkaErrorCode>;

/// A producer that is made with `more` settings besides those that all have.
pub(super) fn start(
    place: &Place,
    context: &Context,
    more: &[(&str, &str)],
) -> Result<Producer, LogError> {
    let mut config = place.client();
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("compression.codec", "lz4")
        .set("message.timeout.ms", place.timeout.as_millis().to_string())
        .set("message.max.bytes", MAX_MESSAGE_BYTES.to_string())
        .set("queue.buffering.max.kbytes", QUEUE_KILOBYTES.to_string())
        .set("queue.buffering.max.messages", QUEUE_RECORDS.to_string());
    for (name, value) in more {
        config.set(*name, *value);
    }
    ThreadedProducer::from_config_and_context(&config, Reports(context.clone()))
        .map_err(|error| explain(place, context, "make a producer", &error))
}

/// Takes delivery reports to their calls.
#[derive(Debug)]
pub(super) struct Reports(Context);

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.log(level, facility, message);
    }

    fn stats_raw(&self, statistics: &[u8]) {
        self.0.stats_raw(statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, result: &DeliveryResult<'_>, ticket: Self::DeliveryOpaque) {
        let delivered = match result {
            Ok(message) => u64::try_from(message.offset()).map_err(|_| RDKafkaErrorCode::Unknown),
            Err((error, _)) => Err(error
                .rdkafka_error_code()
                .unwrap_or(RDKafkaErrorCode::Unknown)),
        };
        ticket.call.note(ticket.index, delivered);
    }
}

/// The records of one call, and where they are.
#[derive(Debug)]
pub(super) struct Call {
    state: Mutex<CallState>,
}

#[derive(Debug)]
struct CallState {
    left: usize,
    delivered: Vec<Delivered>,
    done: Option<oneshot::Sender<Vec<Delivered>>>,
}

/// Which record of which call.
#[derive(Debug)]
pub(super) struct Ticket {
    call: Arc<Call>,
    index: usize,
}

/// A call's answer, to be waited for.
pub(super) type Answer = oneshot::Receiver<Vec<Delivered>>;

impl Call {
    /// A call of so many records.
    pub(super) fn new(records: usize) -> (Arc<Self>, Answer) {
        let (done, answer) = oneshot::channel();
        let state = CallState {
            left: records,
            delivered: vec![Err(RDKafkaErrorCode::Unknown); records],
            done: Some(done),
        };
        let call = Self {
            state: Mutex::new(state),
        };
        (Arc::new(call), answer)
    }

    /// The ticket of a record.
    pub(super) fn ticket(self: &Arc<Self>, index: usize) -> Box<Ticket> {
        Box::new(Ticket {
            call: Arc::clone(self),
            index,
        })
    }

    fn note(&self, index: usize, delivered: Delivered) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = state.delivered.get_mut(index) {
            *place = delivered;
        }
        state.left = state.left.saturating_sub(1);
        if state.left == 0
            && let Some(done) = state.done.take()
        {
            // A caller that is gone wants no answer.
            let _ = done.send(std::mem::take(&mut state.delivered));
        }
    }
}

/// One message to send.
#[derive(Debug)]
pub(super) struct Outgoing<'a> {
    pub(super) topic: &'a str,
    pub(super) partition: u32,
    pub(super) key: &'a [u8],
    pub(super) value: &'a [u8],
    pub(super) headers: Option<OwnedHeaders>,
    pub(super) time_ms: i64,
}

/// The same for the producer.
pub(super) fn record(
    message: Outgoing<'_>,
    ticket: Box<Ticket>,
) -> BaseRecord<'_, [u8], [u8], Box<Ticket>> {
    let mut record = BaseRecord::with_opaque_to(message.topic, ticket)
        .partition(i32::try_from(message.partition).unwrap_or(-1))
        .key(message.key)
        .payload(message.value)
        .timestamp(message.time_ms);
    record.headers = message.headers;
    record
}

/// Puts a message into the producer's queue; waits for room until `deadline`.
pub(super) async fn send(
    producer: &Producer,
    message: Outgoing<'_>,
    ticket: Box<Ticket>,
    deadline: Instant,
) -> Result<(), KafkaError> {
    let mut record = record(message, ticket);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((error, again)) => {
                let is_full = error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull);
                if !is_full || Instant::now() > deadline {
                    return Err(error);
                }
                record = again;
            }
        }
        tokio::time::sleep(FULL_QUEUE_PAUSE).await;
    }
}

/// Waits for the reports of a call.
pub(super) async fn reports(place: &Place, answer: Answer) -> Result<Vec<Delivered>, KafkaError> {
    let timed_out = KafkaError::MessageProduction(NO_REPORT);
    match tokio::time::timeout(place.timeout + REPORT_GRACE, answer).await {
        Ok(Ok(delivered)) => Ok(delivered),
        Ok(Err(_)) => Err(KafkaError::Canceled),
        Err(_) => Err(timed_out),
    }
}

/// Refuses a record that no topic of ours takes.
pub(super) fn check_size(key: &str, value: &[u8]) -> Result<(), LogError> {
    let bytes = key.len() + value.len();
    if bytes > MAX_RECORD_BYTES {
        return Err(LogError::Invalid(format!(
            "a record of {bytes} bytes is above the limit of {MAX_RECORD_BYTES}"
        )));
    }
    Ok(())
}
