//! A commit as the script takes it.
//!
//! One call is one attempt. When its answer does not come, the commit may have happened, may happen yet (a stopped server
//! goes on with what it had received), or may not; the caller is told so and nothing is sent again from here. Whoever
//! tries again is safe: the same commit meets its own record or the versions that it has raised itself.

use std::collections::HashMap;

use gamepipe_domain::time::Timestamp;
use gamepipe_service::failpoint;
use redis::Cmd;

use super::link::Link;
use super::scripts::{Answer, Outcome, Script};
use super::session::Session;
use crate::encode::{self, Expected};
use crate::format::{entity, idempotency};
use crate::store::{Commit, CommitOutcome, IdempotencyRecord, StateError};

/// The most entities, and the most events, of one commit. A script hands all keys to one command, and Lua's stack ends
/// at 8,000.
const MAX_ITEMS: usize = 2000;

/// The longest that a record is kept, in milliseconds: a hundred years. Redis refuses lifetimes that overflow its clock.
const MAX_LIFETIME_MS: i64 = 100 * 365 * 86_400_000;

/// See `StateStore::commit`.
pub(super) async fn commit(link: &Link, commit: Commit) -> Result<CommitOutcome, StateError> {
    let fail = |error: failpoint::FailpointError| StateError::Unavailable(error.to_string());
    let session = link.session()?;
    let call = call(link, &session, commit)?;
    failpoint::hit("state.commit.before").map_err(fail)?;
    let answer: Answer = link
        .run(&session, &session.commands, Script::Commit, &call)
        .await?;
    failpoint::hit("state.commit.synced").map_err(fail)?;
    let outcome = match answer.outcome {
        Outcome::Done => CommitOutcome::Committed,
        Outcome::Conflict => CommitOutcome::Conflict,
        Outcome::Replayed(record) => CommitOutcome::Replayed(decode_record(&session, &record)?),
        Outcome::Beyond | Outcome::Moved | Outcome::Behind => {
            return Err(link.lost_track(&session));
        }
    };
    link.note_commits(answer.number);
    Ok(outcome)
}

/// A record's stored form, read.
pub(super) fn decode_record(
    session: &Session,
    bytes: &[u8],
) -> Result<IdempotencyRecord, StateError> {
    idempotency::decode_record(bytes)
        .map_err(|error| StateError::Corrupt(format!("Redis at {}: {error}", session.place)))
}

/// The script's call. `scripts/commit.lua` says what stands where.
fn call(link: &Link, session: &Session, commit: Commit) -> Result<Cmd, StateError> {
    if commit.expected.len() > MAX_ITEMS || commit.events.len() > MAX_ITEMS {
        return Err(StateError::Invalid(format!(
            "a commit of {} entities and {} events is above the limit of {MAX_ITEMS}",
            commit.expected.len(),
            commit.events.len()
        )));
    }
    let now = match commit.now {
        Some(now) => now,
        None => Timestamp::from_micros(link.clock.now_micros()),
    };
    let expected = encode::expected(commit.expected)?;
    let mut writes: HashMap<Vec<u8>, Vec<u8>> = encode::writes(&expected, &commit.writes)?
        .into_iter()
        .map(|(key, (_, value))| (key, value))
        .collect();

    let mut keys = vec![link.keys.head.clone().into_bytes()];
    let (mut record, mut lifetime_ms) = (Vec::new(), 0);
    if let Some((key, kept)) = &commit.idempotency {
        keys.push(link.keys.record(key)?);
        record = idempotency::encode_record(kept);
        lifetime_ms = lifetime(kept.expires, now);
    }
    keys.extend(expected.iter().map(|expected| link.keys.expected(expected)));
    keys.push(link.keys.outbox.clone().into_bytes());

    let mut states = Vec::with_capacity(2 * expected.len());
    let mut created = Vec::new();
    for Expected { id, key, version } in &expected {
        let state = writes.remove(key).unwrap_or_default();
        if *version == 0 && !state.is_empty() {
            keys.push(link.keys.index(&id.entity_type)?);
            created.push(id.key.clone().into_bytes());
        }
        let header = match version {
            0 => Vec::new(),
            version => entity::encode_header(*version).to_vec(),
        };
        states.extend([header, state]);
    }
    let text = |number: i64| number.to_string().into_bytes();
    let mut arguments = vec![
        session.open_prefix.clone().into_bytes(),
        link.seen().to_string().into_bytes(),
        text(now.micros()),
        record,
        text(lifetime_ms),
        expected.len().to_string().into_bytes(),
        created.len().to_string().into_bytes(),
    ];
    arguments.extend(states);
    arguments.extend(created);
    for (key, value) in commit.events {
        arguments.extend([key.into_bytes(), value.to_vec()]);
    }
    encode::check_size(keys.iter().chain(&arguments).map(Vec::len).sum())?;
    Ok(session.shas.call(Script::Commit, &keys, &arguments))
}

/// How long Redis keeps a record, in milliseconds: until it expires by the caller's clock, and at least a moment.
fn lifetime(expires: Timestamp, now: Timestamp) -> i64 {
    let micros = expires.micros().saturating_sub(now.micros());
    (micros.saturating_add(999) / 1000).clamp(1, MAX_LIFETIME_MS)
}

#[cfg(test)]
mod tests {
    use gamepipe_domain::time::Timestamp;

    use super::{MAX_LIFETIME_MS, lifetime};

    #[test]
    fn a_lifetime_is_rounded_up_and_kept_within_what_redis_takes() {
        let of = |micros: i64| lifetime(Timestamp::from_micros(micros), Timestamp::from_micros(0));
        assert_eq!([of(1), of(1000), of(1001)], [1, 1, 2]);
        assert_eq!([of(-5), of(0)], [1, 1]);
        assert_eq!(of(i64::MAX), MAX_LIFETIME_MS);
    }
}
