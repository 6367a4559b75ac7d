//! `Idempotency-Key`: reading it, keeping two requests with one key apart, and answering a replay.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use gamepipe_state::{IdempotencyKey, IdempotencyRecord};
use http::{HeaderMap, StatusCode};

use crate::answer::Answer;
use crate::problem::{Problem, codes};

/// The header that carries the key.
pub(crate) const HEADER: &str = "idempotency-key";
/// The longest key, in bytes: what other services that know such keys allow.
pub(crate) const MAX_KEY_BYTES: usize = 255;

/// The key that a request brought, if it did.
pub(crate) fn key(headers: &HeaderMap, action: &str) -> Result<Option<IdempotencyKey>, Problem> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let bytes = value.as_bytes();
    let visible = bytes.iter().all(u8::is_ascii_graphic);
    if values.next().is_some() || !visible || bytes.is_empty() || bytes.len() > MAX_KEY_BYTES {
        return Err(Problem::new(
            codes::INVALID_IDEMPOTENCY_KEY,
            format!(
                "Idempotency-Key must be 1 to {MAX_KEY_BYTES} visible ASCII characters, sent once"
            ),
        ));
    }
    let key = String::from_utf8_lossy(bytes).into_owned();
    Ok(Some(IdempotencyKey {
        action: action.to_owned(),
        key,
    }))
}

/// The keys that requests of this process are working on. As many as requests in flight at most.
#[derive(Debug, Default)]
pub(crate) struct InFlightKeys {
    keys: Mutex<HashSet<IdempotencyKey>>,
}

/// A key that is being worked on, until this is dropped.
#[derive(Debug)]
pub(crate) struct Claim<'a> {
    keys: &'a InFlightKeys,
    key: &'a IdempotencyKey,
}

impl InFlightKeys {
    /// Claims `key`; refused while another request has it.
    pub(crate) fn claim<'a>(&'a self, key: &'a IdempotencyKey) -> Result<Claim<'a>, Problem> {
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.insert(key.clone()) {
            return Ok(Claim { keys: self, key });
        }
        Err(Problem::new(
            codes::IN_FLIGHT,
            format!(
                "a request with Idempotency-Key {:?} for {:?} is in flight",
                key.key, key.action
            ),
        ))
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.keys
            .keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(self.key);
    }
}

/// The reply to a request whose key is on record: the same as the first time, or 422 when it asks for something else.
pub(crate) fn replay(record: IdempotencyRecord, fingerprint: &str) -> Result<Answer, Problem> {
    if record.fingerprint != fingerprint {
        return Err(Problem::new(
            codes::IDEMPOTENCY_KEY_REUSED,
            "this Idempotency-Key belongs to a request with other parameters; use a new key",
        ));
    }
    let status = StatusCode::from_u16(record.status).unwrap_or(StatusCode::OK);
    Ok(Answer {
        status,
        content_type: record.content_type.into(),
        body: Bytes::from(record.body),
        event_ids: record.event_ids,
        replayed: true,
    })
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::{HEADER, InFlightKeys, MAX_KEY_BYTES, key};

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|text| {
                (
                    HEADER.parse().unwrap(),
                    HeaderValue::from_bytes(text.as_bytes()).unwrap(),
                )
            })
            .collect()
    }

    #[test]
    fn keys_are_visible_ascii_of_bounded_length() {
        let longest = "k".repeat(MAX_KEY_BYTES);
        for good in ["1", "0b3a-!~", longest.as_str()] {
            assert_eq!(key(&headers(&[good]), "buy").unwrap().unwrap().key, good);
        }
        assert_eq!(key(&HeaderMap::new(), "buy").unwrap(), None);
        let too_long = "k".repeat(MAX_KEY_BYTES + 1);
        for bad in [
            vec![""],
            vec!["a b"],
            vec!["é"],
            vec![too_long.as_str()],
            vec!["a", "a"],
        ] {
            assert_eq!(
                key(&headers(&bad), "buy").unwrap_err().code(),
                "invalid_idempotency_key",
                "{bad:?}"
            );
        }
    }

    #[test]
    fn claim_is_exclusive_until_dropped() {
        let keys = InFlightKeys::default();
        let wanted = key(&headers(&["k"]), "buy").unwrap().unwrap();
        let other_action = key(&headers(&["k"]), "sell").unwrap().unwrap();
        let claim = keys.claim(&wanted).unwrap();
        assert_eq!(keys.claim(&wanted).unwrap_err().code(), "in_flight");
        assert!(keys.claim(&other_action).is_ok());
        drop(claim);
        assert!(keys.claim(&wanted).is_ok());
    }
}
