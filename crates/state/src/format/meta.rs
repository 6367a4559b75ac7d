//! The store's own facts: keyspace `meta`, one entry under each of two names.

use gamepipe_domain::outbox::OutboxMarks;

use super::FormatError;
use super::bytes::{Reader, put_bytes};

/// The name under which [`Identity`] stands.
pub(crate) const IDENTITY: &[u8] = b"identity";

/// The name under which [`OutboxMarks`] stand.
pub(crate) const OUTBOX: &[u8] = b"outbox";

/// Persisted: keep stable. The first byte of [`Identity`] is the version of the whole store's format.
const FORMAT: u8 = 1;

/// Persisted: keep stable.
const MARKS_TAG: u8 = 1;

/// What a store got when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// See `StateStore::outbox_id`.
    pub(crate) outbox_id: String,
    /// When it was made, microseconds since the Unix epoch.
    pub(crate) created_micros: i64,
}

/// The stored form of an identity.
pub(crate) fn encode_identity(identity: &Identity) -> Vec<u8> {
    let mut out = vec![FORMAT];
    put_bytes(&mut out, identity.outbox_id.as_bytes());
    out.extend_from_slice(&identity.created_micros.to_le_bytes());
    out
}

/// The identity that [`encode_identity`] stored.
pub(crate) fn decode_identity(bytes: &[u8]) -> Result<Identity, FormatError> {
    let mut reader = Reader::new(bytes, "the store's identity");
    reader.expect_tag(FORMAT)?;
    let outbox_id = reader.text()?;
    let created_micros = i64::from_le_bytes(reader.array()?);
    reader.end()?;
    Ok(Identity {
        outbox_id,
        created_micros,
    })
}

/// The stored form of the marks.
pub(crate) fn encode_marks(marks: OutboxMarks) -> Vec<u8> {
    let mut out = vec![MARKS_TAG];
    out.extend_from_slice(&marks.last.to_le_bytes());
    out.extend_from_slice(&marks.trimmed.to_le_bytes());
    out
}

/// The marks that [`encode_marks`] stored.
pub(crate) fn decode_marks(bytes: &[u8]) -> Result<OutboxMarks, FormatError> {
    let mut reader = Reader::new(bytes, "the outbox marks");
    reader.expect_tag(MARKS_TAG)?;
    let last = u64::from_le_bytes(reader.array()?);
    let trimmed = u64::from_le_bytes(reader.array()?);
    reader.end()?;
    Ok(OutboxMarks { last, trimmed })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn facts_round_trip(outbox_id: String, created_micros: i64, last: u64, trimmed: u64) {
            let identity = Identity { outbox_id, created_micros };
            prop_assert_eq!(decode_identity(&encode_identity(&identity)).unwrap(), identity);
            let marks = OutboxMarks { last, trimmed };
            prop_assert_eq!(decode_marks(&encode_marks(marks)).unwrap(), marks);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_identity(&bytes), decode_marks(&bytes));
        }
    }
}
