//! Chunks: keyspace `chunks`, key `<partition, 4 bytes> <base offset, 8 bytes>`, both big end first. A chunk holds the
//! records of one partition that one group of appends brought, so that a record costs a few bytes of overhead and no
//! entry of its own.

use bytes::Bytes;
use gamepipe_domain::time::Timestamp;

use super::{FormatError, take, take_tag};
use crate::log::LogRecord;

const WHAT: &str = "a chunk";

/// Persisted: keep stable. Tag, codec, count (4 bytes), time (8), bytes before (8), length of the plain body (4),
/// CRC-32 of key, header and body (4), body; numbers have their little end first. The plain body: for each record the
/// lengths of key and value (4 bytes each), then keys and values.
const TAG: u8 = 1;

// Persisted: keep stable.
const PLAIN: u8 = 0;
const LZ4: u8 = 1;

const CRC_AT: usize = 26;
const HEADER_BYTES: usize = CRC_AT + 4;
const LENGTHS_BYTES: usize = 8;

/// A body below this size stays as it is: LZ4 finds little to repeat in one or two events.
const COMPRESS_FROM: usize = 512;

/// The largest plain body that is believed, in bytes: far above any that is written, far below what would hurt.
const MAX_BODY_BYTES: usize = 256 << 20;

/// A chunk's place: partition and offset of its first record.
pub(crate) fn encode_key(partition: u32, base: u64) -> [u8; 12] {
    let mut key = [0; 12];
    key[..4].copy_from_slice(&partition.to_be_bytes());
    key[4..].copy_from_slice(&base.to_be_bytes());
    key
}

/// The partition and the base offset of a stored key.
pub(crate) fn decode_key(key: &[u8]) -> Result<(u32, u64), FormatError> {
    let mut rest = key;
    let partition = u32::from_be_bytes(take(&mut rest, "a chunk's key")?);
    let base = u64::from_be_bytes(take(&mut rest, "a chunk's key")?);
    if rest.is_empty() {
        Ok((partition, base))
    } else {
        Err(FormatError::Length("a chunk's key"))
    }
}

/// Gathers records for one chunk.
#[derive(Debug, Default)]
pub(crate) struct ChunkBuilder {
    count: u32,
    lengths: Vec<u8>,
    data: Vec<u8>,
}

impl ChunkBuilder {
    /// Adds a record. Key and value must be shorter than 4 GiB.
    pub(crate) fn push(&mut self, key: &[u8], value: &[u8]) {
        self.count += 1;
        self.lengths
            .extend_from_slice(&(key.len() as u32).to_le_bytes());
        self.lengths
            .extend_from_slice(&(value.len() as u32).to_le_bytes());
        self.data.extend_from_slice(key);
        self.data.extend_from_slice(value);
    }

    /// How many records there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// How large the plain body is, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.lengths.len() + self.data.len()
    }
}

/// The stored form of the records in `builder`, at the place of `key`.
pub(crate) fn encode_chunk(
    builder: ChunkBuilder,
    key: &[u8; 12],
    appended: Timestamp,
    bytes_before: u64,
) -> Vec<u8> {
    let ChunkBuilder {
        count,
        lengths: mut body,
        data,
    } = builder;
    body.extend_from_slice(&data);
    let mut out =
        Vec::with_capacity(HEADER_BYTES + lz4_flex::block::get_maximum_output_size(body.len()));
    out.push(TAG);
    out.push(PLAIN);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&appended.micros().to_le_bytes());
    out.extend_from_slice(&bytes_before.to_le_bytes());
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    if !compress(&body, &mut out) {
        out.extend_from_slice(&body);
    }
    let crc = checksum(key, &out);
    out[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
    out
}

/// Appends the compressed body and says so in the header; does nothing when that saves nothing.
fn compress(body: &[u8], out: &mut Vec<u8>) -> bool {
    if body.len() < COMPRESS_FROM {
        return false;
    }
    out.resize(
        HEADER_BYTES + lz4_flex::block::get_maximum_output_size(body.len()),
        0,
    );
    match lz4_flex::block::compress_into(body, &mut out[HEADER_BYTES..]) {
        Ok(length) if length < body.len() => {
            out.truncate(HEADER_BYTES + length);
            out[1] = LZ4;
            true
        }
        _ => {
            out.truncate(HEADER_BYTES);
            false
        }
    }
}

fn checksum(key: &[u8], chunk: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(&chunk[..CRC_AT]);
    hasher.update(&chunk[HEADER_BYTES..]);
    hasher.finalize()
}

/// What a chunk says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChunkHeader {
    /// How many records it has.
    pub(crate) count: u32,
    /// When the log took them.
    pub(crate) appended: Timestamp,
    /// How many bytes the chunks of its partition before it had, removed ones included.
    pub(crate) bytes_before: u64,
}

/// A chunk that was read and found sound. Its records share its memory.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// What it says of itself.
    pub(crate) header: ChunkHeader,
    base: u64,
    body: Bytes,
}

/// The header alone; checks the whole chunk's checksum.
pub(crate) fn decode_header(key: &[u8], stored: &[u8]) -> Result<ChunkHeader, FormatError> {
    Ok(split(key, stored)?.0)
}

/// The chunk that [`encode_chunk`] stored.
pub(crate) fn decode_chunk(key: &[u8], stored: Bytes) -> Result<Chunk, FormatError> {
    let (_, base) = decode_key(key)?;
    let (header, codec, length) = split(key, &stored)?;
    let body = match codec {
        PLAIN => stored.slice(HEADER_BYTES..),
        LZ4 => {
            let plain = lz4_flex::block::decompress(&stored[HEADER_BYTES..], length);
            Bytes::from(plain.map_err(|_| FormatError::Malformed(WHAT))?)
        }
        other => return Err(FormatError::Tag(WHAT, other)),
    };
    if body.len() != length {
        return Err(FormatError::Length(WHAT));
    }
    Ok(Chunk { header, base, body })
}

fn split(key: &[u8], stored: &[u8]) -> Result<(ChunkHeader, u8, usize), FormatError> {
    let mut rest = stored;
    take_tag(&mut rest, TAG, WHAT)?;
    let [codec] = take(&mut rest, WHAT)?;
    let count = u32::from_le_bytes(take(&mut rest, WHAT)?);
    let appended = Timestamp::from_micros(i64::from_le_bytes(take(&mut rest, WHAT)?));
    let bytes_before = u64::from_le_bytes(take(&mut rest, WHAT)?);
    let length = u32::from_le_bytes(take(&mut rest, WHAT)?) as usize;
    let crc = u32::from_le_bytes(take(&mut rest, WHAT)?);
    if checksum(key, stored) != crc {
        return Err(FormatError::Checksum(WHAT));
    }
    if length > MAX_BODY_BYTES {
        return Err(FormatError::Length(WHAT));
    }
    Ok((
        ChunkHeader {
            count,
            appended,
            bytes_before,
        },
        codec,
        length,
    ))
}

impl Chunk {
    /// The offset after its last record.
    pub(crate) fn end(&self) -> u64 {
        self.base.saturating_add(u64::from(self.header.count))
    }

    /// Appends its records from offset `from` on to `out`; returns how many bytes they have.
    pub(crate) fn records(
        &self,
        from: u64,
        out: &mut Vec<LogRecord>,
    ) -> Result<usize, FormatError> {
        let count = self.header.count as usize;
        let (lengths, data) = self
            .body
            .split_at_checked(count * LENGTHS_BYTES)
            .ok_or(FormatError::Length(WHAT))?;
        out.reserve(count);
        let data_at = self.body.len() - data.len();
        let mut at = data_at;
        let mut bytes = 0;
        for (offset, mut pair) in (self.base..).zip(lengths.chunks_exact(LENGTHS_BYTES)) {
            let key_length = u32::from_le_bytes(take(&mut pair, WHAT)?) as usize;
            let value_length = u32::from_le_bytes(take(&mut pair, WHAT)?) as usize;
            let (value_at, end) = (at + key_length, at + key_length + value_length);
            if end > self.body.len() {
                return Err(FormatError::Length(WHAT));
            }
            if offset >= from {
                let (key, value) = (
                    self.body.slice(at..value_at),
                    self.body.slice(value_at..end),
                );
                out.push(LogRecord {
                    offset,
                    appended: self.header.appended,
                    key,
                    value,
                });
                bytes += end - at;
            }
            at = end;
        }
        if at == self.body.len() {
            Ok(bytes)
        } else {
            Err(FormatError::Length(WHAT))
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn build(records: &[(Vec<u8>, Vec<u8>)], key: &[u8; 12]) -> Vec<u8> {
        let mut builder = ChunkBuilder::default();
        for (key, value) in records {
            builder.push(key, value);
        }
        encode_chunk(builder, key, Timestamp::from_micros(7), 9)
    }

    proptest! {
        #[test]
        fn chunks_round_trip_from_every_offset(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(0_u8..4, 0..300)), 1..40),
            partition: u32,
            base in 0_u64..u64::MAX / 2,
        ) {
            let key = encode_key(partition, base);
            prop_assert_eq!(decode_key(&key).unwrap(), (partition, base));
            let stored = build(&records, &key);
            let chunk = decode_chunk(&key, Bytes::from(stored)).unwrap();
            prop_assert_eq!(chunk.header.count as usize, records.len());
            prop_assert_eq!(chunk.end(), base + records.len() as u64);
            for skipped in 0..records.len() {
                let mut out = Vec::new();
                let bytes = chunk.records(base + skipped as u64, &mut out).unwrap();
                let expected: Vec<LogRecord> = (base..).zip(&records).skip(skipped).map(|(offset, (key, value))| LogRecord {
                    offset,
                    appended: Timestamp::from_micros(7),
                    key: Bytes::copy_from_slice(key),
                    value: Bytes::copy_from_slice(value),
                }).collect();
                prop_assert_eq!(bytes, expected.iter().map(|r| r.key.len() + r.value.len()).sum::<usize>());
                prop_assert_eq!(out, expected);
            }
        }

        #[test]
        fn one_changed_bit_is_noticed(
            records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..20), prop::collection::vec(0_u8..4, 0..300)), 1..20),
            place: prop::sample::Index,
            bit in 0_u8..8,
        ) {
            let key = encode_key(1, 2);
            let mut stored = build(&records, &key);
            stored[place.index(HEADER_BYTES)] ^= 1 << bit;
            prop_assert!(decode_chunk(&key, Bytes::from(stored.clone())).is_err());
            prop_assert!(decode_chunk(&encode_key(1, 3), Bytes::from(build(&records, &key))).is_err());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>) {
            let _ = decode_chunk(&encode_key(0, 0), Bytes::from(bytes.clone()));
            let _ = decode_key(&bytes);
        }
    }

    #[test]
    fn similar_events_are_stored_in_a_fraction_of_their_size() {
        let event =
            br#"{"event_id":"0","event_type":"attack","event_time":"2026-01-02T03:04:05.000006Z"}"#;
        let records = vec![(b"alice".to_vec(), event.to_vec()); 100];
        let stored = build(&records, &encode_key(0, 0));
        assert!(stored.len() * 5 < 100 * event.len(), "{}", stored.len());
    }
}
