//! Files in a directory, with the two promises that landing rests on: what was put is on disk, and of two writers of one
//! new file exactly one succeeds.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use super::{Listed, Put};
use crate::error::LakeError;

/// A directory tree.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    root: Arc<Path>,
    // Distinguishes temporary files of one process; `salt` does so between processes.
    salt: u64,
    next_temporary: Arc<AtomicU64>,
}

impl Directory {
    pub(super) fn new(root: Arc<Path>, salt: u64) -> Self {
        Self {
            root,
            salt,
            next_temporary: Arc::default(),
        }
    }

    /// Where a file is.
    fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The tree's root itself is never made again: one that has gone was moved or removed, and a new one would hide that.
    pub(super) async fn make_folder(&self, path: &str) -> Result<(), LakeError> {
        let (full, root) = (self.full(path), Arc::clone(&self.root));
        blocking("make", path, move || {
            check_folder(&root)?;
            make_folder(&full)
        })
        .await
    }

    /// The table's own folder must be there; others below it are made.
    pub(super) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let full = self.full(path);
        let table = self.full(path.split('/').next().unwrap_or_default());
        blocking("write", path, move || {
            let folder = parent(&full)?;
            if !folder.is_dir() {
                check_folder(&table)?;
                make_folder(&folder)?;
            }
            let mut file = File::create(&full)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            sync_folder(&folder)
        })
        .await
    }

    /// The folder must be there.
    pub(super) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        let full = self.full(path);
        let number = self.next_temporary.fetch_add(1, Ordering::Relaxed);
        let temporary = format!(".{:016x}-{number}.tmp", self.salt);
        blocking("write", path, move || {
            let folder = parent(&full)?;
            check_folder(&folder)?;
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

    pub(super) async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        let full = self.full(path);
        blocking("look for", path, move || full.try_exists()).await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        let full = self.full(path);
        blocking("read", path, move || match fs::read(&full) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
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
                let name = entry.file_name().to_string_lossy().into_owned();
                let metadata = match entry.metadata() {
                    Ok(metadata) => metadata,
                    // A file that vanishes while it is being listed is shown all the same: a listing must be what was there
                    // at one moment, so that of two files of which one replaces the other it shows one.
                    Err(error) if error.kind() == ErrorKind::NotFound => {
                        found.push(Listed {
                            name,
                            modified_micros: i64::MAX,
                        });
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                if metadata.is_file() {
                    let modified = metadata
                        .modified()?
                        .duration_since(UNIX_EPOCH)
                        .unwrap_or_default();
                    found.push(Listed {
                        name,
                        modified_micros: i64::try_from(modified.as_micros()).unwrap_or(i64::MAX),
                    });
                }
            }
            Ok(found)
        })
        .await
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        let full = self.full(path);
        blocking("remove", path, move || match fs::remove_file(&full) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }
}

fn parent(full: &Path) -> io::Result<PathBuf> {
    let folder = full
        .parent()
        .ok_or_else(|| io::Error::from(ErrorKind::InvalidInput))?;
    Ok(folder.to_owned())
}

fn check_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let text = format!(
        "the directory {} is gone; was it moved or removed while in use?",
        folder.display()
    );
    Err(io::Error::new(ErrorKind::NotFound, text))
}

fn make_folder(folder: &Path) -> io::Result<()> {
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
    Ok(())
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
