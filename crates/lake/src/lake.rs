//! The lake of one game: its tables, and how they are made and grown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use arrow::datatypes::SchemaRef;
use deltalake::kernel::Snapshot;
use deltalake::{DeltaTable, DeltaTableError};
use futures::future::try_join_all;
use gamepipe_config::lake::LakeConfig;
use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::game::Table;
use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::clock::SharedClock;
use serde_json::Value;
use tokio::sync::{Mutex, OnceCell};

use crate::commit::Landing;
use crate::entry::{Entry, Operation, create_entry, schema_string};
use crate::error::LakeError;
use crate::intent::INTENTS;
use crate::schema::{
    arrow_schema, column, delta_field, delta_type, epochs_schema, with_system_tables,
};
use crate::storage::Storage;
use crate::store::{LakeObjects, LakeStore};
use crate::table_log::{Fence, TableLog};

/// How often columns are added anew when other writers commit at the same time.
const MAX_GROWTH_ATTEMPTS: u32 = 16;

/// Delta tables in a directory or a bucket, one game's. Share it behind an `Arc`.
#[derive(Debug)]
pub struct Lake {
    game: String,
    tables: Vec<LakeTable>,
    logs: BTreeMap<String, TableLog>,
    pub(crate) storage: Storage,
    pub(crate) clock: SharedClock,
    pub(crate) landing: Mutex<Landing>,
    // The newest epoch that is known, also while an epoch is being landed, and when it was last looked for.
    pub(crate) known_epoch: AtomicU64,
    pub(crate) looked_micros: AtomicI64,
    // That the store was checked.
    checked: OnceCell<()>,
}

/// A table with events' rows.
#[derive(Debug, Clone)]
pub struct LakeTable {
    /// What it is made from.
    pub table: Table,
    /// Its columns by the definition, the system's included.
    pub schema: SchemaRef,
}

impl Lake {
    /// The lake of a game in a directory, which is made when it is absent, or in a bucket, which is not asked yet. Tables
    /// are not touched: a process that only reads opens the lake too; [`Self::prepare`] makes them.
    pub fn open(
        config: &LakeConfig,
        game: Arc<Game>,
        clock: SharedClock,
    ) -> Result<Self, LakeError> {
        Self::open_tables(config, game.name(), game.tables(), clock)
    }

    /// As [`Self::open`], for declared tables that stand alone.
    pub fn open_tables(
        config: &LakeConfig,
        game: &str,
        declared: &[Table],
        clock: SharedClock,
    ) -> Result<Self, LakeError> {
        let storage = Storage::open(config, clock.seed())?;
        Ok(Self::in_storage(storage, game, declared, clock))
    }

    /// As [`Self::open`], on clients that are there already.
    ///
    /// # Errors
    /// [`LakeError::Path`] when their name can't be a place's.
    pub fn open_on(
        objects: LakeObjects,
        game: &Game,
        clock: SharedClock,
    ) -> Result<Self, LakeError> {
        let storage = Storage::of(LakeStore::on(objects)?, clock.seed());
        Ok(Self::in_storage(storage, game.name(), game.tables(), clock))
    }

    fn in_storage(storage: Storage, game: &str, declared: &[Table], clock: SharedClock) -> Self {
        let tables: Vec<LakeTable> = with_system_tables(declared)
            .into_iter()
            .map(|table| LakeTable {
                schema: arrow_schema(&table),
                table,
            })
            .collect();
        let names = tables
            .iter()
            .map(|table| table.table.name.as_str())
            .chain([EPOCHS]);
        let logs = names
            .map(|name| (name.to_owned(), TableLog::new(name, storage.clone())))
            .collect();
        let landing = Mutex::new(Landing::default());
        Self {
            game: game.to_owned(),
            tables,
            logs,
            storage,
            clock,
            landing,
            known_epoch: AtomicU64::new(0),
            looked_micros: AtomicI64::new(0),
            checked: OnceCell::new(),
        }
    }

    /// The same lake on a store that fails and lies. Nothing of it is known yet.
    #[cfg(test)]
    pub(crate) fn on_faulty_store(mut self, faults: Arc<crate::storage::faults::Faults>) -> Self {
        let storage = self.storage.with_faults(faults);
        self.move_to(storage);
        self
    }

    /// The same lake on a store in memory. Nothing of it is known yet.
    #[cfg(test)]
    pub(crate) fn simulated(mut self, client: Arc<crate::storage::simulated::Client>) -> Self {
        let storage = self.storage.simulated(client);
        self.move_to(storage);
        self
    }

    #[cfg(test)]
    fn move_to(&mut self, storage: Storage) {
        for (name, log) in &mut self.logs {
            *log = TableLog::new(name, storage.clone());
        }
        self.storage = storage;
    }

    /// The game's name.
    pub fn game(&self) -> &str {
        &self.game
    }

    /// The tables with events' rows: the declared ones by name, then the system's. `_epochs` is apart.
    pub fn tables(&self) -> &[LakeTable] {
        &self.tables
    }

    /// Checks a bucket once: that this process may do what landing does, and that of two writers of one new object one is
    /// refused. Makes every table that is absent and adds every column that is missing, all tables at once. An existing column of
    /// another type is an error; a column that the definition has no more stays, and is null from then on. So is a table
    /// that has landed rows and is not there any more: an empty one in its place would hide the loss.
    pub async fn prepare(&self) -> Result<(), LakeError> {
        self.checked
            .get_or_try_init(|| self.storage.check())
            .await?;
        self.check_nothing_is_lost().await?;
        let mut work: Vec<_> = Vec::with_capacity(self.tables.len() + 1);
        for table in &self.tables {
            work.push((
                table.table.name.as_str(),
                Arc::clone(&table.schema),
                &[column::EVENT_DATE][..],
            ));
        }
        work.push((EPOCHS, epochs_schema(), &[][..]));
        try_join_all(
            work.into_iter()
                .map(|(name, schema, partition)| self.prepare_table(name, schema, partition)),
        )
        .await?;
        self.storage.make_folder(INTENTS).await
    }

    /// The tables must have the versions that the newest epoch names.
    pub(crate) async fn check_nothing_is_lost(&self) -> Result<(), LakeError> {
        let Some(last) = self.newest_epoch().await? else {
            return Ok(());
        };
        for (table, version) in last.versions {
            // A table that the definition has no more is nobody's concern.
            let Some(log) = self.logs.get(&table) else {
                continue;
            };
            let found = match log.newest().await? {
                Some(newest) if newest >= version => {
                    // Other readers take an empty entry for one without files: its rows would be gone in silence.
                    log.entry(version).await?;
                    continue;
                }
                Some(newest) => format!("ends at {newest}"),
                None => "is not there".to_owned(),
            };
            return Err(LakeError::Lost {
                table,
                epoch: last.epoch,
                version,
                found,
            });
        }
        Ok(())
    }

    pub(crate) fn log(&self, name: &str) -> Result<&TableLog, LakeError> {
        self.logs
            .get(name)
            .ok_or_else(|| LakeError::UnknownTable(name.to_owned()))
    }

    pub(crate) fn logs(&self) -> impl Iterator<Item = &TableLog> {
        self.logs.values()
    }

    /// An id that no other commit or file has.
    pub(crate) fn new_id(&self) -> String {
        let bits = (u128::from(self.clock.seed()) << 64) | u128::from(self.clock.seed());
        uuid::Builder::from_random_bytes(bits.to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// A table as Delta readers see it, at its newest version.
    pub(crate) async fn delta_table(&self, name: &str) -> Result<DeltaTable, LakeError> {
        let mut table = self.storage.delta_table(name)?;
        match table.load().await {
            Ok(()) => Ok(table),
            Err(error) => Err(self.unreadable(name, &error).await),
        }
    }

    /// A table as Delta readers see it at a version.
    pub(crate) async fn delta_table_at(
        &self,
        name: &str,
        version: u64,
    ) -> Result<DeltaTable, LakeError> {
        let mut table = self.storage.delta_table(name)?;
        match table.load_version(version).await {
            Ok(()) => Ok(table),
            Err(error) => Err(self.unreadable(name, &error).await),
        }
    }

    /// Why a table can't be read as Delta: the entry of its log that is at fault, when one is.
    pub(crate) async fn unreadable(&self, name: &str, error: &DeltaTableError) -> LakeError {
        let Ok(log) = self.log(name) else {
            return LakeError::delta(name, error);
        };
        match log.broken_entry().await {
            Ok(Some(broken)) | Err(broken) => broken,
            Ok(None) => LakeError::delta(name, error),
        }
    }

    async fn prepare_table(
        &self,
        name: &str,
        wanted: SchemaRef,
        partition: &[&str],
    ) -> Result<(), LakeError> {
        let log = self.log(name)?;
        for attempt in 0..MAX_GROWTH_ATTEMPTS {
            // Read anew each time: a version that this process knew long ago may have been cleaned up since.
            let newest = log.newest().await?;
            let entry = match newest {
                None => {
                    let now = self.clock.now_micros();
                    create_entry(self.new_id(), name, &wanted, partition, now)
                }
                Some(newest) => {
                    log.learn(newest).await;
                    let metadata = self.metadata(name).await?;
                    let Some(metadata) = with_missing_columns(name, metadata, &wanted)? else {
                        return Ok(());
                    };
                    let now = self.clock.now_micros();
                    let mut entry = Entry::new(self.new_id(), Operation::AddColumns, now);
                    entry.metadata = Some(metadata);
                    entry
                }
            };
            match log.place(newest, &entry, Fence::Everything).await {
                // Another process made it, or committed to it, perhaps these very columns: it is looked at again.
                Err(LakeError::Contended { .. }) => {}
                done => {
                    done?;
                    if newest.is_some() && attempt == 0 {
                        tracing::info!(
                            table.name = name,
                            "added the definition's new columns to a table"
                        );
                    }
                }
            }
        }
        Err(LakeError::Contended {
            table: name.to_owned(),
            attempts: MAX_GROWTH_ATTEMPTS,
        })
    }

    /// The newest `metaData` action of a table.
    async fn metadata(&self, name: &str) -> Result<Value, LakeError> {
        let table = self.storage.delta_table(name)?;
        let opened = Snapshot::try_new(table.log_store().as_ref(), None).await;
        let snapshot = match opened {
            Ok(snapshot) => snapshot,
            Err(error) => return Err(self.unreadable(name, &error).await),
        };
        serde_json::to_value(snapshot.metadata())
            .map_err(|error| LakeError::corrupt(name, error.to_string()))
    }
}

/// The table's metadata with the columns that it lacks; `None` when it lacks none.
fn with_missing_columns(
    name: &str,
    mut metadata: Value,
    wanted: &SchemaRef,
) -> Result<Option<Value>, LakeError> {
    let unreadable = || LakeError::corrupt(name, "its metadata has no schema that can be read");
    let text = metadata
        .get("schemaString")
        .and_then(Value::as_str)
        .ok_or_else(unreadable)?;
    let mut schema: Value = serde_json::from_str(text).map_err(|_| unreadable())?;
    let fields = schema
        .get_mut("fields")
        .and_then(Value::as_array_mut)
        .ok_or_else(unreadable)?;
    let before = fields.len();
    for field in wanted.fields() {
        let existing = fields
            .iter()
            .find(|have| have.get("name").and_then(Value::as_str) == Some(field.name()));
        let Some(existing) = existing else {
            fields.push(delta_field(field));
            continue;
        };
        let want = delta_type(field.data_type());
        if existing.get("type").and_then(Value::as_str) != Some(want.as_str()) {
            return Err(LakeError::IncompatibleType {
                table: name.to_owned(),
                column: field.name().clone(),
                have: existing.get("type").map(type_name).unwrap_or_default(),
                want,
            });
        }
    }
    if fields.len() == before {
        return Ok(None);
    }
    let fields = std::mem::take(fields);
    let target = metadata.as_object_mut().ok_or_else(unreadable)?;
    target.insert("schemaString".to_owned(), schema_string(fields).into());
    // Readers may take an absent option for an error, and a null one for a value: leave out what is not set.
    target.retain(|_, value| !value.is_null());
    Ok(Some(metadata))
}

fn type_name(delta_type: &Value) -> String {
    delta_type
        .as_str()
        .map_or_else(|| delta_type.to_string(), ToOwned::to_owned)
}

#[cfg(test)]
mod tests;
