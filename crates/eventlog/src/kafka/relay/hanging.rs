//! Transactions that hang: partitions have them open, and their coordinator, which would have to end them, does not know of them. A broker that has lost the end of
//! what it had acknowledged can leave one, as one does whose disk was full (KIP-664 has more ways). Nobody reads what is committed behind it.

use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseRecord, Producer as _};
use rdkafka::util::Timeout;

use super::super::clients::Clients;
use super::super::meta::{self, Meta, Until};
use super::super::produce::{Call, Producer};
use super::super::reader::Reader;
use crate::log::LogError;

/// Reads how far all outboxes are, for the relay of one of them that has just begun: the coordinator knows of no transaction of its own any more, so one that is
/// open hangs, and is ended as if it had been aborted. Blocks.
pub(super) fn load(
    clients: &Clients,
    reader: &Reader,
    producer: &Producer,
) -> Result<Meta, LogError> {
    let open = open_partitions(clients, reader)?;
    if !open.is_empty() {
        end(clients, producer, &open)?;
    }
    match meta::load(clients, Until::Settled) {
        // What others have begun has ended meanwhile.
        Err(LogError::Unavailable(why)) => {
            tracing::warn!(why, "a transaction seems to hang");
            end(clients, producer, &[])?;
            meta::load(clients, Until::Settled)
        }
        loaded => loaded,
    }
}

/// The partitions of the events that have something that is not committed.
fn open_partitions(clients: &Clients, reader: &Reader) -> Result<Vec<u32>, LogError> {
    let stable = clients.stable_highs(reader.count())?;
    let ends = clients.raw_highs(reader.count())?;
    let is_open = |(number, (stable, end)): (u32, (u64, u64))| (stable < end).then_some(number);
    Ok((0..)
        .zip(stable.into_iter().zip(ends))
        .filter_map(is_open)
        .collect())
}

/// Aborts a transaction with a record in each of these partitions and in the topic beside them. Its producer has the id of the one that left the other
/// transaction there, so the mark that ends the one ends both.
fn end(clients: &Clients, producer: &Producer, partitions: &[u32]) -> Result<(), LogError> {
    let place = &clients.place;
    let fail = |error: KafkaError| clients.explain("end a transaction that hangs", &error);
    let timeout = Timeout::After(place.timeout);
    producer.begin_transaction().map_err(fail)?;
    let events = partitions.iter().map(|number| (&place.topic, *number));
    let (call, answer) = Call::new(partitions.len() + 1);
    for (index, (topic, number)) in events.chain([(&place.meta, meta::PARTITION)]).enumerate() {
        let record = BaseRecord::with_opaque_to(topic, call.ticket(index))
            .partition(i32::try_from(number).unwrap_or(-1))
            .key(&[][..])
            .payload(&[][..]);
        producer.send(record).map_err(|(error, _)| fail(error))?;
    }
    drop(call);
    producer.flush(timeout).map_err(fail)?;
    // All have been reported on, or this one is told that they won't be.
    let delivered = answer
        .blocking_recv()
        .map_err(|_| fail(KafkaError::Canceled))?;
    for report in delivered {
        report.map_err(|code| fail(KafkaError::MessageProduction(code)))?;
    }
    producer.abort_transaction(timeout).map_err(fail)?;
    tracing::warn!(
        kafka.topic = place.topic,
        kafka.partitions = ?partitions,
        "what a transaction has left there that nobody would have ended counts as aborted"
    );
    Ok(())
}
