//! Puts clients' events where they are durable: on the log, or, where the log can't remember the ids that clients give,
//! in the outbox, whose store does.

use std::collections::BTreeMap;

use futures::stream::{StreamExt, TryStreamExt};
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::{Appended, LogError, Record};
use gamepipe_state::{Commit, CommitOutcome, IdempotencyKey, IdempotencyRecord, StateError};

use crate::Api;
use crate::problem::Problem;

/// What stands in the place of an action's name in the records of events' ids. No action can have it.
const SCOPE: &str = "/v1/events";
/// How many events of one request are committed at a time, each of another key. The store groups what comes together; more
/// would only keep other requests waiting.
const COMMITS_IN_FLIGHT: usize = 64;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Admitted {
    /// It is durable.
    New,
    /// An event with its id was taken before.
    Duplicate,
}

/// Why events are not durable. Some of them may be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdmitError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<AdmitError> for Problem {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Log(error) => error.into(),
            AdmitError::State(error) => error.into(),
        }
    }
}

/// Admits records; results are in the order of `records`. Records of one key keep their order among those with an id, and
/// among those without. A retry is safe where records have ids.
pub(crate) async fn admit(api: &Api, records: Vec<Record>) -> Result<Vec<Admitted>, AdmitError> {
    if api.log.remembers_ids() {
        return Ok(api.log.append(records).await?.iter().map(of).collect());
    }
    let now = api.now();
    let mut results = vec![Admitted::New; records.len()];
    let mut plain = Vec::new();
    let mut identified: BTreeMap<String, Vec<(usize, Record)>> = BTreeMap::new();
    for (place, record) in records.into_iter().enumerate() {
        match &record.dedupe_id {
            None => plain.push(record),
            Some(_) => {
                let of_key = identified.entry(record.key.clone()).or_default();
                of_key.push((place, record));
            }
        }
    }
    let commits = identified.into_values().map(|records| async move {
        let mut admitted = Vec::with_capacity(records.len());
        for (place, record) in records {
            admitted.push((place, commit(api, record, now).await?));
        }
        Ok::<_, AdmitError>(admitted)
    });
    let committed: Vec<_> = futures::stream::iter(commits)
        .buffer_unordered(COMMITS_IN_FLIGHT)
        .try_collect()
        .await?;
    for (place, admitted) in committed.into_iter().flatten() {
        if let Some(result) = results.get_mut(place) {
            *result = admitted;
        }
    }
    if !plain.is_empty() {
        api.log.append(plain).await?;
    }
    Ok(results)
}

fn of(appended: &Appended) -> Admitted {
    match appended {
        Appended::At(_) => Admitted::New,
        Appended::Duplicate => Admitted::Duplicate,
    }
}

/// One event and the record of its id, in one atomic step.
async fn commit(api: &Api, record: Record, now: Timestamp) -> Result<Admitted, StateError> {
    let lifetime =
        i64::try_from(api.config.idempotency_seconds.saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    let id = record.dedupe_id.unwrap_or_default();
    let known = IdempotencyRecord {
        fingerprint: String::new(),
        status: 200,
        content_type: String::new(),
        body: String::new(),
        event_ids: Vec::new(),
        expires: Timestamp::from_micros(now.micros().saturating_add(lifetime)),
    };
    let key = IdempotencyKey {
        action: SCOPE.to_owned(),
        key: id,
    };
    let commit = Commit {
        events: vec![(record.key, record.value)],
        idempotency: Some((key, known)),
        now: Some(now),
        ..Commit::default()
    };
    match api.state.commit(commit).await? {
        CommitOutcome::Replayed(_) => Ok(Admitted::Duplicate),
        CommitOutcome::Committed => {
            api.note_outbox_growth(1);
            Ok(Admitted::New)
        }
        CommitOutcome::Conflict => Err(StateError::Invalid(
            "a commit without entities can't conflict".to_owned(),
        )),
    }
}
