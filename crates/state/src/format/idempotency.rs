//! Idempotency records: keyspace `idempotency`, key `<length of action, 2 bytes> <action> <key>`; and their expiry
//! index: keyspace `idempotency_expiry`, key `<expires, 8 bytes, ordered> <record's key>`, no value.

use gamepipe_domain::time::Timestamp;

use super::FormatError;
use super::bytes::{Reader, put_bytes, put_varint};
use crate::store::{IdempotencyKey, IdempotencyRecord};

/// Persisted: keep stable. Tag, expires (8 bytes, little end first), status (2), then texts with their lengths.
const TAG: u8 = 1;

/// The longest action name or client key, in bytes: UUIDs have 36; a hash in hexadecimal 128.
const MAX_BYTES: usize = 1024;

/// The stored key of a record.
pub(crate) fn encode_key(key: &IdempotencyKey) -> Result<Vec<u8>, FormatError> {
    for (what, text) in [("an action", &key.action), ("an idempotency key", &key.key)] {
        if text.is_empty() || text.len() > MAX_BYTES {
            let got = text.chars().take(40).collect();
            return Err(FormatError::Key {
                what,
                max: MAX_BYTES,
                rule: "",
                got,
            });
        }
    }
    let mut out = Vec::with_capacity(2 + key.action.len() + key.key.len());
    // Fits: at most MAX_BYTES.
    out.extend_from_slice(&(key.action.len() as u16).to_be_bytes());
    out.extend_from_slice(key.action.as_bytes());
    out.extend_from_slice(key.key.as_bytes());
    Ok(out)
}

/// The key behind a stored key.
#[cfg(test)]
pub(crate) fn decode_key(bytes: &[u8]) -> Result<IdempotencyKey, FormatError> {
    const WHAT: &str = "an idempotency key";
    let mut reader = Reader::new(bytes, WHAT);
    let length = u16::from_be_bytes(reader.array()?);
    let action = reader.take(usize::from(length))?;
    let text = |bytes: &[u8]| {
        str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| FormatError::Malformed(WHAT))
    };
    Ok(IdempotencyKey {
        action: text(action)?,
        key: text(reader.rest())?,
    })
}

/// The stored form of a record.
pub(crate) fn encode_record(record: &IdempotencyRecord) -> Vec<u8> {
    let mut out = Vec::with_capacity(128 + record.body.len());
    out.push(TAG);
    out.extend_from_slice(&record.expires.micros().to_le_bytes());
    out.extend_from_slice(&record.status.to_le_bytes());
    for text in [&record.fingerprint, &record.content_type, &record.body] {
        put_bytes(&mut out, text.as_bytes());
    }
    put_varint(&mut out, record.event_ids.len() as u64);
    for id in &record.event_ids {
        put_bytes(&mut out, id.as_bytes());
    }
    out
}

/// The record that [`encode_record`] stored.
pub(crate) fn decode_record(bytes: &[u8]) -> Result<IdempotencyRecord, FormatError> {
    let mut reader = Reader::new(bytes, "an idempotency record");
    reader.expect_tag(TAG)?;
    let expires = Timestamp::from_micros(i64::from_le_bytes(reader.array()?));
    let status = u16::from_le_bytes(reader.array()?);
    let fingerprint = reader.text()?;
    let content_type = reader.text()?;
    let body = reader.text()?;
    let count = reader.count()?;
    let event_ids = (0..count)
        .map(|_| reader.text())
        .collect::<Result<_, _>>()?;
    reader.end()?;
    Ok(IdempotencyRecord {
        fingerprint,
        status,
        content_type,
        body,
        event_ids,
        expires,
    })
}

/// The index entry that says when the record under `key` (a stored key) may go.
pub(crate) fn encode_expiry(expires: Timestamp, key: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(8 + key.len());
    // With the sign bit turned over, bytes sort as the numbers do.
    out.extend_from_slice(&(expires.micros() ^ i64::MIN).to_be_bytes());
    out.extend_from_slice(key);
    out
}

/// What [`encode_expiry`] joined.
pub(crate) fn decode_expiry(bytes: &[u8]) -> Result<(Timestamp, &[u8]), FormatError> {
    let mut reader = Reader::new(bytes, "an expiry entry");
    let expires = i64::from_be_bytes(reader.array()?) ^ i64::MIN;
    Ok((Timestamp::from_micros(expires), reader.rest()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip(action in "(?s).{1,20}", key in "(?s).{1,20}") {
            let key = IdempotencyKey { action, key };
            prop_assert_eq!(decode_key(&encode_key(&key).unwrap()).unwrap(), key);
        }

        #[test]
        fn records_round_trip(
            texts: (String, String, String),
            status: u16,
            event_ids: Vec<String>,
            expires: i64,
        ) {
            let (fingerprint, content_type, body) = texts;
            let expires = Timestamp::from_micros(expires);
            let record =
                IdempotencyRecord { fingerprint, status, content_type, body, event_ids, expires };
            prop_assert_eq!(decode_record(&encode_record(&record)).unwrap(), record);
        }

        #[test]
        fn expiry_entries_round_trip_and_sort_by_time(a: i64, b: i64, key: Vec<u8>) {
            let (early, late) = (encode_expiry(Timestamp::from_micros(a.min(b)), &key), encode_expiry(Timestamp::from_micros(a.max(b)), &key));
            prop_assert!(early <= late);
            prop_assert_eq!(decode_expiry(&early).unwrap(), (Timestamp::from_micros(a.min(b)), key.as_slice()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_key(&bytes), decode_record(&bytes), decode_expiry(&bytes));
        }
    }
}
