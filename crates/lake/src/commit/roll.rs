//! Rolling forward: a decided epoch into its tables, then into `_epochs`. Any number of processes do it at once, each as
//! often as it likes: what is there already is known by its id.

use std::collections::BTreeMap;

use futures::future::join_all;
use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::failpoint;

use super::proposal::txn;
use super::rows::record_batch;
use super::{Landing, Newest, base_version};
use crate::entry::{Entry, Operation};
use crate::epoch::EpochRecord;
use crate::error::LakeError;
use crate::intent::{Intent, TableIntent};
use crate::lake::Lake;
use crate::table_log::{Fence, TableLog, app_prefix};
use crate::writer::encode_files;

impl Lake {
    /// Finishes the epoch after `landing.newest`, which must be the decided one, and have been after `newest` was learned.
    pub(super) async fn roll_forward(
        &self,
        landing: &mut Landing,
        intent: &Intent,
    ) -> Result<EpochRecord, LakeError> {
        let newest = landing.newest.as_ref();
        // All commits are let finish, whatever becomes of one: what is in flight when an error is handled is never known.
        let commits = intent
            .tables
            .iter()
            .filter(|table| table.table != EPOCHS)
            .map(|table| self.roll_table(newest, intent, table));
        let placed: Result<Vec<_>, LakeError> = join_all(commits).await.into_iter().collect();
        failpoint::hit("epochs.commit.before")?;
        let record = EpochRecord {
            epoch: intent.epoch,
            generation: intent.generation.clone(),
            ranges: intent.ranges.clone(),
            versions: self.versions(newest, placed?).await,
            rows: intent
                .tables
                .iter()
                .filter(|table| table.rows > 0)
                .map(|table| (table.table.clone(), table.rows))
                .collect(),
            records: intent.records,
            committed_micros: intent.committed_micros,
        };
        let done = self.commit_record(newest, intent, record).await?;
        let record = done.record.clone();
        self.learn_newest(landing, done);
        failpoint::hit("epochs.commit.after")?;
        Ok(record)
    }

    /// The version of a table that has the intent's entry; `None` when the entry gave way to a change from outside.
    pub(super) async fn roll_table(
        &self,
        newest: Option<&Newest>,
        intent: &Intent,
        table: &TableIntent,
    ) -> Result<(String, Option<u64>), LakeError> {
        failpoint::hit("table.commit.before")?;
        // An intent of a later definition may be of tables that this process knows nothing of.
        let unknown;
        let log = match self.log(&table.table) {
            Ok(log) => log,
            Err(_) => {
                unknown = TableLog::new(&table.table, self.storage.clone());
                &unknown
            }
        };
        // From the version of the epoch before on, never from what this process has seen beyond it: the entry may be there.
        let base = base_version(newest, &table.table);
        let entry = table.entry(intent.committed_micros);
        let prefix = app_prefix(self.game(), &intent.generation);
        let fence = Fence::Landing {
            epoch: intent.epoch,
            prefix: &prefix,
        };
        let placed = match log.place(Some(base), &entry, fence).await {
            // Whoever rolls forward meets the same change before it meets a free version, and leaves the merge out too.
            Err(LakeError::CompactionConflict { .. }) => None,
            placed => Some(placed?.version),
        };
        failpoint::hit("table.commit.after")?;
        Ok((table.table.clone(), placed))
    }

    /// The version of every table but `_epochs` after an epoch. Where neither it nor the epoch before names one, or a later
    /// one is known, it is that: until the epoch is committed nobody can have decided the next one, so a later version has
    /// new columns and no row from beyond. A table that the definition no longer has stays where it was.
    pub(crate) async fn versions(
        &self,
        newest: Option<&Newest>,
        placed: Vec<(String, Option<u64>)>,
    ) -> BTreeMap<String, u64> {
        let mut versions =
            newest.map_or_else(BTreeMap::new, |newest| newest.record.versions.clone());
        let mut raise = |table: &str, version: u64| {
            let known = versions.entry(table.to_owned()).or_default();
            *known = (*known).max(version);
        };
        for (table, version) in placed {
            if let Some(version) = version {
                raise(&table, version);
            }
        }
        for log in self.logs().filter(|log| log.name() != EPOCHS) {
            if let Some(version) = log.known().await {
                raise(log.name(), version);
            }
        }
        versions
    }

    /// Writes an epoch's row and commits it to `_epochs`; returns what is there, which another process may have written.
    async fn commit_record(
        &self,
        newest: Option<&Newest>,
        intent: &Intent,
        record: EpochRecord,
    ) -> Result<Newest, LakeError> {
        let batch = record_batch(&record).map_err(|error| LakeError::encoding(EPOCHS, &error))?;
        let mut entry = Entry::new(
            intent.id.clone(),
            Operation::Append,
            intent.committed_micros,
        );
        let begun = newest.map_or(0, |newest| newest.record.epoch);
        for file in encode_files(EPOCHS, &[batch])? {
            entry.adds.push(self.store_file(EPOCHS, file, begun).await?);
        }
        let prefix = app_prefix(self.game(), &intent.generation);
        entry.txns = intent
            .ranges
            .iter()
            .filter(|range| range.to > range.from)
            .map(|range| txn(&prefix, range, intent.committed_micros))
            .collect();
        if let Some(merged) = intent.table(EPOCHS) {
            entry.operation = merged.operation;
            entry.adds.extend(merged.adds.iter().cloned());
            entry.removes.clone_from(&merged.removes);
        }
        entry.epoch = Some(record.clone());
        let placed = self
            .log(EPOCHS)?
            .place(
                Some(base_version(newest, EPOCHS)),
                &entry,
                Fence::Epoch(intent.epoch),
            )
            .await?;
        Ok(Newest {
            version: placed.version,
            record: placed.found.and_then(|found| found.epoch).unwrap_or(record),
        })
    }
}
