//! Maintenance, off the hot path: small files are merged, logs get checkpoints and lose old entries, files that belong to
//! no version go. None of it changes a row, and a crash anywhere in it leaves only files that the next vacuum takes.

use std::collections::BTreeMap;
use std::time::Duration;

use deltalake::checkpoints;
use deltalake::operations::vacuum::VacuumMode;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::Shutdown;

use crate::epoch::{EpochRecord, OffsetRange};
use crate::error::LakeError;
use crate::lake::Lake;
use crate::table_log::TableLog;

mod compact;

/// Versions between two checkpoints of a table: a reader replays at most this many entries.
const CHECKPOINT_EVERY: u64 = 100;
/// How often files are looked for that belong to no version: it lists the whole table.
const VACUUM_EVERY_MICROS: i64 = 3_600_000_000;
/// The least age of a file that vacuum takes: queries pin versions for minutes, uploads take seconds.
const LEAST_VACUUM_SECONDS: u64 = 3600;
/// How often a table that nobody writes to is looked at all the same: its last small files are merged when they rest.
const REST_MICROS: i64 = 3_600_000_000;

/// What maintenance remembers between its rounds.
#[derive(Debug, Default)]
pub struct Rounds {
    // Table -> the version that it was examined at, and when.
    seen: BTreeMap<String, (u64, i64)>,
    // Table -> the version of its newest checkpoint.
    checkpoints: BTreeMap<String, u64>,
    last_vacuum_micros: Option<i64>,
}

/// What one round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Small files that were merged into larger ones.
    pub merged_files: usize,
    /// Checkpoints written.
    pub checkpoints: usize,
    /// Files removed that belonged to no version.
    pub vacuumed_files: usize,
}

impl Lake {
    /// Maintains the lake in rounds until `shutdown`. A round that fails is logged, and its work is left to the next one.
    pub async fn maintain(&self, config: &StreamerConfig, shutdown: Shutdown) {
        if config.maintenance_seconds == 0 {
            return;
        }
        let mut rounds = Rounds::default();
        let pause = Duration::from_secs(config.maintenance_seconds);
        while shutdown
            .run_until_cancelled(tokio::time::sleep(pause))
            .await
            .is_some()
        {
            // A round that is cut off by shutdown leaves what a crash would: files of no version.
            match shutdown
                .run_until_cancelled(self.maintain_once(config, &mut rounds))
                .await
            {
                None => return,
                Some(Ok(done)) if done == Maintained::default() => {}
                Some(Ok(done)) => tracing::debug!(
                    merged_files = done.merged_files,
                    checkpoints = done.checkpoints,
                    vacuumed_files = done.vacuumed_files,
                    "the lake was maintained"
                ),
                Some(Err(error)) => {
                    tracing::warn!(%error, "a round of maintenance failed; the next one goes on")
                }
            }
        }
    }

    /// One round over all tables. Does nothing before landing has read its resume point.
    pub async fn maintain_once(
        &self,
        config: &StreamerConfig,
        rounds: &mut Rounds,
    ) -> Result<Maintained, LakeError> {
        let mut done = Maintained::default();
        if self.landing.lock().await.generation.is_none() {
            return Ok(done);
        }
        let now = self.clock.now_micros();
        let vacuum_due = rounds
            .last_vacuum_micros
            .is_none_or(|last| now - last >= VACUUM_EVERY_MICROS);
        for log in self.logs() {
            let Some(version) = log.head().await.version else {
                continue;
            };
            let seen = rounds.seen.get(log.name());
            if seen.is_none_or(|(seen, at)| *seen != version || now - at >= REST_MICROS) {
                done.merged_files += self.compact(log, config.compact_files).await?;
                rounds.seen.insert(log.name().to_owned(), (version, now));
            }
            if self.checkpoint_if_due(log, rounds).await? {
                done.checkpoints += 1;
            }
            if vacuum_due {
                done.vacuumed_files += self.vacuum(log, config.vacuum_seconds).await?;
            }
        }
        if vacuum_due {
            rounds.last_vacuum_micros = Some(now);
        }
        if done.merged_files > 0 {
            self.publish_versions().await?;
        }
        Ok(done)
    }

    /// Commits an epoch without rows, so that readers' cut moves on to the merged files.
    async fn publish_versions(&self) -> Result<(), LakeError> {
        let mut landing = self.landing.lock().await;
        let Some(last) = &landing.last else {
            return Ok(());
        };
        // Versions that hold rows from beyond the last epoch are no cut: the next epoch will publish the merged files.
        let versions = self.versions(Some(last)).await;
        if versions == last.versions || self.check_cut(&last.ranges).await.is_err() {
            return Ok(());
        }
        let record = EpochRecord {
            epoch: last.epoch + 1,
            generation: last.generation.clone(),
            ranges: last
                .ranges
                .iter()
                .map(|range| OffsetRange {
                    from: range.to,
                    ..*range
                })
                .collect(),
            versions,
            rows: BTreeMap::new(),
            records: 0,
            committed_micros: self.clock.now_micros(),
        };
        self.commit_record(&record).await?;
        landing.last = Some(record);
        Ok(())
    }

    async fn checkpoint_if_due(
        &self,
        log: &TableLog,
        rounds: &mut Rounds,
    ) -> Result<bool, LakeError> {
        let name = log.name();
        if !rounds.checkpoints.contains_key(name) {
            let listed = self.storage.list(&log.path("_delta_log")).await?;
            let newest = listed
                .iter()
                .filter_map(|file| checkpoint_version(&file.name))
                .max()
                .unwrap_or(0);
            rounds.checkpoints.insert(name.to_owned(), newest);
        }
        let newest = rounds.checkpoints.get(name).copied().unwrap_or(0);
        let head = log.head().await.version.unwrap_or(0);
        if head < newest + CHECKPOINT_EVERY {
            return Ok(false);
        }
        let table = self.delta_table(name).await?;
        let delta = |error| LakeError::delta(name, &error);
        checkpoints::create_checkpoint(&table, None)
            .await
            .map_err(delta)?;
        rounds
            .checkpoints
            .insert(name.to_owned(), table.version().unwrap_or(head));
        // Entries stay for hours after a checkpoint covers them: no reader holds a version for that long.
        checkpoints::cleanup_metadata(&table, None)
            .await
            .map_err(delta)?;
        Ok(true)
    }

    /// Removes files that no version of the last hours refers to.
    async fn vacuum(&self, log: &TableLog, vacuum_seconds: u64) -> Result<usize, LakeError> {
        let seconds = vacuum_seconds.max(LEAST_VACUUM_SECONDS);
        let retention =
            chrono::Duration::seconds(i64::try_from(seconds).unwrap_or(i64::MAX / 1_000_000));
        // A dry run only: the removal itself needs no entries in the log.
        let plan = self
            .delta_table(log.name())
            .await?
            .vacuum()
            .with_mode(VacuumMode::Full)
            .with_retention_period(retention)
            .with_enforce_retention_duration(false)
            .with_dry_run(true)
            .await
            .map_err(|error| LakeError::delta(log.name(), &error))?;
        let mut removed = 0;
        for file in plan.1.files_deleted {
            self.storage.remove(&log.path(&file)).await?;
            removed += 1;
        }
        let oldest = self.clock.now_micros() - i64::try_from(seconds).unwrap_or(0) * 1_000_000;
        for file in self.storage.list(&log.path("_delta_log")).await? {
            if file.name.ends_with(".tmp") && file.modified_micros < oldest {
                self.storage
                    .remove(&log.path(&format!("_delta_log/{}", file.name)))
                    .await?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

/// True for the table whose newest entry readers look at for the cut.
pub(crate) fn is_epochs(log: &TableLog) -> bool {
    log.name() == EPOCHS
}

fn checkpoint_version(name: &str) -> Option<u64> {
    let (version, rest) = name.split_once('.')?;
    rest.starts_with("checkpoint")
        .then(|| version.parse().ok())
        .flatten()
}
