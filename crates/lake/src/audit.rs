//! Audit: is every record of the log in the lake exactly once? Answered from the Parquet files themselves.

use std::sync::Arc;

use arrow::datatypes::{Field, Schema, SchemaRef};
use deltalake::DeltaTable;
use deltalake::kernel::LogicalFileView;
use futures::TryStreamExt;
use gamepipe_domain::definition::system::EPOCHS;
use serde::Serialize;

use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::lake::Lake;
use crate::reading::LakeFile;
use crate::schema::column;

mod epochs;
mod offsets;
mod places;

use epochs::{broken, epoch_rows};
use offsets::{OffsetSet, unexplained};
use places::read_places;

/// How many culprits of a kind a report names; their number is always exact.
const NAMED: usize = 100;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// The newest epoch; 0 when nothing has landed.
    pub epoch: u64,
    /// How many epochs the table `_epochs` holds.
    pub epochs: u64,
    /// The epoch after it, when it is decided and not finished: its rows may be in some tables, beyond the versions that are
    /// read here. Any streamer finishes it.
    pub under_way: Option<u64>,
    /// How many log records they took.
    pub records: u64,
    /// For each partition of the log: the offset after the last that has landed.
    pub landed: Vec<u64>,
    /// Epochs that are missing, or whose slices do not follow the ones before: what is wrong, in words.
    pub broken_epochs: Vec<String>,
    /// Landed offsets that are in no table, where that are more than hold no record by what an epoch says.
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
    let under_way = lake.epoch_under_way().await?;
    let Some(last) = lake.newest_epoch().await? else {
        return audit_without_epochs(lake, under_way).await;
    };
    let epochs = epoch_rows(lake, last.epoch).await?;
    let landed: Vec<u64> = last.ranges.iter().map(|range| range.to).collect();
    let mut covered: Vec<OffsetSet> = landed.iter().map(|to| OffsetSet::new(*to)).collect();
    let mut tables = Vec::new();
    lake.check_nothing_is_lost().await?;
    // All that the newest epoch names: a table that the definition no longer has holds landed records, too. One that is
    // newer than the epoch has no rows in it.
    for (name, version) in &last.versions {
        let rows_by_epochs = epochs.iter().filter_map(|epoch| epoch.rows.get(name)).sum();
        let (files, columns) = files_of(lake, name, *version).await?;
        let wanted = place_columns(&columns);
        let (of, landed) = (name.clone(), landed.clone());
        let read =
            tokio::task::spawn_blocking(move || read_places(&of, &files, &wanted, &landed)).await;
        let found = read.map_err(|error| LakeError::Worker(error.to_string()))??;
        for (all, own) in covered.iter_mut().zip(&found.covered) {
            all.add(own);
        }
        tables.push(TableAudit {
            table: name.clone(),
            version: *version,
            rows: found.rows,
            rows_by_epochs,
            duplicates: found.duplicates,
            duplicate_rows: found.named,
            unexplained: found.unexplained,
        });
    }
    let mut broken_epochs = broken(&epochs, &last);
    let mut gaps = Vec::new();
    for (partition, covered) in (0..).zip(&covered) {
        let (missing, problems) = unexplained(partition, covered, &epochs);
        gaps.extend(missing);
        broken_epochs.extend(problems);
    }
    Ok(Audit {
        epoch: last.epoch,
        under_way: under_way.filter(|decided| *decided > last.epoch),
        epochs: epochs.len() as u64,
        records: epochs.iter().map(|epoch| epoch.records).sum(),
        landed,
        broken_epochs,
        gaps,
        tables,
    })
}

/// Audits a lake that holds no epoch: then it must hold no row either, but for those of the first one if it is under way.
async fn audit_without_epochs(lake: &Lake, under_way: Option<u64>) -> Result<Audit, LakeError> {
    let mut audit = Audit {
        epoch: 0,
        under_way,
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
        let Some(newest) = lake.log(name)?.newest().await? else {
            continue;
        };
        // Before the first epoch the cut is the tables as they were made.
        let version = if under_way.is_some() { 0 } else { newest };
        let (files, columns) = files_of(lake, name, version).await?;
        let (wanted, of) = (place_columns(&columns), name.clone());
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
fn place_columns(schema: &Schema) -> SchemaRef {
    let names = [column::PARTITION, column::OFFSET, column::ROW];
    let fields: Vec<Field> = names
        .iter()
        .filter_map(|name| schema.field_with_name(name).ok().cloned())
        .collect();
    Arc::new(Schema::new(fields))
}

/// A table's files at a version, and its columns.
async fn files_of(
    lake: &Lake,
    table: &str,
    version: u64,
) -> Result<(Vec<LakeFile>, SchemaRef), LakeError> {
    let opened = lake.delta_table_at(table, version).await?;
    let snapshot = opened
        .snapshot()
        .map_err(|error| LakeError::delta(table, &error))?;
    let schema = snapshot.snapshot().arrow_schema();
    let files = paths_of(lake, table, &opened).await?;
    Ok((files.into_iter().map(|(file, _)| file).collect(), schema))
}

async fn paths_of(
    lake: &Lake,
    table: &str,
    opened: &DeltaTable,
) -> Result<Vec<(LakeFile, Option<String>)>, LakeError> {
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
            let path = format!("{table}/{}", file.path());
            (lake.storage.file(path, file.size()), date)
        })
        .collect())
}

impl Lake {
    /// A table's newest files, each with the `_event_date` of its rows, and all columns that the table has: what any
    /// Delta reader is told.
    pub async fn newest_files(
        &self,
        table: &str,
    ) -> Result<(Vec<(LakeFile, Option<String>)>, SchemaRef), LakeError> {
        let opened = self.delta_table(table).await?;
        let snapshot = opened
            .snapshot()
            .map_err(|error| LakeError::delta(table, &error))?;
        let schema = snapshot.snapshot().arrow_schema();
        Ok((paths_of(self, table, &opened).await?, schema))
    }
}
