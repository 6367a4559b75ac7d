//! Landing: one epoch's rows into every table, exactly once.
//!
//! Each table's commit carries Delta's `txn` for every partition of the log that it has rows of, with the offset after
//! the last; `_epochs` is committed last and is the resume point. A crash in between leaves some tables ahead of
//! `_epochs`: [`Lake::resume`] finds how far, and [`Lake::encode`] drops those rows when the same offsets come again.
//! The epoch after a crash must cover all that is ahead, so that no cut holds rows of one table whose events are not yet in
//! another; and so that what a table holds beyond an epoch stands in entries beyond the version that the epoch names.

use std::collections::BTreeMap;

use arrow::array::RecordBatch;
use futures::future::{join_all, try_join_all};
use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::failpoint;

use crate::entry::{Add, Entry, Operation, Txn};
use crate::epoch::{EpochRecord, OffsetRange};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::schema::column;
use crate::table_log::{Fence, app_prefix};
use crate::writer::{EncodedFile, encode_files};

mod rows;

use rows::{record_batch, unlanded};

/// What this process knows about the lake's progress; behind the lake's lock, so that epochs are committed one by one.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    /// The generation of the log that is landed; `None` before [`Lake::resume`].
    pub(crate) generation: Option<String>,
    /// The newest epoch; `None` when there is none yet, or before [`Lake::resume`].
    pub(crate) last: Option<EpochRecord>,
}

/// Where landing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// For each partition of the log: the first offset that no epoch covers.
    pub next: Vec<u64>,
    /// Rows that are in a table though no epoch covers them, left by a crash: they must not be landed again.
    pub ahead: Ahead,
    /// The newest epoch, if there is one.
    pub last: Option<EpochRecord>,
}

/// How far single tables are ahead of the resume point: table -> log partition -> the offset after the last landed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ahead(BTreeMap<String, BTreeMap<u32, u64>>);

impl Ahead {
    /// The offset of a partition that the next epoch must reach: no table holds rows from there on.
    pub fn reach(&self, partition: u32) -> u64 {
        let of_table = |landed: &BTreeMap<u32, u64>| landed.get(&partition).copied();
        self.0.values().filter_map(of_table).max().unwrap_or(0)
    }

    /// True when no table is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The rows of one table, in files that are on the store but in no version of the table yet. No file when all of the
/// rows have landed before a crash.
#[derive(Debug)]
pub struct TableFiles {
    table: String,
    adds: Vec<Add>,
    // Those that have landed before are counted too: they are the epoch's.
    rows: u64,
    // Log partition -> its first offset among the rows.
    first: BTreeMap<u32, u64>,
}

impl TableFiles {
    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How large the files are, in bytes.
    pub fn bytes(&self) -> u64 {
        self.adds.iter().map(|add| add.size.unsigned_abs()).sum()
    }
}

/// An epoch, ready to be committed.
#[derive(Debug)]
pub struct EncodedEpoch {
    /// For each partition of the log in order: the slice that it covers.
    pub ranges: Vec<OffsetRange>,
    /// How many log records it covers.
    pub records: u64,
    /// Its rows. Tables without new rows are absent.
    pub tables: Vec<TableFiles>,
}

impl Lake {
    /// Where landing of this log goes on. Reads the newest epoch and what tables hold beyond it; call it again after an
    /// error of [`Self::commit_epoch`].
    pub async fn resume(&self, generation: &str, partitions: u32) -> Result<Resume, LakeError> {
        let mut landing = self.landing.lock().await;
        let newest = self.newest_epoch_entry().await?;
        let epochs_version = newest.as_ref().map_or(0, |(version, _)| *version);
        let last = newest.map(|(_, last)| last);
        let mut next = vec![0_u64; partitions as usize];
        if let Some(last) = &last {
            if last.generation != generation {
                return Err(LakeError::OtherLog {
                    lake: last.generation.clone(),
                    log: generation.to_owned(),
                });
            }
            if last.ranges.len() > next.len() {
                return Err(LakeError::FewerPartitions {
                    lake: last.ranges.len(),
                    log: partitions,
                });
            }
            for (next, range) in next.iter_mut().zip(&last.ranges) {
                *next = range.to;
            }
        }
        let landed: BTreeMap<u32, u64> = (0..).zip(next.iter().copied()).collect();
        let prefix = app_prefix(self.game(), generation);
        try_join_all(self.logs().map(|log| {
            let named = last.as_ref().and_then(|last| last.versions.get(log.name()));
            // An epoch does not name the version of its own table. Entries before it need not be there any more.
            let since = match log.name() {
                EPOCHS => epochs_version,
                _ => named.copied().unwrap_or(0),
            };
            log.resume(&prefix, landed.clone(), since)
        }))
        .await?;
        let mut ahead = BTreeMap::new();
        for table in self.tables() {
            let head = self.log(&table.table.name)?.head().await;
            let beyond: BTreeMap<u32, u64> = head
                .landed
                .iter()
                .filter(|(partition, to)| landed.get(partition).is_none_or(|landed| *to > landed))
                .map(|(partition, to)| (*partition, *to))
                .collect();
            if !beyond.is_empty() {
                ahead.insert(table.table.name.clone(), beyond);
            }
        }
        landing.generation = Some(generation.to_owned());
        landing.last.clone_from(&last);
        Ok(Resume {
            next,
            ahead: Ahead(ahead),
            last,
        })
    }

    /// The newest epoch; `None` when nothing has landed yet.
    pub async fn newest_epoch(&self) -> Result<Option<EpochRecord>, LakeError> {
        let newest = self.newest_epoch_entry().await?;
        Ok(newest.map(|(_, epoch)| epoch))
    }

    /// The newest epoch with the version of `_epochs` that committed it.
    async fn newest_epoch_entry(&self) -> Result<Option<(u64, EpochRecord)>, LakeError> {
        let log = self.log(EPOCHS)?;
        let Some(newest) = log.newest().await? else {
            return Ok(None);
        };
        for version in (0..=newest).rev() {
            // Only making the table and adding columns leave entries without an epoch.
            match log.entry(version).await? {
                Some(entry) => {
                    if let Some(epoch) = entry.epoch {
                        return Ok(Some((version, epoch)));
                    }
                }
                None => break,
            }
        }
        if newest == 0 || log.entry(0).await?.is_some() {
            return Ok(None);
        }
        Err(LakeError::corrupt(
            EPOCHS,
            "no entry of its log that is still there holds an epoch",
        ))
    }

    /// Puts a table's rows of one epoch into files on the store; rows that are `ahead` are in files already. The files
    /// belong to no version until [`Self::commit_epoch`]; should that never come, vacuum takes them.
    pub async fn encode(
        &self,
        table: &str,
        batches: Vec<RecordBatch>,
        ahead: &Ahead,
    ) -> Result<TableFiles, LakeError> {
        let landed = ahead.0.get(table).cloned().unwrap_or_default();
        let name = table.to_owned();
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let (files, first) = tokio::task::spawn_blocking(move || {
            let (batches, first) =
                unlanded(&batches, &landed).map_err(|error| LakeError::encoding(&name, &error))?;
            Ok::<_, LakeError>((encode_files(&name, &batches)?, first))
        })
        .await
        .map_err(|error| LakeError::Worker(error.to_string()))??;
        let stored = files.into_iter().map(|file| self.store_file(table, file));
        let adds = try_join_all(stored).await?;
        Ok(TableFiles {
            table: table.to_owned(),
            adds,
            rows,
            first,
        })
    }

    /// Commits an epoch: its tables at once, then `_epochs`. After an error some tables may have their rows: go on from
    /// [`Self::resume`].
    pub async fn commit_epoch(&self, epoch: EncodedEpoch) -> Result<EpochRecord, LakeError> {
        let mut landing = self.landing.lock().await;
        let generation = landing.generation.clone().ok_or_else(|| {
            LakeError::corrupt(
                EPOCHS,
                "an epoch was to be committed before the resume point was read",
            )
        })?;
        let prefix = app_prefix(self.game(), &generation);
        // All commits are let finish, whatever becomes of one: what is in flight when an error is handled is never known.
        let commits = epoch
            .tables
            .iter()
            .map(|files| self.commit_table(files, &epoch.ranges, &prefix));
        join_all(commits)
            .await
            .into_iter()
            .collect::<Result<Vec<()>, _>>()?;
        self.check_cut(&epoch.ranges).await?;
        failpoint::hit("epochs.commit.before")?;
        let record = EpochRecord {
            epoch: landing.last.as_ref().map_or(1, |last| last.epoch + 1),
            generation,
            ranges: epoch.ranges,
            versions: self.versions(landing.last.as_ref()).await,
            rows: epoch
                .tables
                .iter()
                .map(|files| (files.table.clone(), files.rows))
                .collect(),
            records: epoch.records,
            committed_micros: self.clock.now_micros(),
        };
        self.commit_record(&record).await?;
        landing.last = Some(record.clone());
        failpoint::hit("epochs.commit.after")?;
        Ok(record)
    }

    /// Refuses an epoch up to here while a table, at the version that is known, has rows from beyond it.
    pub(crate) async fn check_cut(&self, ranges: &[OffsetRange]) -> Result<(), LakeError> {
        for log in self.logs().filter(|log| log.name() != EPOCHS) {
            let head = log.head().await;
            for range in ranges {
                let landed = head.landed.get(&range.partition).copied().unwrap_or(0);
                if landed > range.to {
                    return Err(LakeError::Overtaken {
                        table: log.name().to_owned(),
                        partition: range.partition,
                        landed,
                        offered: range.to,
                    });
                }
            }
        }
        Ok(())
    }

    /// The newest version of every table but `_epochs` that this process knows. A table that the definition no longer
    /// has stays at the version of the last epoch: its rows are there still, for audits and for when it comes back.
    pub(crate) async fn versions(&self, last: Option<&EpochRecord>) -> BTreeMap<String, u64> {
        let mut versions = last.map_or_else(BTreeMap::new, |last| last.versions.clone());
        for log in self.logs().filter(|log| log.name() != EPOCHS) {
            if let Some(version) = log.head().await.version {
                versions.insert(log.name().to_owned(), version);
            }
        }
        versions
    }

    /// Writes an epoch's row and commits it to `_epochs`.
    pub(crate) async fn commit_record(&self, record: &EpochRecord) -> Result<(), LakeError> {
        let batch = record_batch(record).map_err(|error| LakeError::encoding(EPOCHS, &error))?;
        let mut adds = Vec::new();
        for file in encode_files(EPOCHS, &[batch])? {
            adds.push(self.store_file(EPOCHS, file).await?);
        }
        let mut entry = Entry::new(self.new_id(), Operation::Append, record.committed_micros);
        let prefix = app_prefix(self.game(), &record.generation);
        entry.txns = record
            .ranges
            .iter()
            .filter(|range| range.to > range.from)
            .map(|range| txn(&prefix, range.partition, range.to, record.committed_micros))
            .collect();
        entry.adds = adds;
        entry.epoch = Some(record.clone());
        self.log(EPOCHS)?
            .commit(&entry, Fence::Epoch(record.epoch))
            .await?;
        Ok(())
    }

    async fn commit_table(
        &self,
        files: &TableFiles,
        ranges: &[OffsetRange],
        prefix: &str,
    ) -> Result<(), LakeError> {
        if files.adds.is_empty() {
            return Ok(());
        }
        failpoint::hit("table.commit.before")?;
        let log = self.log(&files.table)?;
        let now = self.clock.now_micros();
        let mut entry = Entry::new(self.new_id(), Operation::Append, now);
        let mut head = log.head().await;
        for range in ranges
            .iter()
            .filter(|range| files.first.contains_key(&range.partition))
        {
            // A table that is ahead keeps its place: a `txn` that goes back would let rows in twice.
            let to = head
                .landed
                .get(&range.partition)
                .map_or(range.to, |landed| range.to.max(*landed));
            entry.txns.push(txn(prefix, range.partition, to, now));
        }
        entry.adds.clone_from(&files.adds);
        log.commit_locked(&mut head, &entry, Fence::Rows(&files.first))
            .await?;
        drop(head);
        failpoint::hit("table.commit.after")?;
        Ok(())
    }

    /// Puts a file on the store and describes it.
    pub(crate) async fn store_file(
        &self,
        table: &str,
        file: EncodedFile,
    ) -> Result<Add, LakeError> {
        let id = self.new_id();
        let (path, partition_values) = match file.date {
            Some(date) => (
                format!("{}={date}/part-{id}.parquet", column::EVENT_DATE),
                [(column::EVENT_DATE.to_owned(), Some(date.to_string()))].into(),
            ),
            None => (format!("part-{id}.parquet"), BTreeMap::new()),
        };
        let size = i64::try_from(file.bytes.len()).unwrap_or(i64::MAX);
        self.storage
            .put(&format!("{table}/{path}"), file.bytes)
            .await?;
        Ok(Add {
            path,
            partition_values,
            size,
            modification_time: self.clock.now_micros().div_euclid(1000),
            data_change: true,
            stats: file.stats,
        })
    }
}

fn txn(prefix: &str, partition: u32, to: u64, now_micros: i64) -> Txn {
    Txn {
        app_id: format!("{prefix}{partition}"),
        version: i64::try_from(to).unwrap_or(i64::MAX),
        last_updated: Some(now_micros.div_euclid(1000)),
    }
}

#[cfg(test)]
mod faults;

#[cfg(test)]
mod s3;

#[cfg(test)]
mod tests;
