//! Audit: is every record of the log in the lake exactly once? Answered from the Parquet files themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Field, Int32Type, Int64Type, Schema, SchemaRef};
use deltalake::kernel::LogicalFileView;
use deltalake::{DeltaTable, DeltaTableBuilder};
use futures::TryStreamExt;
use gamepipe_domain::definition::system::EPOCHS;
use serde::Serialize;

use crate::epoch::{EpochRecord, OffsetRange};
use crate::error::LakeError;
use crate::lake::{Lake, LakeTable};
use crate::reading::read_rows;
use crate::schema::{column, epoch_column, epochs_schema};

mod offsets;

use offsets::{OffsetSet, runs_missing};

/// How many culprits of a kind a report names; their number is always exact.
const NAMED: usize = 100;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The newest epoch; 0 when nothing has landed.
    pub epoch: u64,
    /// How many epochs the table `_epochs` holds.
    pub epochs: u64,
    /// How many log records they took.
    pub records: u64,
    /// For each partition of the log: the offset after the last that has landed.
    pub landed: Vec<u64>,
    /// Epochs that are missing, or whose slices do not follow the ones before: what is wrong, in words.
    pub broken_epochs: Vec<String>,
    /// Landed offsets that are in no table.
    pub gaps: Vec<OffsetRange>,
    /// Each table, by name.
    pub tables: Vec<TableAudit>,
}

/// What an audit found in one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TableAudit {
    /// Its name.
    pub table: String,
    /// The version that was read.
    pub version: u64,
    /// How many rows it has.
    pub rows: u64,
    /// How many rows epochs say that they added.
    pub rows_by_epochs: u64,
    /// How many rows are there a second time.
    pub duplicates: u64,
    /// The first of them.
    pub duplicate_rows: Vec<RowPlace>,
    /// How many rows come from offsets that no epoch covers, or from none at all.
    pub unexplained: u64,
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RowPlace {
    /// The log's partition.
    pub partition: u32,
    /// The offset in it.
    pub offset: u64,
    /// Which of the event's rows, from 0.
    pub row: u32,
}

impl Audit {
    /// True when every landed record is there exactly once, and nothing else.
    pub fn is_clean(&self) -> bool {
        self.broken_epochs.is_empty()
            && self.gaps.is_empty()
            && self.tables.iter().all(|table| {
                table.duplicates == 0
                    && table.unexplained == 0
                    && table.rows == table.rows_by_epochs
            })
    }

    /// All rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// Audits the lake at its newest epoch. Reads a few columns of every file; landing may go on meanwhile.
pub async fn audit(lake: &Lake) -> Result<Audit, LakeError> {
    let Some(last) = lake.newest_epoch().await? else {
        return audit_without_epochs(lake).await;
    };
    let epochs = epoch_rows(lake, last.epoch).await?;
    let landed: Vec<u64> = last.ranges.iter().map(|range| range.to).collect();
    let mut covered: Vec<OffsetSet> = landed.iter().map(|to| OffsetSet::new(*to)).collect();
    let mut tables = Vec::new();
    lake.check_nothing_is_lost().await?;
    for table in lake.tables() {
        // A table that is newer than the newest epoch has no rows in it.
        let Some(version) = last.versions.get(&table.table.name).copied() else {
            continue;
        };
        let rows_by_epochs = epochs
            .iter()
            .filter_map(|epoch| epoch.rows.get(&table.table.name))
            .sum();
        let files = files_of(lake, &table.table.name, version).await?;
        let wanted = place_columns(table);
        let (name, landed) = (table.table.name.clone(), landed.clone());
        let read =
            tokio::task::spawn_blocking(move || read_places(&name, &files, &wanted, &landed)).await;
        let found = read.map_err(|error| LakeError::Worker(error.to_string()))??;
        for (all, own) in covered.iter_mut().zip(&found.covered) {
            all.add(own);
        }
        tables.push(TableAudit {
            table: table.table.name.clone(),
            version,
            rows: found.rows,
            rows_by_epochs,
            duplicates: found.duplicates,
            duplicate_rows: found.named,
            unexplained: found.unexplained,
        });
    }
    let gaps = (0..)
        .zip(&covered)
        .flat_map(|(partition, covered)| runs_missing(partition, covered))
        .collect();
    Ok(Audit {
        epoch: last.epoch,
        epochs: epochs.len() as u64,
        records: epochs.iter().map(|epoch| epoch.records).sum(),
        landed,
        broken_epochs: broken(&epochs, &last),
        gaps,
        tables,
    })
}

/// Audits a lake that holds no epoch: then it must hold no row either.
async fn audit_without_epochs(lake: &Lake) -> Result<Audit, LakeError> {
    let mut audit = Audit {
        epoch: 0,
        epochs: 0,
        records: 0,
        landed: Vec::new(),
        broken_epochs: Vec::new(),
        gaps: Vec::new(),
        tables: Vec::new(),
    };
    if lake.log(EPOCHS)?.newest().await?.is_none() {
        audit.broken_epochs.push(format!(
            "the table {EPOCHS} is not there: nothing says what has landed"
        ));
    }
    for table in lake.tables() {
        let name = &table.table.name;
        let Some(version) = lake.log(name)?.newest().await? else {
            continue;
        };
        let files = files_of(lake, name, version).await?;
        let (wanted, of) = (place_columns(table), name.clone());
        let read = tokio::task::spawn_blocking(move || read_places(&of, &files, &wanted, &[]));
        let found = read
            .await
            .map_err(|error| LakeError::Worker(error.to_string()))??;
        audit.tables.push(TableAudit {
            table: name.clone(),
            version,
            rows: found.rows,
            rows_by_epochs: 0,
            duplicates: 0,
            duplicate_rows: Vec::new(),
            unexplained: found.unexplained,
        });
    }
    Ok(audit)
}

/// The columns that say where a row comes from.
fn place_columns(table: &LakeTable) -> SchemaRef {
    let names = [column::PARTITION, column::OFFSET, column::ROW];
    let fields: Vec<Field> = names
        .iter()
        .filter_map(|name| table.schema.field_with_name(name).ok().cloned())
        .collect();
    Arc::new(Schema::new(fields))
}

async fn files_of(lake: &Lake, table: &str, version: u64) -> Result<Vec<PathBuf>, LakeError> {
    let opened = DeltaTableBuilder::from_url(lake.table_url(table)?)
        .map_err(|error| LakeError::delta(table, &error))?
        .with_version(version);
    let opened = match opened.load().await {
        Ok(opened) => opened,
        Err(error) => return Err(lake.unreadable(table, &error).await),
    };
    Ok(paths_of(lake, table, &opened)
        .await?
        .into_iter()
        .map(|(path, _)| path)
        .collect())
}

async fn paths_of(
    lake: &Lake,
    table: &str,
    opened: &DeltaTable,
) -> Result<Vec<(PathBuf, Option<String>)>, LakeError> {
    let files: Vec<LogicalFileView> = opened
        .get_active_add_actions_by_partitions(&[])
        .try_collect()
        .await
        .map_err(|error| LakeError::delta(table, &error))?;
    Ok(files
        .iter()
        .map(|file| {
            let date = file
                .partition_values_map()
                .remove(column::EVENT_DATE)
                .flatten();
            (lake.storage.full(&format!("{table}/{}", file.path())), date)
        })
        .collect())
}

impl Lake {
    /// A table's newest files, each with the `_event_date` of its rows, and all columns that the table has: what any
    /// Delta reader is told.
    pub async fn newest_files(
        &self,
        table: &str,
    ) -> Result<(Vec<(PathBuf, Option<String>)>, SchemaRef), LakeError> {
        let opened = self.delta_table(table).await?;
        let snapshot = opened
            .snapshot()
            .map_err(|error| LakeError::delta(table, &error))?;
        let schema = snapshot.snapshot().arrow_schema();
        Ok((paths_of(self, table, &opened).await?, schema))
    }
}

/// What the files of one table hold.
struct Found {
    rows: u64,
    duplicates: u64,
    named: Vec<RowPlace>,
    unexplained: u64,
    covered: Vec<OffsetSet>,
}

fn read_places(
    table: &str,
    files: &[PathBuf],
    wanted: &SchemaRef,
    landed: &[u64],
) -> Result<Found, LakeError> {
    let mut found = Found {
        rows: 0,
        duplicates: 0,
        named: Vec::new(),
        unexplained: 0,
        covered: landed.iter().map(|to| OffsetSet::new(*to)).collect(),
    };
    // Only events that make many rows need each row's number: elsewhere an offset that comes twice is a duplicate.
    let many = wanted.column_with_name(column::ROW).is_some();
    let mut places: Vec<RowPlace> = Vec::new();
    for file in files {
        for batch in read_rows(table, file, wanted)? {
            for place in row_places(&batch) {
                found.rows += 1;
                let set = place.and_then(|place| {
                    Some((place, found.covered.get_mut(place.partition as usize)?))
                });
                let Some((place, set)) = set.filter(|(place, set)| set.reaches(place.offset))
                else {
                    found.unexplained += 1;
                    continue;
                };
                let is_new = set.insert(place.offset);
                if many {
                    places.push(place);
                } else if !is_new {
                    found.duplicate(place);
                }
            }
        }
    }
    places.sort_unstable();
    for pair in places.windows(2) {
        if let [first, second] = pair
            && first == second
        {
            found.duplicate(*second);
        }
    }
    Ok(found)
}

impl Found {
    fn duplicate(&mut self, place: RowPlace) {
        self.duplicates += 1;
        if self.named.len() < NAMED {
            self.named.push(place);
        }
    }
}

/// Where each row comes from; `None` for a row that does not say.
fn row_places(batch: &RecordBatch) -> Vec<Option<RowPlace>> {
    let partitions = batch
        .column_by_name(column::PARTITION)
        .map(|values| values.as_primitive::<Int32Type>());
    let offsets = batch
        .column_by_name(column::OFFSET)
        .map(|values| values.as_primitive::<Int64Type>());
    let rows = batch
        .column_by_name(column::ROW)
        .map(|values| values.as_primitive::<Int32Type>());
    (0..batch.num_rows())
        .map(|index| {
            let partition = partitions
                .filter(|values| values.is_valid(index))?
                .value(index);
            let offset = offsets
                .filter(|values| values.is_valid(index))?
                .value(index);
            // Rows from before a table got row numbers have none.
            let row = rows
                .filter(|values| values.is_valid(index))
                .map_or(0, |values| values.value(index));
            Some(RowPlace {
                partition: u32::try_from(partition).ok()?,
                offset: u64::try_from(offset).ok()?,
                row: u32::try_from(row).ok()?,
            })
        })
        .collect()
}

/// The epochs up to `newest`, as the table `_epochs` has them, in order.
async fn epoch_rows(lake: &Lake, newest: u64) -> Result<Vec<EpochRecord>, LakeError> {
    let head = lake.log(EPOCHS)?.newest().await?.unwrap_or(0);
    let files = files_of(lake, EPOCHS, head).await?;
    let read = tokio::task::spawn_blocking(move || {
        let mut epochs = Vec::new();
        for file in &files {
            for batch in read_rows(EPOCHS, file, &epochs_schema())? {
                for index in 0..batch.num_rows() {
                    epochs.push(epoch_row(&batch, index)?);
                }
            }
        }
        epochs.retain(|epoch: &EpochRecord| epoch.epoch <= newest);
        epochs.sort_by_key(|epoch| epoch.epoch);
        Ok(epochs)
    });
    read.await
        .map_err(|error| LakeError::Worker(error.to_string()))?
}

fn epoch_row(batch: &RecordBatch, index: usize) -> Result<EpochRecord, LakeError> {
    let long = |name: &str| {
        batch.column_by_name(name).map_or(0, |values| {
            values
                .as_primitive::<Int64Type>()
                .value(index)
                .unsigned_abs()
        })
    };
    let text = |name: &str| {
        batch
            .column_by_name(name)
            .map_or("", |values| values.as_string::<i32>().value(index))
    };
    let corrupt = |error: serde_json::Error| {
        LakeError::corrupt(EPOCHS, format!("a row can't be read: {error}"))
    };
    let committed = batch
        .column_by_name(epoch_column::COMMITTED_AT)
        .map_or(0, |values| {
            values
                .as_primitive::<arrow::datatypes::TimestampMicrosecondType>()
                .value(index)
        });
    Ok(EpochRecord {
        epoch: long(epoch_column::EPOCH),
        generation: text(epoch_column::GENERATION).to_owned(),
        ranges: serde_json::from_str(text(epoch_column::RANGES)).map_err(corrupt)?,
        versions: serde_json::from_str::<BTreeMap<_, _>>(text(epoch_column::VERSIONS))
            .map_err(corrupt)?,
        rows: serde_json::from_str::<BTreeMap<_, _>>(text(epoch_column::ROWS)).map_err(corrupt)?,
        records: long(epoch_column::RECORDS),
        committed_micros: committed,
    })
}

/// What is wrong with the sequence of epochs.
fn broken(epochs: &[EpochRecord], last: &EpochRecord) -> Vec<String> {
    let mut problems = Vec::new();
    let mut next: Vec<u64> = Vec::new();
    for (expected, epoch) in (1_u64..).zip(epochs) {
        if epoch.epoch != expected {
            problems.push(format!(
                "epoch {} stands where epoch {expected} was expected",
                epoch.epoch
            ));
            break;
        }
        next.resize(next.len().max(epoch.ranges.len()), 0);
        for (next, range) in next.iter_mut().zip(&epoch.ranges) {
            if range.from != *next || range.to < range.from {
                problems.push(format!(
                    "epoch {} covers {}..{} of partition {} after epochs up to {next}",
                    epoch.epoch, range.from, range.to, range.partition
                ));
            }
            *next = range.to;
        }
        if problems.len() >= NAMED {
            return problems;
        }
    }
    if epochs.last().map(|epoch| epoch.epoch) != Some(last.epoch) {
        problems.push(format!("epoch {} has no row in {EPOCHS}", last.epoch));
    }
    problems
}
