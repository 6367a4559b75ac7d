//! Landing: one epoch's rows into every table, exactly once, by any number of processes.
//!
//! An epoch is decided by one conditional put, of its [`Intent`] (`decide`), and then rolled forward into the tables and
//! into `_epochs`, by its owner or by whoever finds it (`roll`). The newest record in `_epochs` is the resume point. Why this
//! neither loses nor doubles a row, whoever is stopped where for how long: `docs/decisions/0052-intents.md`.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use arrow::array::RecordBatch;
use futures::future::try_join_all;
use gamepipe_domain::definition::system::EPOCHS;

use crate::entry::Add;
use crate::epoch::{EpochRecord, OffsetRange};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::schema::column;
use crate::table_log::app_prefix;
use crate::writer::{EncodedFile, encode_files};

mod decide;

pub(crate) mod proposal;

mod roll;

mod rows;

use rows::partitions_of;

/// What the names of files that landing and maintenance write begin with; the newest epoch of that moment follows.
const FILE_PREFIX: &str = "epoch-";
/// How many epochs others may commit between writing a file and deciding on the epoch that it is of. Vacuum takes files
/// of no version only when they are older than that, by number: no clock is trusted with a row. With a dozen processes that
/// commit once a second each it is more than a minute, and a loser is soon a winner.
pub(crate) const MAX_EPOCHS_WAITING: u64 = if cfg!(test) { 6 } else { 1000 };

/// How long a process that lands nothing believes in the newest epoch that it knows: a request for each file that it writes
/// then, at most.
const LOOK_MICROS: i64 = 1_000_000;

/// What this process knows about the lake's progress; behind the lake's lock, so that it lands epochs one by one.
#[derive(Debug, Default)]
pub(crate) struct Landing {
    /// The generation of the log that is landed; `None` before [`Lake::resume`].
    pub(crate) generation: Option<String>,
    /// How many partitions it has.
    partitions: usize,
    /// The newest epoch that is known; `None` when there is none yet, or before [`Lake::resume`].
    pub(crate) newest: Option<Newest>,
}

impl Landing {
    /// The number of the newest epoch that is known; 0 before the first.
    pub(crate) fn epoch(&self) -> u64 {
        self.newest.as_ref().map_or(0, |newest| newest.record.epoch)
    }
}

/// An epoch with the version of `_epochs` that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Newest {
    pub(crate) version: u64,
    pub(crate) record: EpochRecord,
}

/// Where landing goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// For each partition of the log: the first offset that no epoch covers.
    pub next: Vec<u64>,
    /// The newest epoch, if there is one.
    pub last: Option<EpochRecord>,
}

/// The rows of one table, in files that are on the store but in no version of the table yet.
#[derive(Debug)]
pub struct TableFiles {
    table: String,
    adds: Vec<Add>,
    rows: u64,
    partitions: BTreeSet<u32>,
    // The newest epoch that was known before the first of the files was written.
    begun: u64,
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

/// Slices of the log with their rows, ready to become an epoch.
#[derive(Debug)]
pub struct EncodedEpoch {
    /// The slices, one for each partition that this process lands. Those of other partitions, and empty ones, say nothing.
    pub ranges: Vec<OffsetRange>,
    /// How many log records they hold.
    pub records: u64,
    /// Their rows. Tables without new rows are absent.
    pub tables: Vec<TableFiles>,
    /// A slice may begin beyond the end of the epoch before: records between them are gone from the log, and that has been
    /// accepted.
    pub passes_gaps: bool,
}

impl Lake {
    /// Where landing of this log goes on. Finishes an epoch that is decided and not done; call it again after an error of
    /// [`Self::commit_epoch`].
    pub async fn resume(&self, generation: &str, partitions: u32) -> Result<Resume, LakeError> {
        let mut landing = self.landing.lock().await;
        self.refresh(&mut landing).await?;
        self.check_log(&landing, generation, partitions)?;
        landing.generation = Some(generation.to_owned());
        landing.partitions = partitions as usize;
        self.finish_decided(&mut landing).await?;
        self.check_cut(&mut landing, generation).await?;
        let last = landing.newest.as_ref().map(|newest| newest.record.clone());
        let mut next = vec![0_u64; partitions as usize];
        for (next, range) in next
            .iter_mut()
            .zip(last.iter().flat_map(|last| &last.ranges))
        {
            *next = range.to;
        }
        Ok(Resume { next, last })
    }

    fn check_log(
        &self,
        landing: &Landing,
        generation: &str,
        partitions: u32,
    ) -> Result<(), LakeError> {
        let Some(Newest { record, .. }) = &landing.newest else {
            return Ok(());
        };
        if record.generation != generation {
            return Err(LakeError::OtherLog {
                lake: record.generation.clone(),
                log: generation.to_owned(),
            });
        }
        if record.ranges.len() > partitions as usize {
            return Err(LakeError::FewerPartitions {
                lake: record.ranges.len(),
                log: partitions,
            });
        }
        Ok(())
    }

    /// Refuses a lake in which a table has rows that no epoch covers and that no intent explains: another program has
    /// landed them, or the intent was taken away.
    async fn check_cut(&self, landing: &mut Landing, generation: &str) -> Result<(), LakeError> {
        let prefix = app_prefix(self.game(), generation);
        'again: for _ in 0..decide::MAX_LOSSES {
            for log in self.logs() {
                let base = base_version(landing.newest.as_ref(), log.name());
                log.check_base(Some(base)).await?;
                let mut version = base + 1;
                while let Some(found) = log.entry(version).await? {
                    if found.txns.iter().any(|txn| txn.app_id.starts_with(&prefix)) {
                        // Unless they are of an epoch that has been decided since.
                        let known = landing.epoch();
                        self.finish_decided(landing).await?;
                        if landing.epoch() > known {
                            continue 'again;
                        }
                        return Err(LakeError::Undecided {
                            table: log.name().to_owned(),
                            version,
                        });
                    }
                    version += 1;
                }
            }
            return Ok(());
        }
        Err(LakeError::Contended {
            table: EPOCHS.to_owned(),
            attempts: decide::MAX_LOSSES,
        })
    }

    /// The newest epoch; `None` when nothing has landed yet.
    pub async fn newest_epoch(&self) -> Result<Option<EpochRecord>, LakeError> {
        let newest = self.newest_epoch_entry().await?;
        Ok(newest.map(|newest| newest.record))
    }

    /// The newest epoch, found by listing.
    pub(crate) async fn newest_epoch_entry(&self) -> Result<Option<Newest>, LakeError> {
        let log = self.log(EPOCHS)?;
        let mut newest = log.newest().await?;
        while let Some(listed) = newest {
            for version in (0..=listed).rev() {
                // Only making the table and adding columns leave entries without an epoch.
                match log.entry(version).await? {
                    Some(entry) => {
                        if let Some(record) = entry.epoch {
                            return Ok(Some(Newest { version, record }));
                        }
                    }
                    None => break,
                }
            }
            if listed == 0 || log.entry(0).await?.is_some() {
                return Ok(None);
            }
            // What was listed may have been cleaned up, when this process was stopped for long: then there are newer ones.
            newest = log.newest().await?;
            if newest <= Some(listed) {
                return Err(LakeError::corrupt(
                    EPOCHS,
                    "no entry of its log that is still there holds an epoch",
                ));
            }
        }
        Ok(None)
    }

    /// The number of the epoch that is decided and not finished, if there is one.
    pub async fn epoch_under_way(&self) -> Result<Option<u64>, LakeError> {
        let Some(decided) = self.intents().await?.last().copied() else {
            return Ok(None);
        };
        let newest = self.newest_epoch().await?.map_or(0, |newest| newest.epoch);
        Ok((decided > newest).then_some(decided))
    }

    /// Takes over a newest epoch.
    pub(crate) fn learn_newest(&self, landing: &mut Landing, newest: Newest) {
        self.known_epoch
            .fetch_max(newest.record.epoch, Ordering::Relaxed);
        self.looked_micros
            .store(self.clock.now_micros(), Ordering::Relaxed);
        landing.newest = Some(newest);
    }

    /// The newest epoch that is known. Looks for it where the last look was a while ago: others may have landed many since, and
    /// files that are taken for old would be encoded anew.
    pub(crate) async fn look_for_epochs(&self) -> u64 {
        let now = self.clock.now_micros();
        let last = self.looked_micros.load(Ordering::Relaxed);
        if now.saturating_sub(last) >= LOOK_MICROS {
            self.looked_micros.store(now, Ordering::Relaxed);
            // An epoch is decided when the one before is done. An error shows where the files are put, or needs no notice.
            if let Ok(Some(decided)) = self.intents().await.map(|found| found.last().copied()) {
                self.known_epoch
                    .fetch_max(decided.saturating_sub(1), Ordering::Relaxed);
            }
        }
        self.known_epoch.load(Ordering::Relaxed)
    }

    /// Puts a table's rows of one epoch into files on the store. The files belong to no version until
    /// [`Self::commit_epoch`]; should that never come, vacuum takes them.
    pub async fn encode(
        &self,
        table: &str,
        batches: Vec<RecordBatch>,
    ) -> Result<TableFiles, LakeError> {
        let begun = self.look_for_epochs().await;
        let name = table.to_owned();
        let rows = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let (files, partitions) = tokio::task::spawn_blocking(move || {
            let partitions =
                partitions_of(&batches).map_err(|error| LakeError::encoding(&name, &error))?;
            let filled: Vec<RecordBatch> = batches
                .into_iter()
                .filter(|batch| batch.num_rows() > 0)
                .collect();
            Ok::<_, LakeError>((encode_files(&name, &filled)?, partitions))
        })
        .await
        .map_err(|error| LakeError::Worker(error.to_string()))??;
        let stored = files
            .into_iter()
            .map(|file| self.store_file(table, file, begun));
        let adds = try_join_all(stored).await?;
        Ok(TableFiles {
            table: table.to_owned(),
            adds,
            rows,
            partitions,
            begun,
        })
    }

    /// Lands slices as an epoch of their own. It may be landed even after an error: go on from [`Self::resume`]. An error for
    /// which [`LakeError::is_lost_race`] is true says that others have landed some of it.
    pub async fn commit_epoch(&self, epoch: EncodedEpoch) -> Result<EpochRecord, LakeError> {
        let landed = self.land(&mut epoch.into()).await?;
        landed.ok_or_else(|| LakeError::corrupt(EPOCHS, "an epoch without slices was to be landed"))
    }

    /// Puts a file on the store and describes it. `begun` is the newest epoch that was known before work on it began.
    pub(crate) async fn store_file(
        &self,
        table: &str,
        file: EncodedFile,
        begun: u64,
    ) -> Result<Add, LakeError> {
        let name = format!("{FILE_PREFIX}{begun}-{}.parquet", self.new_id());
        let (path, partition_values) = match file.date {
            Some(date) => (
                format!("{}={date}/{name}", column::EVENT_DATE),
                [(column::EVENT_DATE.to_owned(), Some(date.to_string()))].into(),
            ),
            None => (name, std::collections::BTreeMap::new()),
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

/// True when no intent can name this file any more, now that `newest` is done: that it is in no version then is for good.
/// Files of other names are of earlier releases, which left none behind.
pub(crate) fn is_past_naming(path: &str, newest: u64) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let begun = name
        .strip_prefix(FILE_PREFIX)
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(begun, _)| begun.parse::<u64>().ok());
    begun.is_none_or(|begun| begun + MAX_EPOCHS_WAITING + 1 < newest)
}

/// The version of a table that an epoch is made on: entries up to it are the epoch's before.
pub(crate) fn base_version(newest: Option<&Newest>, table: &str) -> u64 {
    let Some(newest) = newest else { return 0 };
    if table == EPOCHS {
        return newest.version;
    }
    newest.record.versions.get(table).copied().unwrap_or(0)
}

#[cfg(test)]
mod faults;

#[cfg(test)]
mod model;

#[cfg(test)]
mod s3;

#[cfg(test)]
mod tests;
