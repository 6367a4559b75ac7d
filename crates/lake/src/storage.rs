//! Files of the lake, with the two promises that landing rests on: what was put is durable, and of two writers of one new
//! file exactly one succeeds.

use std::sync::Arc;

use deltalake::DeltaTable;
use gamepipe_config::lake::LakeConfig;

use crate::error::LakeError;
use crate::reading::LakeFile;
use crate::store::{LakeStore, Place};

pub(crate) mod bucket;
mod directory;

use bucket::Objects;
use directory::Directory;

/// The lake's files. Paths are relative to its root, with `/`.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    store: LakeStore,
    backend: Backend,
    #[cfg(test)]
    faults: Option<Arc<faults::Faults>>,
}

#[derive(Debug, Clone)]
enum Backend {
    Directory(Directory),
    Bucket(Objects),
    /// In memory, stepped through by a test.
    #[cfg(test)]
    Simulated(Arc<simulated::Client>),
}

/// What became of a file that had to be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Put {
    /// It is there, whole and durable.
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
    /// The files of the lake that the settings name; a directory is made when it is absent. `salt` must differ between
    /// processes that share the lake.
    pub(crate) fn open(config: &LakeConfig, salt: u64) -> Result<Self, LakeError> {
        let store = LakeStore::open(config)?;
        let Place::Directory(path) = store.place() else {
            return Ok(Self::of(store, salt));
        };
        let refuse = |detail: String| LakeError::Path {
            path: config.path.clone(),
            detail,
        };
        std::fs::create_dir_all(path).map_err(|error| refuse(error.to_string()))?;
        let root = path
            .canonicalize()
            .map_err(|error| refuse(error.to_string()))?;
        Ok(Self::of(LakeStore::directory(&root).map_err(refuse)?, salt))
    }

    /// The files of a store. `salt` must differ between processes that share the lake.
    pub(crate) fn of(store: LakeStore, salt: u64) -> Self {
        let backend = match store.place() {
            Place::Directory(root) => Backend::Directory(Directory::new(Arc::clone(root), salt)),
            Place::Bucket(bucket) => {
                Backend::Bucket(Objects::new(&store, Arc::clone(bucket), salt))
            }
        };
        Self {
            store,
            backend,
            #[cfg(test)]
            faults: None,
        }
    }

    /// The same files on a store that fails and lies.
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
            backend: Backend::Simulated(client),
            ..self.clone()
        }
    }

    /// Where a file is, for texts.
    pub(crate) fn full(&self, path: &str) -> String {
        self.store.shown(path)
    }

    /// A file of a table, to be read as Parquet.
    pub(crate) fn file(&self, path: String, size: i64) -> LakeFile {
        LakeFile::new(&self.store, path, size.unsigned_abs())
    }

    /// A table as Delta readers see it, of which nothing has been read yet.
    pub(crate) fn delta_table(&self, name: &str) -> Result<DeltaTable, LakeError> {
        self.store.delta_table(name)
    }

    /// Proves that this process may do here what landing does, and that the store keeps its promises. A bucket only: what a
    /// directory refuses, it refuses at the first write and says why.
    pub(crate) async fn check(&self) -> Result<(), LakeError> {
        match &self.backend {
            Backend::Directory(_) => Ok(()),
            Backend::Bucket(objects) => objects.check().await,
            #[cfg(test)]
            Backend::Simulated(_) => Ok(()),
        }
    }

    /// Makes a directory and what lies above it in the tree, where there are directories. The tree's root itself is never
    /// made again: one that has gone was moved or removed, and a new one would hide that.
    pub(crate) async fn make_folder(&self, path: &str) -> Result<(), LakeError> {
        match &self.backend {
            Backend::Directory(directory) => directory.make_folder(path).await,
            Backend::Bucket(_) => Ok(()),
            #[cfg(test)]
            Backend::Simulated(_) => Ok(()),
        }
    }

    /// Writes a file whose name nobody else uses, in a folder of a table, which is made if need be; durable when it returns.
    /// In a directory the table's own folder must be there.
    pub(crate) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            return faults.put(self, path, bytes).await;
        }
        self.put_file(path, bytes).await
    }

    async fn put_file(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        match &self.backend {
            Backend::Directory(directory) => directory.put(path, bytes).await,
            Backend::Bucket(objects) => objects.put(path, bytes).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.put(path, bytes).await,
        }
    }

    /// Writes a file, in a folder that must be there, unless one of that name exists; durable and complete when it returns.
    /// On an error the outcome is open.
    pub(crate) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            return faults.put_new(self, path, bytes).await;
        }
        self.put_new_file(path, bytes).await
    }

    async fn put_new_file(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        match &self.backend {
            Backend::Directory(directory) => directory.put_new(path, bytes).await,
            Backend::Bucket(objects) => objects.put_new(path, bytes).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.put_new(path, bytes).await,
        }
    }

    /// True when there is a file of that name.
    pub(crate) async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        match &self.backend {
            Backend::Directory(directory) => directory.exists(path).await,
            Backend::Bucket(objects) => objects.exists(path).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.exists(path).await,
        }
    }

    /// A file's bytes; `None` when there is no such file.
    pub(crate) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            faults.read(self, path).await?;
        }
        match &self.backend {
            Backend::Directory(directory) => directory.get(path).await,
            Backend::Bucket(objects) => objects.get(path).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.get(path).await,
        }
    }

    /// The files directly in a directory, in no order; empty when there is no such directory. A listing of a few files is
    /// what was there at one moment during the call.
    pub(crate) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
        #[cfg(test)]
        if let Some(faults) = &self.faults {
            faults.read(self, path).await?;
        }
        match &self.backend {
            Backend::Directory(directory) => directory.list(path).await,
            Backend::Bucket(objects) => objects.list(path).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.list(path).await,
        }
    }

    /// Waits before the store is asked again.
    pub(crate) async fn pause(&self, time: std::time::Duration) {
        #[cfg(test)]
        if let Backend::Simulated(client) = &self.backend {
            client.turn().await;
            return;
        }
        tokio::time::sleep(time).await;
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        match &self.backend {
            Backend::Directory(directory) => directory.remove(path).await,
            Backend::Bucket(objects) => objects.remove(path).await,
            #[cfg(test)]
            Backend::Simulated(client) => client.remove(path).await,
        }
    }
}

#[cfg(test)]
pub(crate) mod faults;

#[cfg(test)]
pub(crate) mod simulated;

#[cfg(test)]
pub(crate) mod tests;
