//! Becoming the relay of an outbox, and ceasing to be it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gamepipe_domain::outbox::OutboxMarks;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;

use super::hanging::{self, Looks};
use super::missing;
use super::step::Steps;
use crate::kafka::clients::{Clients, drop_later};
use crate::kafka::context::Context;
use crate::kafka::loss;
use crate::kafka::meta::{self, Checked, Progress, Until};
use crate::kafka::problem::{explain, is_passing};
use crate::kafka::produce::{self, Producer};
use crate::kafka::reader::Reader;
use crate::log::LogError;

/// The pause between attempts to find the coordinator of a broker that has just started.
const COORDINATOR_PAUSE: Duration = Duration::from_millis(100);

/// The right to append for an outbox.
pub(super) struct Session {
    pub(super) producer: Arc<Producer>,
    pub(super) context: Context,
    pub(super) progress: Progress,
    /// In which turn of the group it was begun.
    pub(super) turn: Option<u64>,
    pub(super) looks: Looks,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Session")
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

/// Becomes the outbox's only relay, and reads how far it is. Blocks.
pub(super) fn begin(
    clients: &Clients,
    reader: &Reader,
    outbox_id: &str,
    turn: Option<u64>,
    marks: Option<OutboxMarks>,
) -> Result<Session, LogError> {
    let place = &clients.place;
    let context = Context::default();
    let id = format!("{}.relay.{outbox_id}", place.topic);
    let transaction = meta::longest_transaction(place).as_millis().to_string();
    let socket = place.timeout.as_millis().to_string();
    let producer = produce::start(
        place,
        &context,
        &[
            ("transactional.id", &id),
            ("transaction.timeout.ms", &transaction),
            ("socket.timeout.ms", &socket),
            // A batch comes at once; there is nothing to wait for.
            ("linger.ms", "0"),
        ],
    )?;
    let doing = format!("become the relay of outbox {outbox_id}");
    let deadline = Instant::now() + place.timeout;
    while let Err(error) = producer.init_transactions(Timeout::After(place.timeout)) {
        let may_pass = match &error {
            KafkaError::Transaction(error) => error.is_retriable(),
            error => is_passing(error),
        };
        if !may_pass || Instant::now() >= deadline {
            return Err(explain(place, &context, &doing, &error));
        }
        std::thread::sleep(COORDINATOR_PAUSE);
    }
    let steps = Steps {
        clients,
        producer: &producer,
        outbox_id,
    };
    let counted = hanging::end(&steps, reader.count(), marks)?;
    let mut loaded = meta::load(clients, Until::Settled)?;
    let mut progress = loaded.outboxes.remove(outbox_id).unwrap_or_default();
    let counted = marks.map_or(counted, |marks| counted.max(marks.trimmed));
    loss::check_reached(clients, reader, &progress.reached)?;
    missing::put_again(&steps, reader.count(), &mut progress, counted)?;
    loss::check_mark(clients, reader, progress.mark)?;
    let checked = Checked {
        position: progress.position,
        ends: clients.raw_highs(reader.count())?,
    };
    tracing::info!(
        outbox.id = outbox_id,
        outbox.position = progress.position,
        "this process relays the outbox"
    );
    Ok(Session {
        producer: Arc::new(producer),
        context,
        progress,
        turn,
        looks: Looks::begun(checked),
    })
}

/// Lets a session go. Its open transaction ends with the next one's begin.
pub(super) fn end(session: Session) {
    // Dropping a producer waits for its thread, and that one waits by the wall clock.
    drop_later(session);
}
