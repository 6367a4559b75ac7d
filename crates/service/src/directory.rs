//! Directories that one process owns: a lock that names its holder, and creation that happens wholly or not at all.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use crate::clock::Clock;

/// The file whose lock says that the directory is in use; its text says by whom.
const LOCK_FILE: &str = "in-use.lock";

/// The longest holder's text that is read back: a line of ours is about 60 bytes.
const HOLDER_BYTES: u64 = 200;

/// Why a directory can't be owned.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another process, or another part of this one, holds it.
    #[error("{path} is in use by {holder}; stop it, or choose another data directory")]
    InUse {
        /// The directory.
        path: String,
        /// Who holds it, such as `process 1234 (started 2026-01-02T03:04:05Z)`.
        holder: String,
    },
    /// The file system refused.
    #[error("can't {action} {path}: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A database lacks a file that each complete one has.
    #[error("{path}: the file {file:?} is missing")]
    Incomplete {
        /// The folder that should hold it.
        path: String,
        /// Its name.
        file: &'static str,
    },
}

/// A file that every database of fjall has, from the moment it is complete.
const MARKER: &str = "version";
/// The folder of its keyspaces, and the file that each of them has: its pointer to its newest tables.
const KEYSPACES: &str = "keyspaces";
const POINTER: &str = "current";

/// Refuses a folder that fjall would take for a database, or for one of its keyspaces, that was never finished: it would
/// begin again, empty, and remove what is left.
///
/// # Errors
///
/// [`DirectoryError::Incomplete`], or that of the file system.
pub fn check_database(folder: &Path) -> Result<(), DirectoryError> {
    let has = |place: &Path, file: &'static str| match place.join(file).is_file() {
        true => Ok(()),
        false => Err(DirectoryError::Incomplete {
            path: place.display().to_string(),
            file,
        }),
    };
    has(folder, MARKER)?;
    let keyspaces = folder.join(KEYSPACES);
    for entry in std::fs::read_dir(&keyspaces).map_err(io("read", &keyspaces))? {
        let keyspace = entry.map_err(io("read", &keyspaces))?.path();
        if keyspace.is_dir() {
            has(&keyspace, POINTER)?;
        }
    }
    Ok(())
}

/// A directory that this process owns until the lock is dropped. The operating system lets go of it when the process
/// ends in any way, so nothing has to be cleaned up after a kill.
#[derive(Debug)]
pub struct DirectoryLock {
    // Held for its lock alone.
    _file: File,
}

impl DirectoryLock {
    /// Creates `directory` if need be and takes it.
    pub fn acquire(directory: &Path, clock: &dyn Clock) -> Result<Self, DirectoryError> {
        std::fs::create_dir_all(directory).map_err(io("create", directory))?;
        let path = directory.join(LOCK_FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(io("write", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(DirectoryError::InUse {
                    path: directory.display().to_string(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(error)) => return Err(io("lock", &path)(error)),
        }
        let started = chrono::DateTime::from_timestamp_micros(clock.now_micros())
            .map(|moment| moment.format("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default();
        let holder = format!("process {} (started {started})", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(io("write", &path))?;
        Ok(Self { _file: file })
    }
}

fn read_holder(file: &mut File) -> String {
    let mut holder = String::new();
    // Between taking the lock and writing its name a holder is nameless for a moment.
    match file.take(HOLDER_BYTES).read_to_string(&mut holder) {
        Ok(read) if read > 0 => holder,
        _ => "another process".into(),
    }
}

/// The folder `name` in `parent`, made by `create` when it does not exist. `create` works in a folder beside it that
/// is renamed when it is complete and synced, so that a kill in between leaves nothing half made under `name`.
pub fn create_once<E: From<DirectoryError>>(
    parent: &Path,
    name: &str,
    create: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<PathBuf, E> {
    let settled = parent.join(name);
    if settled.try_exists().map_err(io("look into", parent))? {
        return Ok(settled);
    }
    let unfinished = parent.join(format!("{name}.new"));
    if unfinished.try_exists().map_err(io("look into", parent))? {
        std::fs::remove_dir_all(&unfinished).map_err(io("remove", &unfinished))?;
    }
    create(&unfinished)?;
    std::fs::rename(&unfinished, &settled).map_err(io("rename", &unfinished))?;
    File::open(parent)
        .and_then(|folder| folder.sync_all())
        .map_err(io("sync", parent))?;
    Ok(settled)
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DirectoryError {
    let path = path.display().to_string();
    move |error| DirectoryError::Io {
        action,
        path,
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::{DirectoryError, DirectoryLock, create_once};
    use crate::clock::SystemClock;

    #[test]
    fn a_held_directory_is_refused_with_its_holder_and_free_again_after_drop() {
        let folder = tempfile::tempdir().unwrap();
        let held = DirectoryLock::acquire(folder.path(), &SystemClock).unwrap();
        let refused = DirectoryLock::acquire(folder.path(), &SystemClock)
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains(&format!("process {} (started 2", std::process::id())),
            "{refused}"
        );
        drop(held);
        DirectoryLock::acquire(folder.path(), &SystemClock).unwrap();
    }

    #[test]
    fn a_file_in_place_of_the_directory_is_named_in_the_error() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "x").unwrap();
        let refused = DirectoryLock::acquire(&file.join("store"), &SystemClock)
            .unwrap_err()
            .to_string();
        assert!(refused.contains("store"), "{refused}");
    }

    #[test]
    fn an_unfinished_folder_is_made_anew_and_a_finished_one_is_kept() {
        let parent = tempfile::tempdir().unwrap();
        let failed = create_once(parent.path(), "db", |folder| {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("half"), "x").unwrap();
            Err(DirectoryError::InUse {
                path: String::new(),
                holder: String::new(),
            })
        });
        assert!(failed.is_err());
        assert!(!parent.path().join("db").exists());
        let make = |folder: &std::path::Path| {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("whole"), "x").unwrap();
            Ok::<(), DirectoryError>(())
        };
        let made = create_once(parent.path(), "db", make).unwrap();
        assert!(made.join("whole").exists() && !made.join("half").exists());
        let kept = create_once(parent.path(), "db", |_| -> Result<(), DirectoryError> {
            panic!("made a second time")
        });
        assert_eq!(kept.unwrap(), made);
    }
}
