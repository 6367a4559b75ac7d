//! Proposals: what a process would make the next epoch, and whether that still fits the newest one.

use std::collections::BTreeSet;

use gamepipe_domain::definition::system::EPOCHS;

use super::{EncodedEpoch, Landing, MAX_EPOCHS_WAITING, Newest, base_version};
use crate::entry::{Add, Operation, Remove, Txn};
use crate::epoch::OffsetRange;
use crate::error::LakeError;
use crate::intent::{Intent, TableIntent};
use crate::lake::Lake;
use crate::table_log::app_prefix;

/// What a process would make the next epoch.
#[derive(Debug)]
pub(crate) enum Proposal {
    /// Rows of slices of the log.
    Rows(EncodedEpoch),
    /// Files that are merged, of any number of tables.
    Merges(Vec<Merge>),
}

impl From<EncodedEpoch> for Proposal {
    fn from(epoch: EncodedEpoch) -> Self {
        Self::Rows(epoch)
    }
}

/// Small files of one table that became larger ones.
#[derive(Debug)]
pub(crate) struct Merge {
    pub(crate) table: String,
    /// The version up to which the small files are known to be in the table.
    pub(crate) at: u64,
    pub(crate) adds: Vec<Add>,
    pub(crate) removes: Vec<Remove>,
    /// The newest epoch that was known before the first of `adds` was written.
    pub(crate) begun: u64,
}

impl Lake {
    /// The intent that a proposal makes after the newest epoch; `None` when nothing of it is left to land.
    pub(super) async fn intent_of(
        &self,
        landing: &Landing,
        proposal: &mut Proposal,
    ) -> Result<Option<Intent>, LakeError> {
        let generation = landing.generation.clone().ok_or_else(|| {
            LakeError::corrupt(
                EPOCHS,
                "an epoch was to be committed before the resume point was read",
            )
        })?;
        match proposal {
            Proposal::Rows(epoch) => self.intent_of_rows(landing, generation, epoch),
            Proposal::Merges(merges) => self.intent_of_merges(landing, generation, merges).await,
        }
    }

    fn intent_of_rows(
        &self,
        landing: &Landing,
        generation: String,
        epoch: &EncodedEpoch,
    ) -> Result<Option<Intent>, LakeError> {
        for files in &epoch.tables {
            check_age(&files.table, files.begun, landing.epoch())?;
        }
        let prefix = app_prefix(self.game(), &generation);
        let ranges = full_ranges(landing, &epoch.ranges, epoch.passes_gaps)?;
        if ranges.iter().all(|range| range.to == range.from) {
            return Ok(None);
        }
        let now = self.clock.now_micros();
        let mut intent = Intent::new(self.new_id(), landing.epoch() + 1, generation, ranges, now);
        intent.records = epoch.records;
        for files in epoch.tables.iter().filter(|files| files.rows > 0) {
            let own = |range: &&OffsetRange| files.partitions.contains(&range.partition);
            let txns = intent.ranges.iter().filter(own);
            intent.tables.push(TableIntent {
                table: files.table.clone(),
                id: self.new_id(),
                operation: Operation::Append,
                rows: files.rows,
                txns: txns.map(|range| txn(&prefix, range, now)).collect(),
                adds: files.adds.clone(),
                removes: Vec::new(),
            });
        }
        Ok(Some(intent))
    }

    async fn intent_of_merges(
        &self,
        landing: &Landing,
        generation: String,
        merges: &mut Vec<Merge>,
    ) -> Result<Option<Intent>, LakeError> {
        let newest = landing.newest.as_ref();
        let mut kept = Vec::with_capacity(merges.len());
        for mut merge in merges.drain(..) {
            check_age(&merge.table, merge.begun, landing.epoch())?;
            if self.still_fits(newest, &mut merge).await? {
                kept.push(merge);
            }
        }
        *merges = kept;
        if merges.is_empty() {
            return Ok(None);
        }
        let ranges = full_ranges(landing, &[], false)?;
        let now = self.clock.now_micros();
        let mut intent = Intent::new(self.new_id(), landing.epoch() + 1, generation, ranges, now);
        for merge in merges.iter() {
            intent.tables.push(TableIntent {
                table: merge.table.clone(),
                id: self.new_id(),
                operation: Operation::Compact,
                rows: 0,
                txns: Vec::new(),
                adds: merge.adds.clone(),
                removes: merge.removes.clone(),
            });
        }
        Ok(Some(intent))
    }

    /// True when nobody has removed a file of the merge, nor changed the table's columns, up to the newest epoch.
    async fn still_fits(
        &self,
        newest: Option<&Newest>,
        merge: &mut Merge,
    ) -> Result<bool, LakeError> {
        let log = self.log(&merge.table)?;
        let paths: BTreeSet<&str> = merge
            .removes
            .iter()
            .map(|remove| remove.path.as_str())
            .collect();
        let upto = base_version(newest, &merge.table);
        for version in merge.at + 1..=upto {
            let unchanged = log.entry(version).await?.is_some_and(|found| {
                found.metadata.is_none()
                    && !found
                        .removed
                        .iter()
                        .any(|path| paths.contains(path.as_str()))
            });
            if !unchanged {
                return Ok(false);
            }
        }
        merge.at = merge.at.max(upto);
        Ok(true)
    }
}

fn check_age(table: &str, begun: u64, newest: u64) -> Result<(), LakeError> {
    if newest > begun + MAX_EPOCHS_WAITING {
        return Err(LakeError::Stale {
            table: table.to_owned(),
            epochs: newest - begun,
        });
    }
    Ok(())
}

/// All partitions' slices: those offered, which must go on where the newest epoch ends, and nothing of the others.
fn full_ranges(
    landing: &Landing,
    offered: &[OffsetRange],
    passes_gaps: bool,
) -> Result<Vec<OffsetRange>, LakeError> {
    let before = landing
        .newest
        .as_ref()
        .map_or(&[][..], |newest| &newest.record.ranges);
    let filled = || offered.iter().filter(|range| range.to > range.from);
    let beyond = filled().map(|range| range.partition as usize + 1).max();
    let partitions = before
        .len()
        .max(landing.partitions)
        .max(beyond.unwrap_or(0));
    let mut ranges = Vec::with_capacity(partitions);
    for (index, partition) in (0..partitions).zip(0_u32..) {
        let landed = before.get(index).map_or(0, |range| range.to);
        let own = filled().find(|range| range.partition == partition);
        match own {
            None => ranges.push(OffsetRange::new(partition, landed, landed)),
            Some(own) if own.from < landed => {
                return Err(LakeError::Overtaken {
                    partition,
                    landed,
                    offered: own.from,
                });
            }
            Some(own) if own.from > landed && !passes_gaps => {
                return Err(LakeError::Hole {
                    partition,
                    landed,
                    offered: own.from,
                });
            }
            Some(own) => ranges.push(*own),
        }
    }
    Ok(ranges)
}

/// How far a partition's rows have landed in a table.
pub(super) fn txn(prefix: &str, range: &OffsetRange, now_micros: i64) -> Txn {
    Txn {
        app_id: format!("{prefix}{}", range.partition),
        version: i64::try_from(range.to).unwrap_or(i64::MAX),
        last_updated: Some(now_micros.div_euclid(1000)),
    }
}
