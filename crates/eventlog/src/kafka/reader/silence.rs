//! Reads to which nothing came in time.

use std::sync::atomic::Ordering;

use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::Reader;
use super::partition::{Partition, Slot};
use crate::log::LogError;

/// One such read may be chance: brokers answer again that have just stood still. After so many in a row it is looked into.
const LOOKED_INTO: u32 = 2;

/// How a read ended to which nothing came.
pub(super) struct Silence {
    /// The offset up to which something was to come.
    pub(super) due: u64,
    /// What went wrong meanwhile, if anything did.
    pub(super) trouble: Option<KafkaError>,
}

impl Reader {
    /// What is made of it that nothing came to a read in time: nothing, when there is nothing; otherwise the read fails. A client that is silent about what
    /// brokers say is there is replaced: one that hangs would read nothing any more until the process ends.
    pub(super) fn hear_nothing(
        &self,
        number: u32,
        partition: &Partition,
        slot: &mut Slot,
        silence: Silence,
    ) -> Result<(), LogError> {
        slot.silences += 1;
        let error = self.silence_error(number, slot, silence);
        if slot.silences < LOOKED_INTO {
            return Err(error);
        }
        // When the brokers answer nobody there is nothing to learn.
        let highs = self.highs().ok();
        let Some(&high) = highs.as_ref().and_then(|highs| highs.get(number as usize)) else {
            return Err(error);
        };
        if high > slot.cursor.at {
            self.replace_client(number, slot);
            return Err(error);
        }
        self.check_offsets(number, slot.cursor.at)?;
        // Not more is there; what was beyond it has been lost.
        partition.stable.store(high, Ordering::Release);
        slot.cursor.has_ended = true;
        slot.silences = 0;
        Ok(())
    }

    fn silence_error(&self, number: u32, slot: &Slot, silence: Silence) -> LogError {
        let Silence { due, trouble } = silence;
        let error = trouble.unwrap_or(KafkaError::MessageConsumption(
            RDKafkaErrorCode::OperationTimedOut,
        ));
        let (at, ended) = (slot.cursor.at, slot.cursor.has_ended);
        let doing = format!(
            "read partition {number} (at offset {at} of {due}{})",
            if ended { ", where it ended" } else { "" }
        );
        self.clients.explain(&doing, &error)
    }

    fn replace_client(&self, number: u32, slot: &Slot) {
        let Some(fetched) = &slot.fetched else {
            return;
        };
        match self.clients.reading.replace(&fetched.client) {
            Ok(true) => tracing::warn!(
                log.partition = number,
                log.offset = slot.cursor.at,
                "Kafka's client reads nothing where there is something, and is replaced"
            ),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "Kafka's client is not replaced"),
        }
    }
}
