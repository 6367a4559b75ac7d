//! Follows one table's log: entries are read once, as they come, and the live files are kept.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use arrow::datatypes::SchemaRef;
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;

use super::actions::{Add, LogEntry, Metadata, Protocol, decode_log_entry};
use super::bounds::data_file;
use super::types::decode_schema;
use super::{DataFile, TableSnapshot};
use crate::error::without_backtrace;
use crate::reader::ReadError;
use crate::store::LakeStore;

/// How many past versions stay at hand: a query pins its versions at its start and may resolve a table a few commits later.
const KEPT_VERSIONS: usize = 4;
/// How many entries are fetched at once when a log is read from its beginning.
const FETCHES_AT_ONCE: usize = 16;
/// The reader features that this reader has. All it lacks would make it give wrong rows.
const FEATURES: [&str; 2] = ["timestampNtz", "v2Checkpoint"];

/// A table's log and how far it has been read.
#[derive(Debug)]
pub(crate) struct FollowedLog {
    name: String,
    store: LakeStore,
    recent: RwLock<VecDeque<Arc<TableSnapshot>>>,
    state: tokio::sync::Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    version: u64,
    schema: SchemaRef,
    partition_columns: Arc<[String]>,
    files: Arc<Vec<Arc<DataFile>>>,
}

impl FollowedLog {
    pub(crate) fn new(name: &str, store: LakeStore) -> Self {
        Self {
            name: name.to_owned(),
            store,
            recent: RwLock::default(),
            state: tokio::sync::Mutex::default(),
        }
    }

    /// The table at `version`; `None` when it has not been created yet.
    pub(crate) async fn at(&self, version: u64) -> Result<Option<Arc<TableSnapshot>>, ReadError> {
        if let Some(known) = self.known(version) {
            return Ok(Some(known));
        }
        let mut state = self.state.lock().await;
        // Another query may have read it meanwhile.
        if let Some(known) = self.known(version) {
            return Ok(Some(known));
        }
        if state.as_ref().is_some_and(|state| state.version > version) {
            // Older than what is at hand: read on the side, and leave the state where it is.
            return self
                .load(version)
                .await
                .map(|loaded| Some(self.remember(&loaded)));
        }
        let reached = match state.take() {
            Some(mut from) => match self.advance(&mut from, version).await? {
                true => from,
                // The entries are gone: a checkpoint has taken their place.
                false => self.load(version).await?,
            },
            None => match self.open(version).await? {
                Some(opened) => opened,
                None => return Ok(None),
            },
        };
        let snapshot = self.remember(&reached);
        *state = Some(reached);
        Ok(Some(snapshot))
    }

    fn known(&self, version: u64) -> Option<Arc<TableSnapshot>> {
        let recent = self.recent.read().unwrap_or_else(PoisonError::into_inner);
        recent
            .iter()
            .find(|snapshot| snapshot.version == Some(version))
            .cloned()
    }

    fn remember(&self, state: &State) -> Arc<TableSnapshot> {
        let snapshot = Arc::new(TableSnapshot {
            version: Some(state.version),
            schema: state.schema.clone(),
            partition_columns: state.partition_columns.clone(),
            files: state.files.clone(),
            statistics: OnceLock::new(),
        });
        let mut recent = self.recent.write().unwrap_or_else(PoisonError::into_inner);
        recent.push_back(snapshot.clone());
        if recent.len() > KEPT_VERSIONS {
            recent.pop_front();
        }
        snapshot
    }

    /// Reads a table for the first time: entry by entry, or from its checkpoint when it has one.
    async fn open(&self, version: u64) -> Result<Option<State>, ReadError> {
        if self.store.has(&self.log_path("_last_checkpoint")).await? {
            return self.load(version).await.map(Some);
        }
        let Some(first) = self.entry(0).await? else {
            return Ok(None);
        };
        let mut state = self.create(first)?;
        if self.advance(&mut state, version).await? {
            return Ok(Some(state));
        }
        self.load(version).await.map(Some)
    }

    fn create(&self, first: LogEntry) -> Result<State, ReadError> {
        let metadata = first
            .metadata
            .as_ref()
            .ok_or_else(|| self.broken(0, "no metadata".to_owned()))?;
        let (schema, partition_columns) = self.columns(metadata, 0)?;
        let mut state = State {
            version: 0,
            schema,
            partition_columns,
            files: Arc::default(),
        };
        self.apply(&mut state, 0, first)?;
        Ok(state)
    }

    /// Reads the entries after the state up to `version`; false when one of them is not there any more.
    async fn advance(&self, state: &mut State, version: u64) -> Result<bool, ReadError> {
        let wanted = (state.version + 1)..=version;
        let mut entries = stream::iter(wanted)
            .map(|number| async move { self.entry(number).await.map(|entry| (number, entry)) })
            .buffered(FETCHES_AT_ONCE);
        while let Some((number, entry)) = entries.try_next().await? {
            let Some(entry) = entry else {
                return Ok(false);
            };
            self.apply(state, number, entry)?;
        }
        Ok(true)
    }

    fn apply(&self, state: &mut State, version: u64, entry: LogEntry) -> Result<(), ReadError> {
        if let Some(protocol) = &entry.protocol {
            self.check_protocol(protocol)?;
        }
        if let Some(metadata) = &entry.metadata {
            (state.schema, state.partition_columns) = self.columns(metadata, version)?;
        }
        state.version = version;
        if entry.adds.is_empty() && entry.removes.is_empty() {
            return Ok(());
        }
        // Copies the list (of pointers) only while a query still holds the last one.
        let files = Arc::make_mut(&mut state.files);
        if !entry.removes.is_empty() {
            let gone = entry
                .removes
                .iter()
                .map(|path| self.file_path(path))
                .collect::<Result<HashSet<_>, _>>()?;
            files.retain(|file| !gone.contains(&file.path));
        }
        for add in &entry.adds {
            let path = self.file_path(&add.path)?;
            let file = data_file(path, add, &state.schema)
                .map_err(|reason| self.broken(version, reason))?;
            files.push(Arc::new(file));
        }
        Ok(())
    }

    /// Where the file of an action lies: its path is relative to the table and percent-encoded.
    fn file_path(&self, path: &str) -> Result<Path, ReadError> {
        let refused = |reason: &str| ReadError::Table {
            table: self.name.clone(),
            reason: format!("file {path}: {reason}"),
        };
        if path.contains("://") || path.starts_with('/') {
            return Err(refused("lies outside the table"));
        }
        Path::from_url_path(format!("{}/{path}", self.name))
            .map_err(|error| refused(&error.to_string()))
    }

    fn columns(
        &self,
        metadata: &Metadata,
        version: u64,
    ) -> Result<(SchemaRef, Arc<[String]>), ReadError> {
        let schema = decode_schema(&metadata.schema_string)
            .map_err(|reason| self.broken(version, reason))?;
        Ok((Arc::new(schema), metadata.partition_columns.clone().into()))
    }

    fn check_protocol(&self, protocol: &Protocol) -> Result<(), ReadError> {
        let lacking: Vec<&str> = protocol
            .reader_features
            .iter()
            .map(String::as_str)
            .filter(|name| !FEATURES.contains(name))
            .collect();
        // Version 2 is column mapping and nothing else.
        if protocol.min_reader_version == 2 || !lacking.is_empty() {
            let what = if lacking.is_empty() {
                "columnMapping".to_owned()
            } else {
                lacking.join(", ")
            };
            return Err(ReadError::Table {
                table: self.name.clone(),
                reason: format!("needs reader features that gamepipe does not have: {what}"),
            });
        }
        Ok(())
    }

    async fn entry(&self, version: u64) -> Result<Option<LogEntry>, ReadError> {
        let path = self.log_path(&format!("{version:020}.json"));
        match self.store.fetch(&path).await? {
            Some(text) => decode_log_entry(&text)
                .map(Some)
                .map_err(|reason| self.broken(version, reason)),
            None => Ok(None),
        }
    }

    /// Reads a version through its checkpoint, with deltalake.
    async fn load(&self, version: u64) -> Result<State, ReadError> {
        let failed = |error: deltalake::DeltaTableError| ReadError::Table {
            table: self.name.clone(),
            reason: format!(
                "version {version} can't be opened: {}",
                without_backtrace(&error)
            ),
        };
        let table = self.store.delta_table(&self.name);
        let mut table = table.map_err(|error| self.broken(version, error.to_string()))?;
        table.load_version(version).await.map_err(failed)?;
        let snapshot = table.snapshot().map_err(failed)?;
        let protocol =
            serde_json::to_value(snapshot.protocol()).and_then(serde_json::from_value::<Protocol>);
        self.check_protocol(&protocol.map_err(|error| self.broken(version, error.to_string()))?)?;
        let schema_string = serde_json::to_string(snapshot.schema().as_ref());
        let metadata = Metadata {
            schema_string: schema_string
                .map_err(|error| self.broken(version, error.to_string()))?,
            partition_columns: snapshot.metadata().partition_columns().to_vec(),
        };
        let (schema, partition_columns) = self.columns(&metadata, version)?;
        let mut files = Vec::new();
        for view in snapshot.log_data().iter() {
            let path = Path::parse(format!("{}/{}", self.name, view.object_store_path()))
                .map_err(|error| self.broken(version, error.to_string()))?;
            let add = Add {
                path: view.path().into_owned(),
                size: view.size(),
                modification_time: view.modification_time(),
                partition_values: view.partition_values_map().into_iter().collect(),
                stats: view.stats(),
                deletion_vector: view
                    .deletion_vector_descriptor()
                    .map(|_| serde_json::Value::Bool(true)),
            };
            let file =
                data_file(path, &add, &schema).map_err(|reason| self.broken(version, reason))?;
            files.push(Arc::new(file));
        }
        Ok(State {
            version,
            schema,
            partition_columns,
            files: Arc::new(files),
        })
    }

    fn log_path(&self, file: &str) -> Path {
        Path::from(format!("{}/_delta_log/{file}", self.name))
    }

    fn broken(&self, version: u64, reason: String) -> ReadError {
        ReadError::Table {
            table: self.name.clone(),
            reason: format!("log entry {version}: {reason}"),
        }
    }
}
