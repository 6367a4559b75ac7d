//! Moves events from the outbox to the log: acknowledged there before they are forgotten here.
//!
//! A batch that the log took and the outbox did not forget is sent again after a crash; the log knows its position in
//! this outbox and skips it. So an event is on the log exactly once, whatever happens between the three steps.

use std::time::Duration;

use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::{LogError, OutboxBatch, Record};
use gamepipe_service::Shutdown;
use gamepipe_service::failpoint::{self, FailpointError};
use gamepipe_state::{OutboxEntry, StateError};
use serde::Deserialize;

use crate::{Api, ApiError};

/// How many events are moved at once: about 2 MB, one append of the log.
const BATCH_EVENTS: usize = 4096;
/// A batch smaller than this waits a little for company: an append costs a sync of the disk, however small.
const SMALL_BATCH_EVENTS: usize = 512;
/// That wait; a hundredth of the time within which an event should be visible in a table.
const LINGER: Duration = Duration::from_millis(15);
/// The pauses after failures double between these.
const FIRST_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(2);
/// How often a draining relay looks whether the last requests have been answered.
const DRAIN_POLL: Duration = Duration::from_millis(10);

/// How often both stores are asked whether they take anything while there is nothing to move: readiness must tell before
/// every client has found out by itself.
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// The part of the readiness probe that speaks of the log.
pub(crate) const LOG_PART: &str = "event log";
/// The part of the readiness probe that speaks of the state store.
const STATE_PART: &str = "state store";

/// Why a round failed.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Failpoint(#[from] FailpointError),
}

impl RoundError {
    /// True when trying again can't help: what is stored is damaged, or one store is an older copy than the other. Going on
    /// would give numbers of the outbox a second time, and the log would skip events that were acknowledged.
    fn is_final(&self) -> bool {
        matches!(
            self,
            Self::State(StateError::Corrupt(_) | StateError::Invalid(_))
                | Self::Log(LogError::Corrupt(_) | LogError::Invalid(_))
        )
    }

    /// The part of the readiness probe that it is about.
    fn part(&self) -> &'static str {
        match self {
            Self::State(_) => STATE_PART,
            Self::Log(_) | Self::Failpoint(_) => LOG_PART,
        }
    }
}

/// Relays until `shutdown`, then what is left, within the time of a drain. What remains after that is still in the
/// outbox, durable, and is relayed by the next start.
pub(crate) async fn run(api: &Api, shutdown: &Shutdown) -> Result<(), ApiError> {
    let work = relay(api, shutdown);
    let drain_time = Duration::from_millis(api.config.drain_ms);
    let out_of_time = async {
        shutdown.cancelled().await;
        tokio::time::sleep(drain_time).await;
    };
    tokio::select! {
        ended = work => ended,
        () = out_of_time => {
            tracing::warn!(outbox.depth = api.outbox_depth(), "the relay ran out of time to drain; the rest stays in the outbox");
            Ok(())
        }
    }
}

/// Refuses two stores that don't belong together, before anything is promised on top of them.
pub(crate) async fn check_stores(api: &Api) -> Result<(), ApiError> {
    let checked = async {
        // A process that may relay ends what a dead relay has left open; one that only reads has to wait until brokers do.
        api.log.relays(api.state.outbox_id()).await?;
        let marks = api.state.outbox_marks().await?;
        let position = api.log.resume_outbox(api.state.outbox_id(), marks).await?;
        Ok::<_, RoundError>(api.state.trim_outbox(position).await?)
    };
    checked.await.map_err(|error| stop(&error))
}

fn stop(error: &RoundError) -> ApiError {
    match error {
        RoundError::State(StateError::Invalid(_)) | RoundError::Log(LogError::Invalid(_)) => {
            ApiError::Diverged(error.to_string())
        }
        error if error.is_final() => ApiError::Relay(error.to_string()),
        error => ApiError::Unavailable(error.to_string()),
    }
}

async fn relay(api: &Api, shutdown: &Shutdown) -> Result<(), ApiError> {
    // Where the log stands; unknown at first and after each failure.
    let mut position = None;
    let mut pause = FIRST_BACKOFF;
    loop {
        // Asked before the outbox is read: what a request commits after that is read by the next round.
        let was_last = shutdown.is_cancelled() && api.is_idle();
        match round(api, &mut position).await {
            Ok(Round::Watched) => {
                pause = FIRST_BACKOFF;
                ready(api);
                if was_last {
                    return Ok(());
                }
                tokio::select! {
                    () = tokio::time::sleep(CHECK_EVERY) => {}
                    () = shutdown.cancelled(), if !shutdown.is_cancelled() => {}
                }
            }
            Ok(Round::Moved(moved)) => {
                pause = FIRST_BACKOFF;
                ready(api);
                if moved == 0 && was_last {
                    return Ok(());
                }
                rest(api, moved, position.unwrap_or(0), shutdown).await;
            }
            Err(error) => {
                api.metrics.relay_failures.inc();
                api.probes.not_ready(error.part(), error.to_string());
                if error.is_final() {
                    return Err(stop(&error));
                }
                tracing::warn!(%error, retry.pause_ms = pause.as_millis(), "relaying events failed and is tried again");
                position = None;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(MAX_BACKOFF);
            }
        }
    }
}

/// Both stores have just answered.
fn ready(api: &Api) {
    api.probes.ready(STATE_PART);
    if !api.was_log_refused_lately() {
        api.probes.ready(LOG_PART);
    }
}

/// What happens between two rounds: nothing while there is much to move, a pause for company, or a wait for more.
async fn rest(api: &Api, moved: usize, position: u64, shutdown: &Shutdown) {
    if shutdown.is_cancelled() {
        if moved == 0 {
            tokio::time::sleep(DRAIN_POLL).await;
        }
    } else if moved == 0 {
        tokio::select! {
            _ = tokio::time::timeout(CHECK_EVERY, api.state.outbox_changed(position)) => {}
            () = shutdown.cancelled() => {}
        }
    } else if moved < SMALL_BATCH_EVENTS {
        tokio::time::sleep(LINGER).await;
    }
}

/// What a round did.
enum Round {
    /// This process relays: so many events were moved.
    Moved(usize),
    /// Another process relays.
    Watched,
}

/// One batch: read, append, forget.
async fn round(api: &Api, position: &mut Option<u64>) -> Result<Round, RoundError> {
    // Before anything of the log is asked: how much waits matters most when the log is down.
    let marks = api.state.outbox_marks().await?;
    api.note_outbox_depth(marks.depth());
    let outbox_id = api.state.outbox_id();
    if !api.log.relays(outbox_id).await? {
        return watch(api, position).await;
    }
    let after = match *position {
        Some(after) => after,
        None => {
            let after = api.log.resume_outbox(outbox_id, marks).await?;
            api.state.trim_outbox(after).await?;
            // What a process before this one had moved and not forgotten does not wait any more.
            api.note_outbox_depth(api.state.outbox_depth().await?);
            *position.insert(after)
        }
    };
    let entries = api.state.outbox(after, BATCH_EVENTS).await?;
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
        check(api, after).await?;
        return Ok(Round::Moved(0));
    };
    failpoint::hit("relay.read")?;
    let (first, last, moved) = (first.sequence, last.sequence, entries.len());
    note_lag(api, &entries);
    let records = entries
        .into_iter()
        .map(|entry| Record {
            key: entry.key,
            value: entry.value,
            dedupe_id: None,
        })
        .collect();
    api.log
        .append_from_outbox(OutboxBatch {
            outbox_id: outbox_id.to_owned(),
            first,
            records,
        })
        .await?;
    failpoint::hit("relay.appended")?;
    api.state.trim_outbox(last).await?;
    failpoint::hit("relay.trimmed")?;
    *position = Some(last);
    api.metrics.relayed.inc_by(moved as u64);
    api.note_outbox_depth(api.outbox_depth().saturating_sub(moved as u64));
    Ok(Round::Moved(moved))
}

/// What a process does while another one relays: it looks whether both stores answer.
async fn watch(api: &Api, position: &mut Option<u64>) -> Result<Round, RoundError> {
    *position = None;
    // A store that was started anew answers when the one that relays has told it the log's position.
    api.state.load(&[]).await?;
    api.log.offsets().await?;
    Ok(Round::Watched)
}

/// Asks both stores for a change that changes nothing: one that takes no more says so.
async fn check(api: &Api, position: u64) -> Result<(), RoundError> {
    api.state.trim_outbox(position).await?;
    let nothing = OutboxBatch {
        outbox_id: api.state.outbox_id().to_owned(),
        first: position + 1,
        records: Vec::new(),
    };
    Ok(api.log.append_from_outbox(nothing).await?)
}

/// The only field that the relay looks at.
#[derive(Debug, Deserialize)]
struct EventTime {
    event_time: String,
}

fn note_lag(api: &Api, entries: &[OutboxEntry]) {
    let oldest = entries
        .first()
        .and_then(|entry| serde_json::from_slice::<EventTime>(&entry.value).ok())
        .and_then(|event| Timestamp::parse_rfc3339(&event.event_time));
    if let Some(oldest) = oldest {
        let micros = api.now().micros().saturating_sub(oldest.micros()).max(0);
        api.metrics
            .relay_lag
            .set(Duration::from_micros(micros.unsigned_abs()).as_secs_f64());
    }
}
