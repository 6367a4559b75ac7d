//! Clients' event ids: keyspace `dedupe`, key `<bucket, 4 bytes, big end first> <id>`. A bucket is half a day of arrival:
//! a lookup tries the few buckets that the window touches, and old buckets lie together at the front, to be removed in
//! steps without an index of their own.

use gamepipe_domain::time::Timestamp;

use super::{FormatError, take, take_tag};

/// Persisted: keep stable. Half a day in microseconds: a window of a day touches three buckets.
const BUCKET_MICROS: i64 = 12 * 3600 * 1_000_000;

/// Persisted: keep stable. Tag, time of arrival (8 bytes, little end first).
const TAG: u8 = 1;

/// The bucket of a moment. Moments before 1970 fall into the first.
pub(crate) fn bucket(at: Timestamp) -> u32 {
    u32::try_from(at.micros().div_euclid(BUCKET_MICROS).max(0)).unwrap_or(u32::MAX)
}

/// The stored key of an id.
pub(crate) fn encode_key(bucket: u32, id: &str) -> Vec<u8> {
    let mut key = Vec::with_capacity(4 + id.len());
    key.extend_from_slice(&bucket.to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

/// The bucket of a stored key, and the id.
#[cfg(test)]
pub(crate) fn decode_key(key: &[u8]) -> Result<(u32, &str), FormatError> {
    const WHAT: &str = "a client's event id";
    let mut rest = key;
    let bucket = u32::from_be_bytes(take(&mut rest, WHAT)?);
    Ok((
        bucket,
        str::from_utf8(rest).map_err(|_| FormatError::Malformed(WHAT))?,
    ))
}

/// The stored form of a time of arrival.
pub(crate) fn encode_arrival(at: Timestamp) -> [u8; 9] {
    let mut out = [TAG; 9];
    out[1..].copy_from_slice(&at.micros().to_le_bytes());
    out
}

/// The time that [`encode_arrival`] stored.
pub(crate) fn decode_arrival(bytes: &[u8]) -> Result<Timestamp, FormatError> {
    const WHAT: &str = "an id's arrival";
    let mut rest = bytes;
    take_tag(&mut rest, TAG, WHAT)?;
    let micros = i64::from_le_bytes(take(&mut rest, WHAT)?);
    if rest.is_empty() {
        Ok(Timestamp::from_micros(micros))
    } else {
        Err(FormatError::Length(WHAT))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ids_and_arrivals_round_trip(at: i64, id: String) {
            let at = Timestamp::from_micros(at);
            prop_assert_eq!(decode_arrival(&encode_arrival(at)).unwrap(), at);
            let bucket = bucket(at);
            let key = encode_key(bucket, &id);
            prop_assert_eq!(decode_key(&key).unwrap(), (bucket, id.as_str()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_key(&bytes), decode_arrival(&bytes));
        }
    }
}
