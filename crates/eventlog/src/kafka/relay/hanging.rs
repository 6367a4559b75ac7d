//! Transactions that hang: partitions have them open, and their coordinator, which would have to end them, does not know of them any more. Brokers that have lost
//! the end of what they had acknowledged leave them (KIP-664 has more ways). Nobody reads what is committed behind one.
//!
//! The outbox's next relay has the same producer id, so a transaction of its own in the same partitions ends them with its own. Whether it commits or aborts there
//! is told by the outbox: what it has forgotten was committed, and what it holds is sent again.

use std::time::{Duration, Instant};

use gamepipe_domain::outbox::OutboxMarks;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;

use super::open_spots::{self, Open, Spot};
use crate::kafka::clients::Clients;
use crate::kafka::headers::empty_entry;
use crate::kafka::meta::{self, Progress, Until};
use crate::kafka::produce::{Call, Outgoing, Producer, record};
use crate::log::LogError;

/// How often a relay looks whether something hangs. What is open at two looks is of no transaction of its own: between two of them it has none.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// How what is open ends.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// The position that is committed, where one is open.
    position: Option<u64>,
    /// Partitions whose open entries are committed.
    commit: Vec<u32>,
    /// Partitions whose open entries are taken off.
    abort: Vec<u32>,
}

/// Entries that the settled position counts, or that the outbox has forgotten, were committed. It holds the others, and they are sent again. A position above all
/// numbers that the outbox gave is of a store that has lost its end: it stays, so that the store learns of that as it always does.
fn judge(open: &Open, settled: u64, marks: OutboxMarks) -> Verdict {
    let committed = settled.max(marks.trimmed);
    let position = open.position.map(|position| {
        if position > marks.last {
            position.max(committed)
        } else {
            committed
        }
    });
    let counted = position.unwrap_or(committed);
    let of = |is_counted: bool| {
        let entries = open.events.iter();
        let those = entries.filter(move |(_, number)| (*number <= counted) == is_counted);
        those.map(|(partition, _)| *partition).collect()
    };
    Verdict {
        position,
        commit: of(true),
        abort: of(false),
    }
}

/// For a relay that has just begun: its coordinator knows of no transaction of its own any more, so one that is open hangs, and is ended. Without the outbox's
/// marks nobody can tell how, and it is an error. Blocks.
pub(super) fn end(
    clients: &Clients,
    partitions: u32,
    producer: &Producer,
    outbox_id: &str,
    marks: Option<OutboxMarks>,
) -> Result<(), LogError> {
    let open = open_now(clients, partitions, outbox_id)?;
    if open.is_empty() {
        return Ok(());
    }
    let Some(marks) = marks else {
        return Err(hangs(clients, outbox_id));
    };
    let until = match open.position {
        Some(_) => Until::Committed,
        None => Until::Settled,
    };
    let mut loaded = meta::load(clients, until)?;
    let settled = loaded.outboxes.remove(outbox_id).unwrap_or_default();
    let verdict = judge(&open, settled.position, marks);
    tracing::warn!(
        outbox.id = outbox_id,
        outbox.position = settled.position,
        outbox.trimmed = marks.trimmed,
        outbox.last = marks.last,
        ?open,
        ?verdict,
        "a transaction hangs that brokers have forgotten, and is ended: have they lost the end of their logs?"
    );
    let fail = |error: KafkaError| clients.explain("end a transaction that hangs", &error);
    let ending = Ending {
        clients,
        producer,
        outbox_id,
    };
    if verdict.position.is_some() || !verdict.commit.is_empty() {
        let progress = verdict.position.map(|position| Progress {
            position,
            ..settled
        });
        ending
            .write(&verdict.commit, progress.as_ref())
            .and_then(|timeout| producer.commit_transaction(timeout))
            .map_err(fail)?;
    }
    if !verdict.abort.is_empty() {
        ending
            .write(&verdict.abort, None)
            .and_then(|timeout| producer.abort_transaction(timeout))
            .map_err(fail)?;
    }
    Ok(())
}

fn open_now(clients: &Clients, partitions: u32, outbox_id: &str) -> Result<Open, LogError> {
    let spots = open_spots::find(clients, partitions)?;
    open_spots::of_outbox(clients, &spots, outbox_id)
}

/// An error when something of the outbox is open, for a relay that has no transaction of its own. Blocks.
pub(super) fn check(clients: &Clients, partitions: u32, outbox_id: &str) -> Result<(), LogError> {
    if open_now(clients, partitions, outbox_id)?.is_empty() {
        return Ok(());
    }
    Err(hangs(clients, outbox_id))
}

/// A transaction that ends another one of its producer.
struct Ending<'a> {
    clients: &'a Clients,
    producer: &'a Producer,
    outbox_id: &'a str,
}

impl Ending<'_> {
    /// Begins it, with a record that is no event in each of these partitions, and a position. Gives how long its end may take.
    fn write(
        &self,
        partitions: &[u32],
        progress: Option<&Progress>,
    ) -> Result<Timeout, KafkaError> {
        let place = &self.clients.place;
        let timeout = Timeout::After(place.timeout);
        let time_ms = place.now_ms();
        self.producer.begin_transaction()?;
        let (call, answer) = Call::new(partitions.len() + usize::from(progress.is_some()));
        let send = |message: Outgoing<'_>, index: usize| {
            let sent = self.producer.send(record(message, call.ticket(index)));
            sent.map_err(|(error, _)| error)
        };
        for (index, partition) in partitions.iter().enumerate() {
            let (value, headers) = empty_entry(self.outbox_id);
            let message = Outgoing {
                topic: &place.topic,
                partition: *partition,
                key: &[],
                value,
                headers: Some(headers),
                time_ms,
            };
            send(message, index)?;
        }
        if let Some(progress) = progress {
            let (key, value) = meta::encode_progress(self.outbox_id, progress);
            send(meta::record(place, &key, &value), partitions.len())?;
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
}

/// What a relay at work has seen open.
#[derive(Debug, Default)]
pub(super) struct Looks {
    last: Option<Instant>,
    open: Vec<Spot>,
}

impl Looks {
    /// True when it is time for a look.
    pub(super) fn is_due(&self) -> bool {
        self.last.is_none_or(|last| last.elapsed() >= LOOK_EVERY)
    }

    /// Looks, while the relay has no transaction of its own; an error when one has been open since the last look. Blocks.
    pub(super) fn look(
        self,
        clients: &Clients,
        partitions: u32,
        outbox_id: &str,
    ) -> Result<Self, LogError> {
        let mut open = open_spots::find(clients, partitions)?;
        let still: Vec<_> = self
            .open
            .iter()
            .copied()
            .filter(|spot| open.contains(spot))
            .collect();
        if !open_spots::of_outbox(clients, &still, outbox_id)?.is_empty() {
            return Err(hangs(clients, outbox_id));
        }
        // They are others'.
        open.retain(|spot| !still.contains(spot));
        Ok(Self {
            last: Some(Instant::now()),
            open,
        })
    }
}

fn hangs(clients: &Clients, outbox_id: &str) -> LogError {
    LogError::Unavailable(format!(
        "a transaction of outbox {outbox_id} hangs in topic {}: a broker has lost the end of its log. The relay ends it when it begins anew",
        clients.place.topic
    ))
}

#[cfg(test)]
mod tests {
    use super::{Open, OutboxMarks, Verdict, judge};

    fn open(events: &[(u32, u64)], position: Option<u64>) -> Open {
        Open {
            events: events.to_vec(),
            position,
        }
    }

    fn verdict(position: Option<u64>, commit: &[u32], abort: &[u32]) -> Verdict {
        Verdict {
            position,
            commit: commit.to_vec(),
            abort: abort.to_vec(),
        }
    }

    fn marks(trimmed: u64, last: u64) -> OutboxMarks {
        OutboxMarks { last, trimmed }
    }

    #[test]
    fn what_the_outbox_holds_is_taken_off() {
        let open = open(&[(0, 11), (2, 13)], Some(20));
        let found = judge(&open, 10, marks(10, 20));
        assert_eq!(found, verdict(Some(10), &[], &[0, 2]));
    }

    #[test]
    fn what_the_outbox_has_forgotten_is_committed() {
        let open = open(&[(0, 11), (2, 21)], Some(20));
        let found = judge(&open, 10, marks(20, 30));
        assert_eq!(found, verdict(Some(20), &[0], &[2]));
    }

    #[test]
    fn what_a_settled_position_counts_is_committed_whatever_the_outbox_holds() {
        let found = judge(&open(&[(1, 15), (3, 21)], None), 20, marks(10, 30));
        assert_eq!(found, verdict(None, &[1], &[3]));
    }

    #[test]
    fn a_store_that_has_lost_its_end_learns_of_it() {
        let found = judge(&open(&[(0, 11)], Some(20)), 10, marks(10, 15));
        assert_eq!(found, verdict(Some(20), &[0], &[]));
    }
}
