//! Outbox entries: keyspace `outbox`, key `<sequence, 8 bytes, big end first>`.

use bytes::Bytes;

use super::FormatError;
use super::bytes::{Reader, put_bytes};
use crate::store::OutboxEntry;

/// Persisted: keep stable. Tag, the log's key with its length, the log's value.
const TAG: u8 = 1;

/// The stored key of an entry.
pub(crate) fn encode_sequence(sequence: u64) -> [u8; 8] {
    sequence.to_be_bytes()
}

/// The sequence number behind a stored key.
pub(crate) fn decode_sequence(key: &[u8]) -> Result<u64, FormatError> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| FormatError::Length("an outbox key"))
}

/// The stored form of an entry.
pub(crate) fn encode_entry(key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 + key.len() + value.len());
    out.push(TAG);
    put_bytes(&mut out, key.as_bytes());
    out.extend_from_slice(value);
    out
}

/// The entry that [`encode_entry`] stored.
pub(crate) fn decode_entry(sequence: u64, bytes: &[u8]) -> Result<OutboxEntry, FormatError> {
    let mut reader = Reader::new(bytes, "an outbox entry");
    reader.expect_tag(TAG)?;
    let key = reader.text()?;
    Ok(OutboxEntry {
        sequence,
        key,
        value: Bytes::copy_from_slice(reader.rest()),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn entries_round_trip(sequence: u64, key: String, value: Vec<u8>) {
            prop_assert_eq!(decode_sequence(&encode_sequence(sequence)).unwrap(), sequence);
            let read = decode_entry(sequence, &encode_entry(&key, &value)).unwrap();
            prop_assert_eq!(read, OutboxEntry { sequence, key, value: value.into() });
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_sequence(&bytes), decode_entry(0, &bytes));
        }
    }
}
