//! The log's own facts: keyspace `meta`: `identity`; `partition` and its number; `outbox` and an outbox's id.

use super::{FormatError, take, take_tag};

/// The name under which [`Identity`] stands.
pub(crate) const IDENTITY: &[u8] = b"identity";

/// Persisted: keep stable. The first byte of [`Identity`] is the version of the whole log's format.
const FORMAT: u8 = 1;

/// Persisted: keep stable.
const MARKS_TAG: u8 = 1;

/// Persisted: keep stable.
const POSITION_TAG: u8 = 1;

/// What a log got when it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    /// See `EventLog::generation`.
    pub(crate) generation: String,
    /// How many partitions it has, for ever.
    pub(crate) partitions: u32,
    /// When it was made, microseconds since the Unix epoch.
    pub(crate) created_micros: i64,
}

/// How far a partition has come. Bytes are those of stored chunks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// The lowest offset that can be read.
    pub(crate) low: u64,
    /// The offset of the next record.
    pub(crate) high: u64,
    /// Everything below has landed and may go.
    pub(crate) released: u64,
    /// All bytes that were ever removed.
    pub(crate) removed_bytes: u64,
    /// All bytes in chunks that lie wholly below `released`, removed ones included.
    pub(crate) released_bytes: u64,
    /// All bytes that were ever appended.
    pub(crate) appended_bytes: u64,
}

impl Marks {
    /// Bytes that are there.
    pub(crate) fn bytes(&self) -> u64 {
        self.appended_bytes.saturating_sub(self.removed_bytes)
    }

    /// Bytes that are there and may go.
    pub(crate) fn landed_bytes(&self) -> u64 {
        self.released_bytes.saturating_sub(self.removed_bytes)
    }
}

/// The stored form of an identity.
pub(crate) fn encode_identity(identity: &Identity) -> Vec<u8> {
    let mut out = vec![FORMAT];
    out.extend_from_slice(&identity.partitions.to_le_bytes());
    out.extend_from_slice(&identity.created_micros.to_le_bytes());
    out.extend_from_slice(identity.generation.as_bytes());
    out
}

/// The identity that [`encode_identity`] stored.
pub(crate) fn decode_identity(bytes: &[u8]) -> Result<Identity, FormatError> {
    const WHAT: &str = "the log's identity";
    let mut rest = bytes;
    take_tag(&mut rest, FORMAT, WHAT)?;
    let partitions = u32::from_le_bytes(take(&mut rest, WHAT)?);
    let created_micros = i64::from_le_bytes(take(&mut rest, WHAT)?);
    let generation = str::from_utf8(rest)
        .map_err(|_| FormatError::Malformed(WHAT))?
        .to_owned();
    Ok(Identity {
        generation,
        partitions,
        created_micros,
    })
}

/// The name under which a partition's marks stand.
pub(crate) fn partition_name(partition: u32) -> Vec<u8> {
    [b"partition".as_slice(), &partition.to_be_bytes()].concat()
}

/// The stored form of marks.
pub(crate) fn encode_marks(marks: &Marks) -> Vec<u8> {
    let mut out = vec![MARKS_TAG];
    let Marks {
        low,
        high,
        released,
        removed_bytes,
        released_bytes,
        appended_bytes,
    } = *marks;
    for number in [
        low,
        high,
        released,
        removed_bytes,
        released_bytes,
        appended_bytes,
    ] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out
}

/// The marks that [`encode_marks`] stored.
pub(crate) fn decode_marks(bytes: &[u8]) -> Result<Marks, FormatError> {
    const WHAT: &str = "a partition's marks";
    let mut rest = bytes;
    take_tag(&mut rest, MARKS_TAG, WHAT)?;
    let mut next = || take(&mut rest, WHAT).map(u64::from_le_bytes);
    let marks = Marks {
        low: next()?,
        high: next()?,
        released: next()?,
        removed_bytes: next()?,
        released_bytes: next()?,
        appended_bytes: next()?,
    };
    if rest.is_empty() {
        Ok(marks)
    } else {
        Err(FormatError::Length(WHAT))
    }
}

/// The name under which an outbox's position stands.
pub(crate) fn outbox_name(outbox_id: &str) -> Vec<u8> {
    [b"outbox".as_slice(), outbox_id.as_bytes()].concat()
}

/// The stored form of an outbox's position.
pub(crate) fn encode_position(sequence: u64) -> Vec<u8> {
    let mut out = vec![POSITION_TAG];
    out.extend_from_slice(&sequence.to_le_bytes());
    out
}

/// The position that [`encode_position`] stored.
pub(crate) fn decode_position(bytes: &[u8]) -> Result<u64, FormatError> {
    const WHAT: &str = "an outbox's position";
    let mut rest = bytes;
    take_tag(&mut rest, POSITION_TAG, WHAT)?;
    let sequence = u64::from_le_bytes(take(&mut rest, WHAT)?);
    if rest.is_empty() {
        Ok(sequence)
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
        fn facts_round_trip(generation: String, partitions: u32, created_micros: i64, numbers: [u64; 6]) {
            let identity = Identity { generation, partitions, created_micros };
            prop_assert_eq!(decode_identity(&encode_identity(&identity)).unwrap(), identity);
            let [low, high, released, removed_bytes, released_bytes, appended_bytes] = numbers;
            let marks = Marks { low, high, released, removed_bytes, released_bytes, appended_bytes };
            prop_assert_eq!(decode_marks(&encode_marks(&marks)).unwrap(), marks);
            prop_assert_eq!(decode_position(&encode_position(low)).unwrap(), low);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = (decode_identity(&bytes), decode_marks(&bytes), decode_position(&bytes));
        }
    }
}
