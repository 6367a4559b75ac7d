//! A transaction that a relay writes in one go while its session begins.

use gamepipe_service::failpoint;
use rdkafka::error::KafkaError;
use rdkafka::message::OwnedHeaders;
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;

use crate::kafka::clients::Clients;
use crate::kafka::headers::empty_entry;
use crate::kafka::meta::{self, Progress};
use crate::kafka::produce::{Call, Outgoing, Producer, record};
use crate::log::LogError;

/// A record of the events' topic.
#[derive(Debug)]
pub(super) struct Put {
    pub(super) partition: u32,
    pub(super) key: Vec<u8>,
    pub(super) value: Vec<u8>,
    pub(super) headers: OwnedHeaders,
}

impl Put {
    /// One that is no event, for a relay that has to have a record in that partition.
    fn empty(partition: u32, outbox_id: &str) -> Self {
        let (value, headers) = empty_entry(outbox_id);
        Self {
            partition,
            key: Vec::new(),
            value: value.to_vec(),
            headers,
        }
    }

    /// About how much memory it takes, in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.key.len() + self.value.len()
    }
}

/// Who writes such transactions.
pub(super) struct Steps<'a> {
    pub(super) clients: &'a Clients,
    pub(super) producer: &'a Producer,
    pub(super) outbox_id: &'a str,
}

impl Steps<'_> {
    /// Commits these records, and a position. Blocks.
    pub(super) fn commit(
        &self,
        puts: &[&Put],
        progress: Option<&Progress>,
    ) -> Result<(), LogError> {
        let timeout = self.write(puts, progress)?;
        let done = self.producer.commit_transaction(timeout);
        done.map_err(|error| self.fail(&error))
    }

    /// Commits what the producer has open in these partitions, and a position. Blocks.
    pub(super) fn commit_open(
        &self,
        partitions: &[u32],
        progress: Option<&Progress>,
    ) -> Result<(), LogError> {
        let puts = self.empties(partitions);
        self.commit(&puts.iter().collect::<Vec<_>>(), progress)
    }

    /// Aborts what the producer has open in these partitions. Blocks.
    pub(super) fn abort_open(&self, partitions: &[u32]) -> Result<(), LogError> {
        let puts = self.empties(partitions);
        let timeout = self.write(&puts.iter().collect::<Vec<_>>(), None)?;
        let done = self.producer.abort_transaction(timeout);
        done.map_err(|error| self.fail(&error))
    }

    fn empties(&self, partitions: &[u32]) -> Vec<Put> {
        let partitions = partitions.iter();
        partitions
            .map(|partition| Put::empty(*partition, self.outbox_id))
            .collect()
    }

    /// Begins a transaction, and waits until all of it is acknowledged. Gives how long its end may take.
    fn write(&self, puts: &[&Put], progress: Option<&Progress>) -> Result<Timeout, LogError> {
        let timeout = self
            .send(puts, progress)
            .map_err(|error| self.fail(&error))?;
        failpoint::hit("kafka.relay.settling")
            .map_err(|error| LogError::Unavailable(error.to_string()))?;
        Ok(timeout)
    }

    fn send(&self, puts: &[&Put], progress: Option<&Progress>) -> Result<Timeout, KafkaError> {
        let place = &self.clients.place;
        let timeout = Timeout::After(place.timeout);
        let time_ms = place.now_ms();
        self.producer.begin_transaction()?;
        let (call, answer) = Call::new(puts.len() + usize::from(progress.is_some()));
        let send = |message: Outgoing<'_>, index: usize| {
            let sent = self.producer.send(record(message, call.ticket(index)));
            sent.map_err(|(error, _)| error)
        };
        for (index, put) in puts.iter().enumerate() {
            let message = Outgoing {
                topic: &place.topic,
                partition: put.partition,
                key: &put.key,
                value: &put.value,
                headers: Some(put.headers.clone()),
                time_ms,
            };
            send(message, index)?;
        }
        if let Some(progress) = progress {
            let (key, value) = meta::encode_progress(self.outbox_id, progress);
            send(meta::record(place, &key, &value), puts.len())?;
        }
        self.producer.flush(timeout)?;
        // Its tickets are in the reports, or gone with them.
        drop(call);
        let delivered = answer.blocking_recv();
        for report in delivered.map_err(|_| KafkaError::Canceled)? {
            report.map_err(KafkaError::MessageProduction)?;
        }
        Ok(timeout)
    }

    fn fail(&self, error: &KafkaError) -> LogError {
        let doing = format!("settle outbox {}", self.outbox_id);
        self.clients.explain(&doing, error)
    }
}
