//! The lake as queries see it: one consistent cut at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arrow::datatypes::SchemaRef;
use datafusion::datasource::TableProvider;
use gamepipe_config::lake::LakeConfig;
use gamepipe_domain::definition::game::{Game, Table};
use gamepipe_domain::definition::system;
use object_store::ObjectStore;

use crate::error::{BucketError, LakeError};
use crate::provider::PinnedTable;
use crate::snapshot::TableSnapshot;
use crate::snapshot::followed_log::FollowedLog;
use crate::store::{LakeObjects, LakeStore};

mod declared;
mod epochs;

use epochs::{EpochTail, Pinned};

/// Why the lake can't be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A file can't be read.
    #[error("can't read {path} of the lake: {source}")]
    Store {
        /// Below the lake's root.
        path: String,
        /// Why.
        source: object_store::Error,
    },
    /// An object of a bucket can't be read.
    #[error("can't read {path} of the lake in {lake}: {source}")]
    Bucket {
        /// Below the lake's root.
        path: String,
        /// Where the lake is.
        lake: String,
        /// Why.
        source: BucketError,
    },
    /// A table's log says something that this reader can't follow.
    #[error("table {table}: {reason}")]
    Table {
        /// Which one.
        table: String,
        /// What it says.
        reason: String,
    },
}

/// Which columns and tables are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The declared tables with their declared columns, nothing else.
    Declared,
    /// Every table of the lake with all its columns.
    Raw,
}

/// Reads the lake of one game. Shared by all queries: what has been read of the logs is kept.
#[derive(Debug)]
pub struct LakeReader {
    game: Arc<Game>,
    store: LakeStore,
    epochs: EpochTail,
    logs: BTreeMap<String, Arc<FollowedLog>>,
    /// Tables that epochs name and the definition no longer has.
    dropped: Mutex<BTreeMap<String, Arc<FollowedLog>>>,
}

impl LakeReader {
    /// A reader of the lake that the settings name. Nothing is read yet; a directory need not exist.
    ///
    /// # Errors
    /// [`LakeError::Path`] when the settings name nothing that can be a lake.
    pub fn open(config: &LakeConfig, game: Arc<Game>) -> Result<Arc<Self>, LakeError> {
        Ok(Self::of(LakeStore::open(config)?, game))
    }

    /// As [`Self::open`], on clients that are there already.
    ///
    /// # Errors
    /// [`LakeError::Path`] when their name can't be a place's.
    pub fn open_on(objects: LakeObjects, game: Arc<Game>) -> Result<Arc<Self>, LakeError> {
        Ok(Self::of(LakeStore::on(objects)?, game))
    }

    fn of(store: LakeStore, game: Arc<Game>) -> Arc<Self> {
        let mut logs = BTreeMap::new();
        let declared = game.tables().iter().map(|table| table.name.as_str());
        for name in declared.chain(system::RESERVED_TABLES) {
            let log = FollowedLog::new(name, store.clone());
            logs.insert(name.to_owned(), Arc::new(log));
        }
        Arc::new(Self {
            game,
            epochs: EpochTail::new(store.clone()),
            store,
            logs,
            dropped: Mutex::default(),
        })
    }

    /// The game whose lake this is.
    pub fn game(&self) -> &Arc<Game> {
        &self.game
    }

    /// The lake's files; nothing else can be reached through it.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        self.store.objects()
    }

    /// The log of a table that the definition no longer has.
    fn dropped(&self, name: &str) -> Arc<FollowedLog> {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(FollowedLog::new(name, self.store.clone()));
        dropped.entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// Pins the newest consistent cut: the table versions that the newest epoch names.
    pub async fn cut(self: &Arc<Self>) -> Result<Cut, ReadError> {
        let pinned = self.epochs.newest().await?;
        Ok(Cut {
            reader: self.clone(),
            pinned,
        })
    }
}

/// One consistent cut over all tables: the same cut gives the same rows again.
#[derive(Debug, Clone)]
pub struct Cut {
    reader: Arc<LakeReader>,
    pinned: Arc<Pinned>,
}

impl Cut {
    /// The epoch behind this cut; 0 before the first.
    pub fn epoch(&self) -> u64 {
        self.pinned.epoch
    }

    /// The pinned version of a table. A table that no epoch names yet is as it was created.
    pub fn version(&self, table: &str) -> u64 {
        if table == system::EPOCHS {
            return self.pinned.epochs_version;
        }
        self.pinned.versions.get(table).copied().unwrap_or(0)
    }

    /// The names of the tables that `view` shows, in order.
    pub fn table_names(&self, view: View) -> Vec<String> {
        match view {
            View::Declared => {
                let tables = self.reader.game.tables().iter();
                tables.map(|table| table.name.clone()).collect()
            }
            View::Raw => {
                let all = self.reader.logs.keys().chain(self.pinned.versions.keys());
                all.cloned().collect::<BTreeSet<_>>().into_iter().collect()
            }
        }
    }

    fn log(&self, view: View, name: &str) -> Option<Arc<FollowedLog>> {
        match (self.reader.logs.get(name), view) {
            (Some(log), View::Raw) => Some(log.clone()),
            (Some(log), View::Declared) => self.declared(name).map(|_| log.clone()),
            (None, View::Raw) if self.pinned.versions.contains_key(name) => {
                Some(self.reader.dropped(name))
            }
            (None, _) => None,
        }
    }

    /// The table called `name` in this cut; `None` when `view` has no such table.
    pub async fn snapshot(
        &self,
        view: View,
        name: &str,
    ) -> Result<Option<Arc<TableSnapshot>>, ReadError> {
        let Some(log) = self.log(view, name) else {
            return Ok(None);
        };
        let version = self.version(name);
        if let Some(snapshot) = log.at(version).await? {
            return Ok(Some(snapshot));
        }
        if version > 0 {
            return Err(ReadError::Table {
                table: name.to_owned(),
                reason: format!(
                    "its log is gone, though version {version} of it was landed; was the lake moved or emptied?"
                ),
            });
        }
        Ok(Some(Arc::new(TableSnapshot {
            version: None,
            schema: declared::schema_before_creation(name, self.reader.game.tables()),
            partition_columns: Arc::from([]),
            files: Arc::default(),
            statistics: OnceLock::new(),
        })))
    }

    /// The columns of a table as `view` shows them; `None` when there is no such table.
    pub async fn schema(&self, view: View, name: &str) -> Result<Option<SchemaRef>, ReadError> {
        if view == View::Declared {
            return Ok(self.declared(name).map(declared::schema_of));
        }
        Ok(self
            .snapshot(view, name)
            .await?
            .map(|snapshot| snapshot.schema.clone()))
    }

    /// The table for queries; `None` when `view` has no such table.
    pub async fn table(
        &self,
        view: View,
        name: &str,
    ) -> Result<Option<Arc<dyn TableProvider>>, ReadError> {
        let Some(snapshot) = self.snapshot(view, name).await? else {
            return Ok(None);
        };
        let schema = match (view, self.declared(name)) {
            (View::Declared, Some(table)) => declared::schema_of(table),
            _ => snapshot.schema.clone(),
        };
        Ok(Some(Arc::new(PinnedTable::new(
            schema,
            snapshot,
            &self.reader.store,
        ))))
    }

    fn declared(&self, name: &str) -> Option<&Table> {
        self.reader
            .game
            .tables()
            .iter()
            .find(|table| table.name == name)
    }
}
