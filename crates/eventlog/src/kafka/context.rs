//! What librdkafka says of its own accord: its log, which goes to ours in moderation, and errors, which are kept until
//! somebody asks why something failed.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};

use super::bootstrap::knows_none;

/// A client that can't reach its brokers says so at every attempt, several times a second; we pass on one line in this time.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// An error that is older than this does not explain a failure now.
const FRESH: Duration = Duration::from_secs(15);

thread_local! {
    /// The offset of the end of a partition that this thread was told of last.
    static END: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The offset that came with the last `PartitionEOF` which this thread polled. The crate gives the partition only; the
/// text of the error, which the client sees first, has the offset.
pub(super) fn take_end() -> Option<u64> {
    END.take()
}

fn end_in(reason: &str) -> Option<u64> {
    let (_, rest) = reason.split_once(" at offset ")?;
    rest.split(' ').next()?.parse().ok()
}

/// The context of all our clients.
#[derive(Debug, Clone, Default)]
pub(super) struct Context {
    inner: Arc<Mutex<Inner>>,
    /// The client has said that it knows no broker.
    lost: Arc<AtomicBool>,
}

#[derive(Debug, Default)]
struct Inner {
    logged: Option<Instant>,
    problem: Option<(Instant, RDKafkaErrorCode, String)>,
}

impl Context {
    /// The context of another client, which explains with this one what goes wrong.
    pub(super) fn beside(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            lost: Arc::default(),
        }
    }

    /// True once after the client has said that it knows no broker.
    pub(super) fn take_lost(&self) -> bool {
        self.lost.swap(false, Ordering::AcqRel)
    }

    /// What went wrong a moment ago, if anything did: the most telling of it.
    pub(super) fn problem(&self) -> Option<(RDKafkaErrorCode, String)> {
        let inner = self.lock();
        let (at, code, reason) = inner.problem.as_ref()?;
        (at.elapsed() < FRESH).then(|| (*code, reason.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, code: RDKafkaErrorCode, reason: &str) {
        let mut inner = self.lock();
        // "All brokers are down" follows the reason why; it tells less.
        let is_newer = inner
            .problem
            .as_ref()
            .is_none_or(|(at, before, _)| weight(code) >= weight(*before) || at.elapsed() > FRESH);
        if is_newer {
            inner.problem = Some((Instant::now(), code, reason.to_owned()));
        }
    }

    fn may_log(&self) -> bool {
        let mut inner = self.lock();
        let may = inner.logged.is_none_or(|at| at.elapsed() > LOG_EVERY);
        if may {
            inner.logged = Some(Instant::now());
        }
        may
    }
}

/// How much an error says about what is to be changed.
fn weight(code: RDKafkaErrorCode) -> u8 {
    match code {
        RDKafkaErrorCode::Authentication
        | RDKafkaErrorCode::SaslAuthenticationFailed
        | RDKafkaErrorCode::UnsupportedSASLMechanism
        | RDKafkaErrorCode::SSL => 3,
        RDKafkaErrorCode::Resolve => 2,
        RDKafkaErrorCode::AllBrokersDown => 0,
        _ => 1,
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        let is_problem = (level as i32) <= (RDKafkaLogLevel::Warning as i32);
        if is_problem && self.may_log() {
            tracing::warn!(kafka.facility = facility, "{message}");
        } else {
            tracing::debug!(kafka.facility = facility, "{message}");
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match knows_none(statistics) {
            Some(is_lost) => self.lost.store(is_lost, Ordering::Release),
            None => tracing::debug!("Kafka's client tells nothing of its brokers"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::PartitionEOF) => END.set(end_in(reason)),
            Some(code) => {
                self.note(code, reason);
                tracing::debug!(%error, reason, "Kafka's client reports an error");
            }
            None => tracing::debug!(%error, reason, "Kafka's client reports an error"),
        }
    }
}

impl ConsumerContext for Context {}

#[cfg(test)]
mod tests {
    use super::end_in;

    #[test]
    fn the_offset_of_an_end_is_found_in_its_text() {
        let text =
            "Fetch from broker 1 reached end of partition at offset 4711 (HighwaterMark 4711)";
        assert_eq!(end_in(text), Some(4711));
        assert_eq!(end_in("Fetch from broker 1 failed"), None);
    }
}
