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
    #[cfg(test)]
    faults: Option<Arc<faults::Faults>>,
    #[cfg(test)]
    simulated: Option<Arc<simulated::Client>>,
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
            #[cfg(test)]
            faults: None,
            #[cfg(test)]
            simulated: None,
        }
    }

    /// The same tree on a store that fails and lies.
    #[cfg(test)]
    pub(crate) fn with_faults(&self, faults: Arc<faults::Faults>) -> Self {
        Self {
            faults: Some(faults),
            ..self.clone()
        }
    }

    /// The same paths on a store in memory that a test steps through.
    #[cfg(test)]
    pub(crate) fn simulated(&self, client: Arc<simulated::Client>) -> Self {
        Self {
            simulated: Some(client),
            ..self.clone()
        }
    }

    /// Where a file is.
    pub(crate) fn full(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Makes a directory and what lies above it in the tree. The tree's root itself is never made again: one that has
    /// gone was moved or removed, and a new one would hide that.
    pub(crate) async fn make_folder(&self, path: &str) -> Result<(), LakeError> {
        #[cfg(test)]
        if self.simulated.is_some() {
            return Ok(());
        }
        let (full, root) = (self.full(path), Arc::clone(&self.root));
        blocking("make", path, move || {
            check_folder(&root)?;
            make_folder(&full)
        })
        .await
    }

    /// Writes a file whose name nobody else uses, in a folder of a table, which is made if need be; on disk when it returns.
    /// The table's own folder must be there.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.put(path, bytes).await;
        }
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            return faults.put(self, path, bytes).await;
        }
        self.put_file(path, bytes).await
    }

    async fn put_file(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
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

    /// Writes a file, in a folder that must be there, unless one of that name exists; on disk and complete when it returns.
    /// On an error the outcome is open.
    pub(crate) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.put_new(path, bytes).await;
        }
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            return faults.put_new(self, path, bytes).await;
        }
        self.put_new_file(path, bytes).await
    }

    async fn put_new_file(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
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

    /// True when there is a file of that name.
    pub(crate) async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.exists(path).await;
        }
        let full = self.full(path);
        blocking("look for", path, move || full.try_exists()).await
    }

    /// A file's bytes; `None` when there is no such file.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.get(path).await;
        }
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            faults.read(self, path).await?;
        }
        let full = self.full(path);
        blocking("read", path, move || match fs::read(&full) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// The files directly in a directory, in no order; empty when there is no such directory. A listing of a few files is
    /// what was there at one moment during the call.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.list(path).await;
        }
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            faults.read(self, path).await?;
        }
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

    /// Waits before the store is asked again.
    pub(crate) async fn pause(&self, time: std::time::Duration) {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            client.turn().await;
            return;
        }
        tokio::time::sleep(time).await;
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        #[cfg(test)]
        if let Some(client) = &self.simulated {
            return client.remove(path).await;
        }
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

#[cfg(test)]
pub(crate) mod faults;

#[cfg(test)]
pub(crate) mod simulated;

#[cfg(test)]
mod tests {
    use super::{Put, Storage};

    #[tokio::test]
    async fn of_many_writers_of_a_new_file_exactly_one_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(folder.path(), 9);
        storage.make_folder("t/_delta_log").await.unwrap();
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
        let bytes = storage.get("t/_delta_log/1.json").await.unwrap().unwrap();
        assert!(bytes.len() == 100 && bytes.iter().all(|byte| *byte == bytes[0]));
        assert_eq!(
            storage.list("t/_delta_log").await.unwrap().len(),
            1,
            "temporary files are gone"
        );
    }

    #[tokio::test]
    async fn directories_that_vanished_are_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let storage = Storage::new(&folder.path().join("lake"), 0);
        let failures = [
            storage.make_folder("t/_delta_log").await.unwrap_err(),
            storage.put("t/day=1/a.parquet", vec![1]).await.unwrap_err(),
            storage
                .put_new("t/_delta_log/1.json", vec![1])
                .await
                .unwrap_err(),
        ];
        for failure in failures {
            let text = failure.to_string();
            assert!(text.contains("is gone") && text.contains("lake"), "{text}");
        }
        assert!(!folder.path().join("lake").exists());
        std::fs::create_dir_all(folder.path().join("lake/t")).unwrap();
        storage.put("t/day=1/a.parquet", vec![1]).await.unwrap();
        storage
            .put_new("t/_delta_log/1.json", vec![1])
            .await
            .unwrap_err();
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
