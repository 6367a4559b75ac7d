//! Compaction: many small files of one date become one, in order of time.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use arrow::compute::{SortColumn, concat_batches, lexsort_to_indices, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use chrono::NaiveDate;
use deltalake::kernel::LogicalFileView;
use futures::TryStreamExt;
use gamepipe_service::failpoint;

use crate::commit::proposal::Merge;
use crate::entry::{Add, Remove};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::reading::{LakeFile, read_rows};
use crate::schema::{column, epoch_column};
use crate::table_log::TableLog;
use crate::writer::{EncodedFile, encode_file};

/// A file with this many rows is left alone.
const FULL_FILE_ROWS: u64 = 131_072;
/// A merge takes at most this many rows and bytes of files: its rows are in memory twice while they are sorted.
const MAX_MERGE_ROWS: u64 = 262_144;
const MAX_MERGE_BYTES: u64 = 24 << 20;
/// Files rest when the newest of their date is this old, in milliseconds: then the last few are merged too.
const REST_MILLIS: i64 = 3_600_000;

/// A file that could be merged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Small {
    path: String,
    rows: u64,
    size: i64,
    modified_millis: i64,
    partition_values: BTreeMap<String, Option<String>>,
}

impl Lake {
    /// Merges files of a table as it is at `version`, where there are `at_least` small ones of about one size. They take the
    /// small ones' place when they become part of an epoch.
    pub(super) async fn compact(
        &self,
        log: &TableLog,
        version: u64,
        at_least: usize,
    ) -> Result<Option<Merge>, LakeError> {
        let begun = self.known_epoch.load(Ordering::Relaxed);
        let table = self.delta_table_at(log.name(), version).await?;
        let snapshot = table
            .snapshot()
            .map_err(|error| LakeError::delta(log.name(), &error))?;
        // Every column that the table ever had: what a definition has dropped stays in its rows.
        let schema = snapshot.snapshot().arrow_schema();
        let files: Vec<LogicalFileView> = table
            .get_active_add_actions_by_partitions(&[])
            .try_collect()
            .await
            .map_err(|error| LakeError::delta(log.name(), &error))?;
        let mut by_date: BTreeMap<Option<String>, Vec<Small>> = BTreeMap::new();
        for file in &files {
            let small = Small {
                path: file.path().into_owned(),
                rows: file.num_records().unwrap_or_default() as u64,
                size: file.size(),
                modified_millis: file.modification_time(),
                partition_values: file.partition_values_map().into_iter().collect(),
            };
            let date = small
                .partition_values
                .get(column::EVENT_DATE)
                .cloned()
                .flatten();
            by_date.entry(date).or_default().push(small);
        }
        let now_millis = self.clock.now_micros().div_euclid(1000);
        let mut merge = Merge {
            table: log.name().to_owned(),
            at: version,
            adds: Vec::new(),
            removes: Vec::new(),
            begun,
        };
        for (date, files) in by_date {
            let Some(chosen) = choose(files, at_least, now_millis) else {
                continue;
            };
            let date = date.and_then(|date| date.parse().ok());
            merge
                .adds
                .push(self.merge(log, date, &schema, &chosen, begun).await?);
            merge
                .removes
                .extend(chosen.into_iter().map(|file| file.remove(now_millis)));
        }
        Ok((!merge.removes.is_empty()).then_some(merge))
    }

    async fn merge(
        &self,
        log: &TableLog,
        date: Option<NaiveDate>,
        schema: &SchemaRef,
        chosen: &[Small],
        begun: u64,
    ) -> Result<Add, LakeError> {
        let files: Vec<_> = chosen
            .iter()
            .map(|file| self.storage.file(log.path(&file.path), file.size))
            .collect();
        let (name, schema) = (log.name().to_owned(), schema.clone());
        let file = tokio::task::spawn_blocking(move || merged_file(&name, &schema, date, &files))
            .await
            .map_err(|error| LakeError::Worker(error.to_string()))??;
        let mut add = self.store_file(log.name(), file, begun).await?;
        add.data_change = false;
        failpoint::hit("maintenance.compacted")?;
        Ok(add)
    }
}

impl Small {
    fn remove(self, now_millis: i64) -> Remove {
        Remove {
            path: self.path,
            deletion_timestamp: now_millis,
            data_change: false,
            extended_file_metadata: true,
            partition_values: self.partition_values,
            size: self.size,
        }
    }
}

/// The files to merge: of the size class that has enough of them, the oldest first. Classes are powers of 16, so that a
/// row is rewritten once per class and not once per merge.
fn choose(files: Vec<Small>, at_least: usize, now_millis: i64) -> Option<Vec<Small>> {
    let newest = files.iter().map(|file| file.modified_millis).max()?;
    let mut small: Vec<Small> = files
        .into_iter()
        .filter(|file| file.rows < FULL_FILE_ROWS)
        .collect();
    small.sort_by_key(|file| file.modified_millis);
    let mut classes: BTreeMap<u32, Vec<Small>> = BTreeMap::new();
    for file in &small {
        classes
            .entry(file.rows.max(1).ilog2() / 4)
            .or_default()
            .push(file.clone());
    }
    let class = classes
        .into_values()
        .find(|files| files.len() >= at_least.max(2));
    let candidates = match class {
        Some(files) => files,
        None if newest < now_millis - REST_MILLIS => small,
        None => return None,
    };
    let (mut rows, mut bytes) = (0, 0);
    let chosen: Vec<Small> = candidates
        .into_iter()
        .take_while(|file| {
            rows += file.rows;
            bytes += file.size.unsigned_abs();
            rows <= MAX_MERGE_ROWS && bytes <= MAX_MERGE_BYTES
        })
        .collect();
    (chosen.len() > 1).then_some(chosen)
}

fn merged_file(
    table: &str,
    schema: &SchemaRef,
    date: Option<NaiveDate>,
    files: &[LakeFile],
) -> Result<EncodedFile, LakeError> {
    let kept: Vec<usize> = (0..schema.fields().len())
        .filter(|index| schema.field(*index).name() != column::EVENT_DATE)
        .collect();
    let schema = schema
        .project(&kept)
        .map(SchemaRef::new)
        .map_err(|error| LakeError::encoding(table, &error))?;
    let mut batches = Vec::new();
    for file in files {
        batches.extend(read_rows(table, file, &schema)?);
    }
    let sorted = sorted(&schema, &batches).map_err(|error| LakeError::encoding(table, &error))?;
    drop(batches);
    encode_file(table, date, &schema, &[sorted])
}

/// All rows in order of time, and within a moment in the log's order.
fn sorted(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<RecordBatch, ArrowError> {
    let whole = concat_batches(schema, batches)?;
    let keys: Vec<SortColumn> = [
        column::EVENT_TIME,
        column::PARTITION,
        column::OFFSET,
        column::ROW,
        epoch_column::EPOCH,
    ]
    .iter()
    .filter_map(|name| whole.column_by_name(name))
    .map(|values| SortColumn {
        values: values.clone(),
        options: None,
    })
    .collect();
    if keys.is_empty() {
        return Ok(whole);
    }
    take_record_batch(&whole, &lexsort_to_indices(&keys, None)?)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::{FULL_FILE_ROWS, REST_MILLIS, Small, choose};

    fn file(path: usize, rows: u64) -> Small {
        Small {
            path: path.to_string(),
            rows,
            size: 1000,
            modified_millis: path as i64,
            partition_values: BTreeMap::new(),
        }
    }

    #[test]
    fn merges_begin_when_a_size_class_has_enough_files() {
        let mut files: Vec<Small> = (0..15).map(|path| file(path, 10)).collect();
        assert_eq!(choose(files.clone(), 16, 100), None);
        files.push(file(15, 5000));
        assert_eq!(
            choose(files.clone(), 16, 100),
            None,
            "a larger file is of another class"
        );
        files.push(file(16, 12));
        assert_eq!(choose(files, 16, 100).unwrap().len(), 16);
    }

    #[test]
    fn full_files_are_left_alone() {
        let files: Vec<Small> = (0..40).map(|path| file(path, FULL_FILE_ROWS)).collect();
        assert_eq!(choose(files, 2, i64::MAX), None);
    }

    #[test]
    fn resting_files_are_merged_though_they_are_few() {
        let files = vec![file(1, 10), file(2, 50_000)];
        assert_eq!(choose(files.clone(), 16, 100), None);
        assert_eq!(choose(files, 16, REST_MILLIS + 3).unwrap().len(), 2);
    }
}
