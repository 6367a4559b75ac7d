//! Removing what has landed: Kafka itself must never expire anything, for it does not know what has landed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rdkafka::admin::AdminOptions;
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::blocking::blocking;
use super::clients::Clients;
use super::reader::Reader;
use crate::log::LogError;

/// How often records are removed at most, in milliseconds: Kafka removes whole segments later anyway.
const EVERY_MS: i64 = 60_000;

/// Removes what has landed, now and then.
#[derive(Debug)]
pub(super) struct Retention {
    clients: Arc<Clients>,
    reader: Arc<Reader>,
    last_ms: AtomicI64,
    is_running: AtomicBool,
}

impl Retention {
    /// One that has not removed anything yet.
    pub(super) fn new(clients: Arc<Clients>, reader: Arc<Reader>) -> Self {
        Self {
            clients,
            reader,
            last_ms: AtomicI64::new(i64::MIN),
            is_running: AtomicBool::new(false),
        }
    }

    /// Begins to remove what may go, if it is time, and does not wait for it.
    pub(super) fn run(self: &Arc<Self>, landed: Vec<u64>) {
        let now = self.clients.place.now_ms();
        let passed = now.saturating_sub(self.last_ms.load(Ordering::Acquire));
        // A clock that was set back says nothing of how long ago it was.
        let is_early = (0..EVERY_MS).contains(&passed);
        if is_early || self.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        self.last_ms.store(now, Ordering::Release);
        let this = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = this.remove(landed).await {
                tracing::warn!(%error, "records that have landed were not removed; that is tried again");
            }
            this.is_running.store(false, Ordering::Release);
        });
    }

    async fn remove(&self, landed: Vec<u64>) -> Result<(), LogError> {
        let place = &self.clients.place;
        let fail = |error: KafkaError| {
            self.clients
                .explain("remove records that have landed", &error)
        };
        let (clients, reader) = (Arc::clone(&self.clients), Arc::clone(&self.reader));
        let bounds = blocking(place.patience(), move || bounds(&clients, &reader, &landed)).await?;
        let mut list = TopicPartitionList::new();
        for (partition, bound) in (0..).zip(&bounds) {
            if let Some(bound) = bound {
                let offset = Offset::Offset(i64::try_from(*bound).unwrap_or(0));
                list.add_partition_offset(&place.topic, partition, offset)
                    .map_err(fail)?;
            }
        }
        if list.count() == 0 {
            return Ok(());
        }
        let admin = self.clients.admin()?;
        let options = AdminOptions::new().request_timeout(Some(place.timeout));
        let removing = admin
            .client()
            .map_err(fail)?
            .delete_records(&list, &options);
        let removed = tokio::time::timeout(place.patience(), removing).await;
        let removed = removed.unwrap_or(Err(KafkaError::Canceled)).map_err(fail)?;
        for element in removed.elements() {
            element.error().map_err(fail)?;
        }
        tracing::debug!(log.bounds = ?bounds, "records that have landed were removed");
        Ok(())
    }
}

/// Below which offset of each partition all may go; `None` where nothing does.
fn bounds(
    clients: &Clients,
    reader: &Reader,
    landed: &[u64],
) -> Result<Vec<Option<u64>>, LogError> {
    let place = &clients.place;
    let offsets = reader.offsets()?;
    let seconds = i64::try_from(place.retention_seconds).unwrap_or(i64::MAX / 1000);
    let since = place.now_ms().saturating_sub(seconds.saturating_mul(1000));
    let young = clients.first_since(reader.count(), since)?;
    // Kafka does not say how large a record is, nor a partition; what was read of them does.
    let usual = reader.usual_bytes().unwrap_or(0).max(1);
    let held: u64 = offsets
        .iter()
        .map(|known| known.high.saturating_sub(known.low))
        .sum();
    let surplus = held.saturating_sub(place.retention_bytes / usual);
    let mut bounds = Vec::with_capacity(offsets.len());
    for ((known, landed), young) in offsets.iter().zip(landed).zip(young) {
        let of_age = young.unwrap_or(*landed);
        // Each partition gives its part, so that the oldest go everywhere.
        let span = u128::from(known.high.saturating_sub(known.low));
        let part = u128::from(surplus) * span / u128::from(held.max(1));
        let of_size = known.low + u64::try_from(part).unwrap_or(0);
        let bound = of_age.max(of_size).min(*landed);
        bounds.push((bound > known.low).then_some(bound));
    }
    Ok(bounds)
}
