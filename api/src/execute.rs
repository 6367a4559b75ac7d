//! One action, from a request to a durable decision: load a snapshot, decide, commit; again when the race is lost.

use std::time::Duration;

use bytes::Bytes;
use gamepipe_domain::definition::game::{Action, Params};
use gamepipe_domain::entity::{EntityId, Snapshot};
use gamepipe_domain::event::encode_event;
use gamepipe_domain::request::{RequestContext, hostname};
use gamepipe_domain::rules::{self, ActionRequest, Decision, Outcome};
use gamepipe_domain::time::Timestamp;
use gamepipe_state::{Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord};

use crate::Api;
use crate::answer::{Answer, Surface};
use crate::idempotency;
use crate::metrics::ActionOutcome;
use crate::problem::{Problem, codes};

/// The first pause after a lost race. Inside this process requests line up (see [`crate::hot_keys`]), so a race is lost
/// to another process, whose commit takes about this long.
const FIRST_BACKOFF: Duration = Duration::from_millis(1);
/// The longest pause: longer ones would only let others win.
const MAX_BACKOFF: Duration = Duration::from_millis(20);

/// An action that has been asked for.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) action: &'a Action,
    pub(crate) params: &'a Params,
    pub(crate) context: &'a RequestContext,
    pub(crate) surface: Surface,
    pub(crate) idempotency: Option<IdempotencyKey>,
}

/// Decides and commits `call`, or answers it from its idempotency record. The answer is durable.
pub(crate) async fn execute(api: &Api, call: &Call<'_>) -> Result<Answer, Problem> {
    api.refuse_when_outbox_is_full()?;
    let Some(key) = &call.idempotency else {
        return decide_until_committed(api, call, None).await;
    };
    let fingerprint = fingerprint(api, call);
    let _claim = api.in_flight_keys.claim(key)?;
    if let Some(record) = api.state.idempotency_record(key, api.now()).await? {
        return replayed(api, record, &fingerprint);
    }
    decide_until_committed(api, call, Some((key, &fingerprint))).await
}

/// What makes two requests the same: the surface, the parameters, and the host where the action's rules read it.
fn fingerprint(api: &Api, call: &Call<'_>) -> String {
    let params = call.params.fingerprint();
    let host = call
        .context
        .host
        .as_deref()
        .filter(|_| api.reads_context(call.action.name()))
        .map(hostname);
    match host {
        Some(host) => format!("{}:{params}:{host}", call.surface.name()),
        None => format!("{}:{params}", call.surface.name()),
    }
}

fn replayed(api: &Api, record: IdempotencyRecord, fingerprint: &str) -> Result<Answer, Problem> {
    let answer = idempotency::replay(record, fingerprint)?;
    api.metrics.action(ActionOutcome::Replayed);
    Ok(answer)
}

async fn decide_until_committed(
    api: &Api,
    call: &Call<'_>,
    idempotency: Option<(&IdempotencyKey, &str)>,
) -> Result<Answer, Problem> {
    // One seed for all attempts: what was not committed has not happened, so nothing is drawn twice.
    let seed = api.clock.seed();
    for attempt in 0..api.config.max_attempts {
        if let Some(answer) = attempt_once(api, call, seed, idempotency).await? {
            return Ok(answer);
        }
        api.metrics.conflicts.inc();
        tokio::time::sleep(backoff(attempt, api.clock.seed())).await;
    }
    Err(Problem::new(
        codes::CONTENDED,
        format!(
            "{:?} lost {} races for its entities; nothing has happened",
            call.action.name(),
            api.config.max_attempts
        ),
    ))
}

/// One pass; `None` when another writer was faster.
async fn attempt_once(
    api: &Api,
    call: &Call<'_>,
    seed: u64,
    idempotency: Option<(&IdempotencyKey, &str)>,
) -> Result<Option<Answer>, Problem> {
    let counters = call.action.counters();
    let _counters_turn = api.hot_keys.counters(counters).await?;
    let mut snapshot = Snapshot::default();
    load(api, counters, &mut snapshot).await?;
    let now = api.now();
    let request = ActionRequest {
        action: call.action,
        params: call.params,
        context: call.context,
        seed,
        now,
    };
    let entities = rules::entities(&api.game, &request, &snapshot);
    let _entities_turn = match &entities {
        Ok(ids) => Some(api.hot_keys.entities(ids).await?),
        Err(_) => None,
    };
    let decision = match entities {
        Ok(ids) => {
            load(api, &ids, &mut snapshot).await?;
            rules::decide(&api.game, &request, &snapshot)
        }
        Err(refusal) => rules::refuse(&api.game, &request, refusal),
    };
    let answer = Answer::of(call.surface, call.action.name(), &decision, &snapshot);
    let record =
        idempotency.map(|(key, fingerprint)| (key.clone(), record(api, &answer, fingerprint, now)));
    let done = matches!(decision.outcome, Outcome::Done { .. });
    let recorded = decision.events.len();
    match api
        .state
        .commit(commit(decision, &snapshot, record, now))
        .await?
    {
        CommitOutcome::Committed => {
            api.note_outbox_growth(recorded);
            api.metrics.action(if done {
                ActionOutcome::Done
            } else {
                ActionOutcome::Refused
            });
            Ok(Some(answer))
        }
        CommitOutcome::Conflict => Ok(None),
        CommitOutcome::Replayed(record) => {
            // Another process, or a request whose client had gone, was first.
            let fingerprint = idempotency.map_or("", |(_, fingerprint)| fingerprint);
            replayed(api, record, fingerprint).map(Some)
        }
    }
}

async fn load(api: &Api, ids: &[EntityId], snapshot: &mut Snapshot) -> Result<(), Problem> {
    let missing: Vec<EntityId> = ids
        .iter()
        .filter(|id| !snapshot.contains(id))
        .cloned()
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let found = api.state.load(&missing).await?;
    for (id, entity) in missing.into_iter().zip(found) {
        snapshot.insert(id, entity);
    }
    Ok(())
}

fn commit(
    decision: Decision,
    snapshot: &Snapshot,
    idempotency: Option<(IdempotencyKey, IdempotencyRecord)>,
    now: Timestamp,
) -> Commit {
    // A refusal was right when its snapshot was loaded and changes nothing: it can't conflict with anybody.
    let expected = match decision.outcome {
        Outcome::Done { .. } => snapshot
            .versions()
            .map(|(id, version)| (id.clone(), version))
            .collect(),
        Outcome::Refused(_) => Vec::new(),
    };
    Commit {
        expected,
        writes: decision
            .writes
            .into_iter()
            .map(|write| (write.id, write.state))
            .collect(),
        events: decision
            .events
            .into_iter()
            .map(|event| {
                let value = Bytes::from(encode_event(&event));
                (event.key, value)
            })
            .collect(),
        idempotency,
        now: Some(now),
    }
}

fn record(api: &Api, answer: &Answer, fingerprint: &str, now: Timestamp) -> IdempotencyRecord {
    let lifetime =
        i64::try_from(api.config.idempotency_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    IdempotencyRecord {
        fingerprint: fingerprint.to_owned(),
        status: answer.status.as_u16(),
        content_type: answer.content_type.clone().into_owned(),
        // Replies are text or JSON, both UTF-8.
        body: String::from_utf8_lossy(&answer.body).into_owned(),
        event_ids: answer.event_ids.clone(),
        expires: Timestamp::from_micros(now.micros().saturating_add(lifetime)),
    }
}

/// Between half and the whole of a pause that doubles, so that losers of one race don't meet in the next.
fn backoff(attempt: u32, seed: u64) -> Duration {
    let whole = FIRST_BACKOFF
        .saturating_mul(1 << attempt.min(10))
        .min(MAX_BACKOFF);
    let half = whole / 2;
    let micros = u64::try_from(half.as_micros()).unwrap_or(u64::MAX).max(1);
    half + Duration::from_micros(seed % micros)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{MAX_BACKOFF, backoff};

    #[test]
    fn backoff_grows_and_stays_bounded() {
        assert!(backoff(0, 7) <= Duration::from_millis(1));
        for attempt in 0..100 {
            let pause = backoff(attempt, u64::MAX / 3);
            assert!(
                pause <= MAX_BACKOFF && pause >= Duration::from_micros(500),
                "{attempt}: {pause:?}"
            );
        }
    }
}
