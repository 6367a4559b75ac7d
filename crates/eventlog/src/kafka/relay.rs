//! Moves events of an outbox into the topic: a batch and the outbox's position in one transaction of Kafka.
//!
//! The transactional id belongs to the outbox, so beginning a session ends what any process before has begun with it, and
//! none of them can commit any more. Whatever a session can't account for ends it; the next one reads what is committed.

mod found;
mod hanging;
mod missing;
mod open_spots;
mod session;
mod stands;
mod step;
mod wanted;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_service::failpoint;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;
use rdkafka::util::Timeout;

use self::session::{Session, begin, end};
use self::stands::Stands;
use super::blocking::blocking;
use super::clients::Clients;
use super::headers::{headers_of_entry, with_mark};
use super::loss;
use super::meta::{self, Mark, Progress, Until, crc_of, encode_progress};
use super::problem::{explain, is_fenced};
use super::produce::{self, Call, Outgoing, Producer, check_size};
use super::reader::Reader;
use crate::log::{LogError, OutboxBatch, partition_of};

/// The longest id of an outbox: it is a part of a group's name.
const MAX_ID_BYTES: usize = 100;

/// How many outboxes a process may relay: one, but for tests.
const MAX_SESSIONS: usize = 16;

/// The relays of a process.
#[derive(Debug)]
pub(super) struct Relay {
    clients: Arc<Clients>,
    reader: Arc<Reader>,
    source: String,
    sessions: tokio::sync::Mutex<HashMap<String, Session>>,
    stands: Stands,
}

impl Drop for Relay {
    fn drop(&mut self) {
        for (_, session) in self.sessions.get_mut().drain() {
            end(session);
        }
    }
}

/// Why a batch was not taken.
enum Failure {
    /// The caller's mistake: nothing was begun.
    Refused(LogError),
    /// The session can't go on.
    Broken { error: LogError, is_fenced: bool },
}

fn broken(error: LogError) -> Failure {
    Failure::Broken {
        error,
        is_fenced: false,
    }
}

impl Relay {
    /// A relay that has not begun yet; `source` is what the events' headers name.
    pub(super) fn new(clients: Arc<Clients>, reader: Arc<Reader>, source: String) -> Self {
        Self {
            clients,
            reader,
            source,
            sessions: tokio::sync::Mutex::default(),
            stands: Stands::default(),
        }
    }

    /// True while this process is the one that relays the outbox; stands for it from the first call on.
    pub(super) fn relays(&self, outbox_id: &str) -> Result<bool, LogError> {
        check_id(outbox_id)?;
        self.stands.relays(&self.clients.place, outbox_id)
    }

    /// [`crate::EventLog::append_from_outbox`].
    pub(super) async fn append(&self, batch: OutboxBatch) -> Result<(), LogError> {
        check_id(&batch.outbox_id)?;
        for record in &batch.records {
            check_size(&record.key, &record.value)?;
        }
        let mut sessions = self.sessions.lock().await;
        let mut session = self.session(&mut sessions, &batch.outbox_id, None).await?;
        // It is out of the map until all is well: a caller that goes away in between leaves none behind.
        match self.take(&mut session, &batch).await {
            Ok(()) => {
                sessions.insert(batch.outbox_id, session);
                Ok(())
            }
            Err(Failure::Refused(error)) => {
                sessions.insert(batch.outbox_id, session);
                Err(error)
            }
            Err(Failure::Broken { error, is_fenced }) => {
                if is_fenced {
                    self.stands.note_fence(&batch.outbox_id, session.turn);
                }
                end(session);
                Err(error)
            }
        }
    }

    /// [`crate::EventLog::outbox_position`]; with the outbox's marks [`crate::EventLog::resume_outbox`].
    pub(super) async fn position(
        &self,
        outbox_id: &str,
        marks: Option<OutboxMarks>,
    ) -> Result<u64, LogError> {
        check_id(outbox_id)?;
        let mut sessions = self.sessions.lock().await;
        let is_ours = self
            .stands
            .is_chosen(outbox_id)
            .unwrap_or_else(|| marks.is_some() || sessions.contains_key(outbox_id));
        if is_ours {
            let session = self.session(&mut sessions, outbox_id, marks).await?;
            let position = session.progress.position;
            sessions.insert(outbox_id.to_owned(), session);
            return Ok(position);
        }
        drop(sessions);
        let clients = Arc::clone(&self.clients);
        let limit = meta::patience(&clients.place);
        let mut loaded = blocking(limit, move || meta::load(&clients, Until::Settled)).await?;
        Ok(loaded
            .outboxes
            .remove(outbox_id)
            .unwrap_or_default()
            .position)
    }

    /// The outbox's session, taken out of the map; begun when there is none.
    async fn session(
        &self,
        sessions: &mut HashMap<String, Session>,
        outbox_id: &str,
        marks: Option<OutboxMarks>,
    ) -> Result<Session, LogError> {
        let turn = self.stands.turn(&self.clients.place, outbox_id)?;
        match sessions.remove(outbox_id) {
            Some(session) if session.turn == turn => return Ok(session),
            // Another process may have been the relay in between.
            Some(session) => end(session),
            None => {}
        }
        if sessions.len() >= MAX_SESSIONS {
            return Err(LogError::Invalid(format!(
                "a process relays {MAX_SESSIONS} outboxes at most"
            )));
        }
        let (clients, reader) = (Arc::clone(&self.clients), Arc::clone(&self.reader));
        let outbox_id = outbox_id.to_owned();
        let limit = meta::patience(&clients.place);
        blocking(limit, move || {
            begin(&clients, &reader, &outbox_id, turn, marks)
        })
        .await
    }

    /// Looks now and then whether a transaction of the outbox hangs, which a new session ends.
    async fn look(&self, session: &mut Session, outbox_id: &str) -> Result<(), Failure> {
        let position = session.progress.position;
        if !session.looks.is_due(position) {
            return Ok(());
        }
        let (looks, clients) = (
            std::mem::take(&mut session.looks),
            Arc::clone(&self.clients),
        );
        let (limit, partitions) = (self.clients.place.patience(), self.reader.count());
        let outbox_id = outbox_id.to_owned();
        let looked = blocking(limit, move || {
            looks.look(&clients, partitions, &outbox_id, position)
        })
        .await;
        let (looks, checked) = looked.map_err(broken)?;
        session.looks = looks;
        if checked.is_some() {
            session.progress.checked = checked;
        }
        Ok(())
    }

    async fn take(&self, session: &mut Session, batch: &OutboxBatch) -> Result<(), Failure> {
        self.look(session, &batch.outbox_id).await?;
        let position = session.progress.position;
        let (outbox_id, first) = (&batch.outbox_id, batch.first);
        if first == 0 || first > position.saturating_add(1) {
            return Err(self.gap(outbox_id, first, position).await);
        }
        let skip = usize::try_from(position + 1 - first).unwrap_or(usize::MAX);
        match batch.records.get(skip..) {
            Some(new) if !new.is_empty() => self.transact(session, outbox_id, new).await,
            _ => {
                let (clients, reader) = (Arc::clone(&self.clients), Arc::clone(&self.reader));
                let outbox_id = outbox_id.clone();
                // The ends show both: that the brokers answer, and that they have what they had.
                blocking(clients.place.patience(), move || {
                    let checked = loss::check_reached(&clients, &reader, &reader.written());
                    // What is missing may be a transaction's end.
                    checked.or_else(|lost| {
                        hanging::check(&clients, reader.count(), &outbox_id).and(Err(lost))
                    })
                })
                .await
                .map_err(broken)
            }
        }
    }

    /// Why entries are missing between the position that a session knows and the first one that is sent.
    async fn gap(&self, outbox_id: &str, first: u64, position: u64) -> Failure {
        let place = &self.clients.place;
        let clients = Arc::clone(&self.clients);
        let now = match blocking(meta::patience(place), move || {
            meta::load(&clients, Until::Settled)
        })
        .await
        {
            Ok(loaded) => loaded.outboxes.get(outbox_id).map_or(0, |at| at.position),
            Err(error) => return Failure::Refused(error),
        };
        if now > position {
            // It was another process that moved them, and this one has not met its fence yet.
            let topic = &place.topic;
            return Failure::Broken {
                error: LogError::Unavailable(format!(
                    "another process relays outbox {outbox_id} into topic {topic}"
                )),
                is_fenced: true,
            };
        }
        Failure::Refused(LogError::Invalid(format!(
            "outbox {outbox_id} sends entries from {first} on, but the log has it up to {position} only"
        )))
    }

    /// One transaction.
    async fn transact(
        &self,
        session: &mut Session,
        outbox_id: &str,
        records: &[crate::Record],
    ) -> Result<(), Failure> {
        let place = &self.clients.place;
        let context = session.context.clone();
        let doing = format!("append events of outbox {outbox_id}");
        let producer = Arc::clone(&session.producer);
        let fenced = Arc::clone(&producer);
        let fail = |error: KafkaError| {
            // A producer that is fenced throws away what it holds; why is what it says of itself.
            let fatal = fenced.client().fatal_error();
            let error = fatal.map_or(error, |(code, _)| KafkaError::MessageProduction(code));
            Failure::Broken {
                is_fenced: error.rdkafka_error_code().is_some_and(is_fenced),
                error: explain(place, &context, &doing, &error),
            }
        };
        let stop =
            |error: failpoint::FailpointError| broken(LogError::Unavailable(error.to_string()));
        producer.begin_transaction().map_err(fail)?;
        failpoint::hit("kafka.relay.begun").map_err(stop)?;
        let mut next = Progress {
            position: session.progress.position + records.len() as u64,
            reached: reached(&session.progress, self.reader.written()),
            mark: session.progress.mark,
            checked: session.progress.checked.clone(),
        };
        let delivered = self
            .send(&producer, outbox_id, records, &next)
            .await
            .map_err(fail)?;
        failpoint::hit("kafka.relay.acknowledged").map_err(stop)?;
        // With all reports in, the commit has nothing to wait for: it would wait in steps of 100 ms.
        let timeout = Timeout::After(place.timeout);
        let committing = tokio::task::spawn_blocking(move || producer.commit_transaction(timeout));
        // By a clock that only runs on: see `blocking`.
        match tokio::time::timeout(place.patience(), committing).await {
            Ok(done) => done.unwrap_or(Err(KafkaError::Canceled)),
            Err(_) => Err(KafkaError::Canceled),
        }
        .map_err(fail)?;
        failpoint::hit("kafka.relay.committed").map_err(stop)?;
        for (record, offset) in records.iter().zip(delivered) {
            let partition = partition_of(&record.key, self.reader.count());
            self.reader.note_committed(partition, offset);
            next.mark = Some(Mark {
                partition,
                offset,
                crc: 0,
            });
        }
        if let (Some(mark), Some(last)) = (&mut next.mark, records.last()) {
            mark.crc = crc_of(last.key.as_bytes(), &last.value);
        }
        session.progress = next;
        self.reader.wake();
        Ok(())
    }

    /// Sends the events and the position, and waits until all are acknowledged; the events' offsets.
    async fn send(
        &self,
        producer: &Producer,
        outbox_id: &str,
        records: &[crate::Record],
        progress: &Progress,
    ) -> Result<Vec<u64>, KafkaError> {
        let place = &self.clients.place;
        let deadline = Instant::now() + place.timeout;
        let (call, answer) = Call::new(records.len() + 1);
        let first = progress.position + 1 - records.len() as u64;
        for ((number, index), record) in (first..).zip(0..).zip(records) {
            let value = with_mark(&record.value);
            let message = Outgoing {
                topic: &place.topic,
                partition: partition_of(&record.key, self.reader.count()),
                key: record.key.as_bytes(),
                value: &value,
                headers: Some(headers_of_entry(
                    &record.value,
                    &self.source,
                    outbox_id,
                    number,
                )),
                time_ms: place.now_ms(),
            };
            produce::send(producer, message, call.ticket(index), deadline).await?;
        }
        let (key, value) = encode_progress(outbox_id, progress);
        let message = meta::record(place, &key, &value);
        produce::send(producer, message, call.ticket(records.len()), deadline).await?;
        drop(call);
        let mut offsets = Vec::with_capacity(records.len() + 1);
        for delivered in produce::reports(place, answer).await? {
            offsets.push(delivered.map_err(KafkaError::MessageProduction)?);
        }
        Ok(offsets)
    }
}

/// What the partitions have reached, of which a process that has just begun knows less than the one before it.
fn reached(before: &Progress, mut known: Vec<u64>) -> Vec<u64> {
    for (known, before) in known.iter_mut().zip(&before.reached) {
        *known = (*known).max(*before);
    }
    known
}

fn check_id(id: &str) -> Result<(), LogError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if id.is_empty() || id.len() > MAX_ID_BYTES || !id.bytes().all(is_plain) {
        let start: String = id.chars().take(40).collect();
        return Err(LogError::Invalid(format!(
            "an outbox's id must have 1 to {MAX_ID_BYTES} letters, digits, dots, dashes and underscores: {start:?}"
        )));
    }
    Ok(())
}
