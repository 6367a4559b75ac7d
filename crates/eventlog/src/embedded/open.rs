//! Making and opening the database of a log, and what its errors mean.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fjall::{
    CompressionType, Database, Keyspace, KeyspaceCreateOptions, KvSeparationOptions, LsmError,
    PersistMode,
};
use gamepipe_service::clock::Clock;
use gamepipe_service::directory::{DirectoryError, check_database, create_once};

use super::format::meta::{self, Identity, Marks};
use crate::log::LogError;

/// The folder of the database within the log's directory.
const FOLDER: &str = "db";

/// How much of a keyspace's changes gather in memory before they are written as a table, in bytes. The memory of a busy
/// log is a few times this.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// How large the journals may grow on disk, in bytes. They are read again at start: about a second at this size.
const JOURNAL_BYTES: u64 = 192 << 20;

/// Chunks from this size on lie in files of their own, which are never merged with others: what is appended once is
/// written twice (journal, file), not once per level.
const SEPARATE_FROM: u32 = 1024;

/// The size of such a file, in bytes. It goes when all of it is removed.
const FILE_BYTES: u64 = 32 << 20;

/// One thread writes tables while the other merges them.
const WORKERS: usize = 2;

/// More partitions than streamers could share would only make chunks small.
const MAX_PARTITIONS: u32 = 1024;

/// The folder of the log's database in `path`, made when there is none.
pub(super) fn database_folder(
    path: &Path,
    partitions: u32,
    cache_bytes: u64,
    clock: &dyn Clock,
) -> Result<PathBuf, LogError> {
    let make = |folder: &Path| create(folder, partitions, cache_bytes, clock);
    let folder = create_once(path, FOLDER, make)?;
    check_database(&folder)?;
    Ok(folder)
}

fn create(
    folder: &Path,
    partitions: u32,
    cache_bytes: u64,
    clock: &dyn Clock,
) -> Result<(), LogError> {
    let path = folder.display().to_string();
    if !(1..=MAX_PARTITIONS).contains(&partitions) {
        let text = format!("a log has 1 to {MAX_PARTITIONS} partitions, not {partitions}");
        return Err(LogError::Invalid(text));
    }
    let generation = uuid::Builder::from_random_bytes(
        ((u128::from(clock.seed()) << 64) | u128::from(clock.seed())).to_be_bytes(),
    );
    let identity = Identity {
        generation: generation.into_uuid().to_string(),
        partitions,
        created_micros: clock.now_micros(),
    };
    let db = open_database(folder, cache_bytes)?;
    let write = || {
        let (_, _, facts) = open_keyspaces(&db)?;
        facts.insert(meta::IDENTITY, meta::encode_identity(&identity))?;
        for partition in 0..partitions {
            facts.insert(
                meta::partition_name(partition),
                meta::encode_marks(&Marks::default()),
            )?;
        }
        db.persist(PersistMode::SyncAll)
    };
    write().map_err(|error| storage_error(&path, error))
}

/// Opens the database in a folder.
pub(super) fn open_database(folder: &Path, cache_bytes: u64) -> Result<Database, LogError> {
    let path = folder.display().to_string();
    let open = || {
        Database::builder(folder)
            .cache_size(cache_bytes)
            // Chunks are compressed already.
            .journal_compression(CompressionType::None)
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(WORKERS)
            .open()
    };
    // Some damage makes the storage engine panic. It is our directory's fault, not the process's.
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(opened) => opened.map_err(|error| storage_error(&path, error)),
        Err(_) => Err(LogError::Corrupt(format!("{path}: its files are damaged"))),
    }
}

/// The keyspaces `chunks`, `dedupe` and `meta`.
pub(super) fn open_keyspaces(db: &Database) -> fjall::Result<(Keyspace, Keyspace, Keyspace)> {
    let plain = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    let separated = || {
        let options = KvSeparationOptions::default()
            .separation_threshold(SEPARATE_FROM)
            .file_target_size(FILE_BYTES)
            .compression(CompressionType::None);
        plain().with_kv_separation(Some(options))
    };
    Ok((
        db.keyspace("chunks", separated)?,
        db.keyspace("dedupe", plain)?,
        db.keyspace("meta", plain)?,
    ))
}

/// Why the storage engine could not write, in words.
pub(super) fn write_failure(error: &fjall::Error) -> String {
    match error {
        // Its own threads met the cause and have logged it.
        fjall::Error::Poisoned => "a write in the background failed, as an earlier line of the process's log says; is the disk full?".to_owned(),
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => error.to_string(),
        other => other.to_string(),
    }
}

/// What an error of the storage engine means for the log in `path`.
pub(super) fn storage_error(path: &str, error: fjall::Error) -> LogError {
    match error {
        fjall::Error::Locked => LogError::InUse {
            path: path.to_owned(),
            holder: "another process".into(),
        },
        fjall::Error::Poisoned => LogError::Unavailable(format!(
            "{path}: an earlier write failed; the log takes no more records until it is restarted"
        )),
        fjall::Error::Io(error) | fjall::Error::Storage(LsmError::Io(error)) => {
            let text = format!("{path}: {error}");
            match error.kind() {
                std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::InvalidData => {
                    LogError::Corrupt(text)
                }
                _ => LogError::Unavailable(text),
            }
        }
        damaged => LogError::Corrupt(format!("{path}: {damaged}")),
    }
}

impl From<DirectoryError> for LogError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::InUse { path, holder } => Self::InUse { path, holder },
            io @ DirectoryError::Io { .. } => Self::Unavailable(io.to_string()),
            damaged @ DirectoryError::Incomplete { .. } => Self::Corrupt(damaged.to_string()),
        }
    }
}
