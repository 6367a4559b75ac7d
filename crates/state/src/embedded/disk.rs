//! The directory: opening, the keyspaces, the durable view, and reads of many entries.

use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, LsmError, PersistMode, Readable, Snapshot};
use gamepipe_domain::entity::{Entity, EntityId};
use gamepipe_domain::outbox::OutboxMarks;
use gamepipe_service::clock::Clock;
use gamepipe_service::directory::{DirectoryError, DirectoryLock, check_database, create_once};
use tokio::sync::watch;

use crate::encode;
use crate::format::meta::{self, Identity};
use crate::format::{FormatError, entity, outbox};
use crate::store::{OutboxEntry, StateError};

/// The folder of the database within the store's directory.
const FOLDER: &str = "db";

/// How much of a keyspace's changes gather in memory before they are written as a table, in bytes. The memory of a busy
/// store is a few times this.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// How large the journals may grow on disk, in bytes. They are read again at start: about a second at this size.
const JOURNAL_BYTES: u64 = 192 << 20;

/// One thread writes tables while the other merges them.
const WORKERS: usize = 2;

/// The most that one read of many entries returns, whatever was asked for: it bounds a caller's memory.
const MAX_READ: usize = 10_000;

/// What can be read: everything durable, at one moment.
pub(super) struct View {
    /// The keyspaces at that moment.
    pub(super) snapshot: Snapshot,
    /// How far the outbox had come.
    pub(super) marks: OutboxMarks,
}

/// The open directory.
pub(super) struct Disk {
    /// The directory, for errors.
    pub(super) path: String,
    /// What the store got when it was made.
    pub(super) identity: Identity,
    view: watch::Sender<Arc<View>>,
    pub(super) entities: Keyspace,
    pub(super) idempotency: Keyspace,
    pub(super) expiry: Keyspace,
    pub(super) outbox: Keyspace,
    pub(super) meta: Keyspace,
    pub(super) db: Database,
    // Fields are dropped in this order: the directory is free when the database is closed, not before.
    _lock: DirectoryLock,
}

impl Disk {
    /// Opens or makes the store in `path`.
    pub(super) fn open(
        path: &Path,
        cache_bytes: u64,
        clock: &dyn Clock,
    ) -> Result<Self, StateError> {
        if path.as_os_str().is_empty() {
            return Err(StateError::Unavailable("no directory is configured".into()));
        }
        let lock = DirectoryLock::acquire(path, clock)?;
        let folder = create_once(path, FOLDER, |folder| create(folder, cache_bytes, clock))?;
        check_database(&folder)?;
        let path = path.display().to_string();
        let db = open_database(&folder, cache_bytes)?;
        let open = |name| open_keyspace(&db, name).map_err(|error| storage_error(&path, error));
        let (entities, idempotency) = (open("entities")?, open("idempotency")?);
        let (expiry, outbox, meta) = (open("idempotency_expiry")?, open("outbox")?, open("meta")?);
        let fact = |name: &[u8]| {
            let missing = || StateError::Corrupt(format!("{path}: its identity is missing"));
            let found = meta
                .get(name)
                .map_err(|error| storage_error(&path, error))?;
            found.ok_or_else(missing)
        };
        let corrupt = |error: FormatError| StateError::Corrupt(format!("{path}: {error}"));
        let identity = meta::decode_identity(&fact(meta::IDENTITY)?).map_err(corrupt)?;
        let marks = meta::decode_marks(&fact(meta::OUTBOX)?).map_err(corrupt)?;
        let (view, _) = watch::channel(Arc::new(View {
            snapshot: db.snapshot(),
            marks,
        }));
        Ok(Self {
            path,
            identity,
            view,
            entities,
            idempotency,
            expiry,
            outbox,
            meta,
            db,
            _lock: lock,
        })
    }

    /// What can be read now.
    pub(super) fn view(&self) -> Arc<View> {
        Arc::clone(&self.view.borrow())
    }

    /// Makes everything that was written readable. Call it only when that is durable.
    pub(super) fn publish(&self, marks: OutboxMarks) {
        self.view.send_replace(Arc::new(View {
            snapshot: self.db.snapshot(),
            marks,
        }));
    }

    /// Waits until the outbox has an entry above `after`.
    pub(super) async fn wait_for_outbox(&self, after: u64) {
        // Fails only when the sender is gone, which lives as long as `self`.
        let _ = self
            .view
            .subscribe()
            .wait_for(|view| view.marks.last > after)
            .await;
    }

    /// Outbox entries above `after` and not trimmed, in order.
    pub(super) fn outbox(&self, after: u64, max: usize) -> Result<Vec<OutboxEntry>, StateError> {
        let view = self.view();
        // Not from the beginning: trimmed entries may lie there that are not removed yet.
        let after = after.max(view.marks.trimmed);
        let range = (
            Bound::Excluded(outbox::encode_sequence(after)),
            Bound::Included(outbox::encode_sequence(view.marks.last)),
        );
        if after >= view.marks.last {
            return Ok(Vec::new());
        }
        let mut entries = Vec::new();
        for (expected, guard) in (after + 1..).zip(
            view.snapshot
                .range(&self.outbox, range)
                .take(max.min(MAX_READ)),
        ) {
            let (key, value) = guard.into_inner().map_err(|error| self.error(error))?;
            let sequence = outbox::decode_sequence(&key).map_err(|error| self.corrupt(error))?;
            if sequence != expected {
                let text = format!("{}: outbox entry {expected} is missing", self.path);
                return Err(StateError::Corrupt(text));
            }
            entries
                .push(outbox::decode_entry(sequence, &value).map_err(|error| self.corrupt(error))?);
        }
        Ok(entries)
    }

    /// Entities whose stored keys begin with `prefix`, above `after`, in order.
    pub(super) fn scan(
        &self,
        prefix: Vec<u8>,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<(EntityId, Entity)>, StateError> {
        // The prefix ends in a zero byte: the next prefix ends in a one.
        let mut end = prefix.clone();
        end.pop();
        end.push(1);
        let mut start = prefix;
        start.extend_from_slice(after.unwrap_or_default().as_bytes());
        let range = (Bound::Excluded(start), Bound::Excluded(end));
        let view = self.view();
        let mut found = Vec::new();
        for guard in view
            .snapshot
            .range(&self.entities, range)
            .take(max.min(MAX_READ))
        {
            let (key, value) = guard.into_inner().map_err(|error| self.error(error))?;
            let id = entity::decode_key(&key).map_err(|error| self.corrupt(error))?;
            found.push((
                id,
                entity::decode_entity(&value).map_err(|error| self.corrupt(error))?,
            ));
        }
        Ok(found)
    }

    /// A storage error, with the directory's name.
    pub(super) fn error(&self, error: fjall::Error) -> StateError {
        storage_error(&self.path, error)
    }

    /// Stored bytes that can't be read, with the directory's name.
    pub(super) fn corrupt(&self, error: FormatError) -> StateError {
        StateError::Corrupt(format!("{}: {error}", self.path))
    }
}

fn create(folder: &Path, cache_bytes: u64, clock: &dyn Clock) -> Result<(), StateError> {
    let path = folder.display().to_string();
    let identity = Identity {
        outbox_id: encode::new_id(clock),
        created_micros: clock.now_micros(),
    };
    let db = open_database(folder, cache_bytes)?;
    let write = || {
        for name in ["entities", "idempotency", "idempotency_expiry", "outbox"] {
            open_keyspace(&db, name)?;
        }
        let facts = open_keyspace(&db, "meta")?;
        facts.insert(meta::IDENTITY, meta::encode_identity(&identity))?;
        facts.insert(meta::OUTBOX, meta::encode_marks(OutboxMarks::default()))?;
        db.persist(PersistMode::SyncAll)
    };
    write().map_err(|error| storage_error(&path, error))
}

fn open_database(folder: &Path, cache_bytes: u64) -> Result<Database, StateError> {
    let path = folder.display().to_string();
    let open = || {
        Database::builder(folder)
            .cache_size(cache_bytes)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
    };
    // Some damage makes the storage engine panic. It is our directory's fault, not the process's.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| storage_error(&path, error)),
        Err(_) => Err(StateError::Corrupt(format!(
            "{path}: its files are damaged"
        ))),
    }
}

fn open_keyspace(db: &Database, name: &str) -> fjall::Result<Keyspace> {
    db.keyspace(name, || {
        KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES)
    })
}

/// Why the storage engine could not write, in words.
pub(super) fn write_failure(error: &fjall::Error) -> String {
    match error {
        // Its own threads met the cause and have logged it.
        fjall::Error::Poisoned => {
            "a write in the background failed, as an earlier line of the process's log says; is the disk full?".to_owned()
        }
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

fn storage_error(path: &str, error: fjall::Error) -> StateError {
    match error {
        fjall::Error::Locked => StateError::InUse {
            path: path.to_owned(),
            holder: "another process".into(),
        },
        fjall::Error::Poisoned => StateError::Unavailable(format!(
            "{path}: an earlier write failed; the store takes no more changes until it is restarted"
        )),
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => {
            let text = format!("{path}: {error}");
            match error.kind() {
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => {
                    StateError::Corrupt(text)
                }
                _ => StateError::Unavailable(text),
            }
        }
        damaged => StateError::Corrupt(format!("{path}: {damaged}")),
    }
}

impl From<DirectoryError> for StateError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::InUse { path, holder } => Self::InUse { path, holder },
            io @ DirectoryError::Io { .. } => Self::Unavailable(io.to_string()),
            damaged @ DirectoryError::Incomplete { .. } => Self::Corrupt(damaged.to_string()),
        }
    }
}
