//! The directory: opening, the keyspaces, the durable view, and reads of records.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use fjall::{Database, Keyspace, OwnedWriteBatch, Readable, Snapshot};
use gamepipe_service::clock::Clock;
use gamepipe_service::directory::DirectoryLock;
use tokio::sync::watch;

use super::format::meta::{self, Identity, Marks};
use super::format::{FormatError, chunk};
use super::open::{database_folder, open_database, open_keyspaces, storage_error};
use crate::log::{LogError, PartitionOffsets, ReadBatch};

/// The most that one read returns, in bytes, whatever was asked for: it bounds a reader's memory.
const MAX_READ_BYTES: usize = 64 << 20;

/// What can be read: everything durable, at one moment.
pub(super) struct View {
    /// The keyspaces at that moment.
    pub(super) snapshot: Snapshot,
    /// How far each partition had come.
    pub(super) partitions: Vec<Marks>,
}

impl View {
    /// True when there are records from that offset on, false when it is the next one.
    pub(super) fn has_records(&self, partition: u32, from: u64) -> Result<bool, LogError> {
        let marks = self.marks(partition)?;
        let (low, high) = (marks.low, marks.high);
        if from < low || from > high {
            return Err(LogError::OutOfRange {
                partition,
                asked: from,
                low,
                high,
            });
        }
        Ok(from < high)
    }

    /// All partitions' offsets.
    pub(super) fn offsets(&self) -> Vec<PartitionOffsets> {
        (0..)
            .zip(&self.partitions)
            .map(|(partition, marks)| PartitionOffsets {
                partition,
                low: marks.low,
                high: marks.high,
            })
            .collect()
    }

    fn marks(&self, partition: u32) -> Result<&Marks, LogError> {
        self.partitions.get(partition as usize).ok_or_else(|| {
            let count = self.partitions.len();
            LogError::Invalid(format!(
                "there is no partition {partition}, the log has {count}"
            ))
        })
    }

    fn is_beyond(&self, seen: &[u64]) -> bool {
        let seen = seen.iter().copied().chain(std::iter::repeat(0));
        self.partitions
            .iter()
            .zip(seen)
            .any(|(marks, seen)| marks.high > seen)
    }
}

/// The open directory.
pub(super) struct Disk {
    /// The directory, for errors.
    pub(super) path: String,
    /// What the log got when it was made.
    pub(super) identity: Identity,
    view: watch::Sender<Arc<View>>,
    pub(super) chunks: Keyspace,
    pub(super) dedupe: Keyspace,
    pub(super) meta: Keyspace,
    pub(super) db: Database,
    // Fields are dropped in this order: the directory is free when the database is closed, not before.
    _lock: DirectoryLock,
}

impl Disk {
    /// Opens or makes the log in `path`.
    pub(super) fn open(
        path: &Path,
        partitions: u32,
        cache_bytes: u64,
        clock: &dyn Clock,
    ) -> Result<Self, LogError> {
        if path.as_os_str().is_empty() {
            return Err(LogError::Unavailable("no directory is configured".into()));
        }
        let lock = DirectoryLock::acquire(path, clock)?;
        let folder = database_folder(path, partitions, cache_bytes, clock)?;
        let path = path.display().to_string();
        let db = open_database(&folder, cache_bytes)?;
        let failed = |error| storage_error(&path, error);
        let (chunks, dedupe, meta) = open_keyspaces(&db).map_err(failed)?;
        let fact = |name: &[u8]| {
            let missing = || LogError::Corrupt(format!("{path}: its identity is missing"));
            meta.get(name).map_err(failed)?.ok_or_else(missing)
        };
        let corrupt = |error: FormatError| LogError::Corrupt(format!("{path}: {error}"));
        let identity = meta::decode_identity(&fact(meta::IDENTITY)?).map_err(corrupt)?;
        let marks = |partition| {
            meta::decode_marks(&fact(&meta::partition_name(partition))?).map_err(corrupt)
        };
        let partitions = (0..identity.partitions)
            .map(marks)
            .collect::<Result<Vec<_>, _>>()?;
        let (view, _) = watch::channel(Arc::new(View {
            snapshot: db.snapshot(),
            partitions,
        }));
        let disk = Self {
            path,
            identity,
            view,
            chunks,
            dedupe,
            meta,
            db,
            _lock: lock,
        };
        disk.check_ends()?;
        Ok(disk)
    }

    /// What can be read now.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Makes everything that was written readable. Call it only when that is durable.
    pub(super) fn publish(&self, partitions: Vec<Marks>) {
        self.view.send_replace(Arc::new(View {
            snapshot: self.db.snapshot(),
            partitions,
        }));
    }

    /// Waits until some partition has a record at or above the offset in `seen`.
    pub(super) async fn wait_for_records(&self, seen: &[u64]) {
        // Fails only when the sender is gone, which lives as long as `self`.
        let _ = self
            .view
            .subscribe()
            .wait_for(|view| view.is_beyond(seen))
            .await;
    }

    /// Records of a partition from `from` on: whole chunks until there are `max_bytes`.
    pub(super) fn read(
        &self,
        partition: u32,
        from: u64,
        max_bytes: usize,
    ) -> Result<ReadBatch, LogError> {
        let view = self.view();
        let mut batch = ReadBatch {
            records: Vec::new(),
            next: from,
        };
        if !view.has_records(partition, from)? {
            return Ok(batch);
        }
        let high = view.marks(partition)?.high;
        let start = self.chunk_with(&view, partition, from)?;
        let range = chunk::encode_key(partition, start)..chunk::encode_key(partition, high);
        let (mut expected, mut bytes) = (start, 0);
        for guard in view.snapshot.range(&self.chunks, range) {
            let (key, value) = guard.into_inner().map_err(|error| self.error(error))?;
            let (_, base) = chunk::decode_key(&key).map_err(|error| self.corrupt(error))?;
            if base != expected {
                break;
            }
            let stored = Bytes::from_owner(value);
            let chunk = chunk::decode_chunk(&key, stored)
                .map_err(|error| self.corrupt_chunk(partition, base, &error))?;
            bytes += chunk
                .records(batch.next, &mut batch.records)
                .map_err(|error| self.corrupt_chunk(partition, base, &error))?;
            expected = chunk.end();
            batch.next = expected;
            if bytes >= max_bytes.min(MAX_READ_BYTES) {
                return Ok(batch);
            }
        }
        if batch.next == high {
            Ok(batch)
        } else {
            Err(self.missing(partition, expected))
        }
    }

    /// The base offset of the chunk that holds `offset`.
    fn chunk_with(&self, view: &View, partition: u32, offset: u64) -> Result<u64, LogError> {
        let key = chunk::encode_key(partition, offset);
        let found = view
            .snapshot
            .contains_key(&self.chunks, key)
            .map_err(|error| self.error(error))?;
        if found {
            return Ok(offset);
        }
        let range = chunk::encode_key(partition, 0)..key;
        let Some(guard) = view.snapshot.range(&self.chunks, range).next_back() else {
            return Err(self.missing(partition, offset));
        };
        let key = guard.key().map_err(|error| self.error(error))?;
        Ok(chunk::decode_key(&key)
            .map_err(|error| self.corrupt(error))?
            .1)
    }

    /// The chunks of every partition must begin and end where its marks say.
    fn check_ends(&self) -> Result<(), LogError> {
        let view = self.view();
        for (partition, marks) in (0..).zip(&view.partitions) {
            let all = chunk::encode_key(partition, 0)..=chunk::encode_key(partition, u64::MAX);
            let mut range = view.snapshot.range(&self.chunks, all);
            let (Some(last), low, high) = (range.next_back(), marks.low, marks.high) else {
                if marks.low == marks.high {
                    continue;
                }
                return Err(self.missing(partition, marks.low));
            };
            let (key, value) = last.into_inner().map_err(|error| self.error(error))?;
            let first = match range.next() {
                Some(guard) => guard.key().map_err(|error| self.error(error))?,
                None => key.clone(),
            };
            let (_, first) = chunk::decode_key(&first).map_err(|error| self.corrupt(error))?;
            let (_, base) = chunk::decode_key(&key).map_err(|error| self.corrupt(error))?;
            let header = chunk::decode_header(&key, &value)
                .map_err(|error| self.corrupt_chunk(partition, base, &error))?;
            let end = base.saturating_add(u64::from(header.count));
            if (first, end) != (low, high) {
                return Err(LogError::Corrupt(format!(
                    "{}: partition {partition} has the offsets {first}..{end}, but should have {low}..{high}",
                    self.path
                )));
            }
        }
        Ok(())
    }

    /// Puts the marks that changed into a batch.
    pub(super) fn put_marks(&self, before: &[Marks], after: &[Marks], batch: &mut OwnedWriteBatch) {
        for ((partition, before), after) in (0..).zip(before).zip(after) {
            if before != after {
                batch.insert(
                    &self.meta,
                    meta::partition_name(partition),
                    meta::encode_marks(after),
                );
            }
        }
    }

    /// A storage error, with the directory's name.
    pub(super) fn error(&self, error: fjall::Error) -> LogError {
        storage_error(&self.path, error)
    }

    /// Stored bytes that can't be read, with the directory's name.
    pub(super) fn corrupt(&self, error: FormatError) -> LogError {
        LogError::Corrupt(format!("{}: {error}", self.path))
    }

    /// A chunk that can't be read, with its place.
    pub(super) fn corrupt_chunk(&self, partition: u32, base: u64, error: &FormatError) -> LogError {
        let path = &self.path;
        LogError::Corrupt(format!(
            "{path}: partition {partition}, offset {base}: {error}"
        ))
    }

    fn missing(&self, partition: u32, offset: u64) -> LogError {
        let path = &self.path;
        LogError::Corrupt(format!(
            "{path}: partition {partition} has no record at offset {offset}"
        ))
    }
}
