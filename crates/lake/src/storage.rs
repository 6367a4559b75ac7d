//! Files of the lake on a local file system, with the two promises that landing rests on: what was put is on disk, and
//! of two writers of one new file exactly one succeeds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use crate::error::LakeError;

/// A directory tree. Paths are relative to its root, with `/`.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    root: Arc<Path>,
    // Distinguishes temporary files of one process; `salt` does so between processes.
    salt: u64,
    next_temporary: Arc<AtomicU64>,
}

/// What became of a file that had to be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, whole and on disk.
    Created,
    /// Another file has the name.
    Exists,
}

/// A file as a listing shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Relative to the directory that was listed.
    pub(crate) name: String,
    /// When it was last written, microseconds since the Unix epoch.
    pub(crate) modified_micros: i64,
}

impl Storage {
    /// `salt` must differ between processes that share the directory.
    pub(crate) fn new(root: &Path, salt: u64) -> Self {
        Self {
            root: root.into(),
            salt,
            next_temporary: Arc::new(AtomicU64::new(0)),
        }
    }

    /// Where a file is.
    pub(crate) fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file whose name nobody else uses; on disk when it returns.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let full = self.full(path);
        blocking("write", path, move || {
            let folder = make_parent(&full)?;
            let mut file = File::create(&full)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            sync_folder(&folder)
        })
        .await
    }

    /// Writes a file unless one of that name exists; on disk and complete when it returns. On an error the outcome is open.
    pub(crate) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        let full = self.full(path);
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{:016x}-{number}.tmp", self.salt);
        blocking("write", path, move || {
            let folder = make_parent(&full)?;
            let temporary = folder.join(temporary);
            // The name appears only when the content is on disk: a power cut leaves a whole file or none.
            let mut file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .open(&temporary)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            let linked = fs::hard_link(&temporary, &full);
            // A left-over is only litter, which vacuum takes.
            let _ = fs::remove_file(&temporary);
            match linked {
                Ok(()) => sync_folder(&folder).map(|()| Put::Created),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Put::Exists),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// A file's bytes; `None` when there is no such file.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let full = self.full(path);
        blocking("read", path, move || match fs::read(&full) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// The files directly in a directory, in no order; empty when there is no such directory.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
        let full = self.full(path);
        blocking("list", path, move || {
            let entries = match fs::read_dir(&full) {
                Ok(entries) => entries,
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error),
            };
            let mut found = Vec::new();
            for entry in entries {
                let entry = entry?;
                // A file that vanishes while it is being listed is not there.
                let Ok(metadata) = entry.metadata() else {
                    continue;
                };
                if metadata.is_file() {
                    let modified = metadata
                        .modified()?
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default();
                    found.push(Listed {
                        name: entry.file_name().to_string_lossy().into_owned(),
                        modified_micros: i64::try_from(modified.as_micros()).unwrap_or(i64::MAX),
                    });
                }
            }
            Ok(found)
        })
        .await
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        let full = self.full(path);
        blocking("remove", path, move || match fs::remove_file(&full) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }
}

fn make_parent(full: &Path) -> io::Result<PathBuf> {
    let folder = full
        .parent()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    if !folder.is_dir() {
        fs::create_dir_all(folder)?;
        // The new directory's own name must survive a power cut too.
        for ancestor in folder
            .ancestors()
            .skip(1)
            .take(2)
            .filter(|ancestor| !ancestor.as_os_str().is_empty())
        {
            sync_folder(ancestor)?;
        }
    }
    Ok(folder.to_owned())
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

async fn blocking<T: Send + 'static>(
    action: &'static str,
    path: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, LakeError> {
    let done = tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| LakeError::Worker(error.to_string()))?;
    done.map_err(|source| LakeError::Storage {
        action,
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::{Put, Storage};

    #[tokio::test]
    async fn of_many_writers_of_a_new_file_exactly_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..8_u64 {
            let storage = Storage::new(folder.path(), racer);
            racers.spawn(async move {
                storage
                    .put_new("t/_delta_log/1.json", vec![racer as u8; 100])
                    .await
                    .unwrap()
            });
        }
        let outcomes = racers.join_all().await;
        assert_eq!(
            outcomes
                .iter()
                .filter(|outcome| **outcome == Put::Created)
                .count(),
            1
        );
        let storage = Storage::new(folder.path(), 9);
        let bytes = storage.get("t/_delta_log/1.json").await.unwrap().unwrap();
        assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(
            storage.list("t/_delta_log").await.unwrap().len(),
            1,
            "temporary files are gone"
        );
    }

    #[tokio::test]
    async fn files_that_are_not_there_are_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(folder.path(), 0);
        assert_eq!(storage.get("nope").await.unwrap(), None);
        assert!(storage.list("nope").await.unwrap().is_empty());
        storage.remove("nope").await.unwrap();
    }
}
