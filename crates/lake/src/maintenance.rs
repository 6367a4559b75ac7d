//! Maintenance, off the hot path: small files are merged, logs get checkpoints and lose old entries, files that belong to
//! no version go. None of it changes a row, and a crash anywhere in it leaves only files that the next vacuum takes.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use deltalake::checkpoints;
use deltalake::operations::vacuum::VacuumMode;
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::Shutdown;

use crate::commit::proposal::{Merge, Proposal};
use crate::commit::{MAX_EPOCHS_WAITING, Newest, base_version, is_past_naming};
use crate::error::LakeError;
use crate::intent::INTENTS;
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

/// Entries of the newest epochs are not cleaned up, however old they are: a process that finds their names free takes them for
/// the next ones to write. Two epochs are what tells it that it is late: see [`crate::commit`] and decision 0052.
pub(crate) const EPOCHS_UNTOUCHED: u64 = 2;
/// Merged files wait for the end of their round, unless so many epochs come in between: long before they are too old.
const PUBLISH_AFTER: u64 = MAX_EPOCHS_WAITING / 4;

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
    /// Maintains the lake in rounds until `shutdown`, as long as `is_turn` says so: of several processes one at a time is
    /// enough, though more do no harm. A round that fails is logged, and its work is left to the next one.
    pub async fn maintain(
        &self,
        config: &StreamerConfig,
        is_turn: impl Fn() -> bool,
        shutdown: Shutdown,
    ) {
        if config.maintenance_seconds == 0 {
            return;
        }
        let mut rounds = Rounds::default();
        loop {
            let pause = jittered(
                Duration::from_secs(config.maintenance_seconds),
                self.clock.seed(),
            );
            if shutdown
                .run_until_cancelled(tokio::time::sleep(pause))
                .await
                .is_none()
            {
                return;
            }
            if !is_turn() {
                continue;
            }
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

    /// One round over all tables, as the newest epoch has them. Does nothing before landing has read its resume point.
    pub async fn maintain_once(
        &self,
        config: &StreamerConfig,
        rounds: &mut Rounds,
    ) -> Result<Maintained, LakeError> {
        let mut done = Maintained::default();
        let Some(newest) = self.newest_to_maintain().await? else {
            return Ok(done);
        };
        let now = self.clock.now_micros();
        let vacuum_due = rounds
            .last_vacuum_micros
            .is_none_or(|last| now - last >= VACUUM_EVERY_MICROS);
        let mut merges = Vec::new();
        for log in self.logs() {
            let version = base_version(Some(&newest), log.name());
            let seen = rounds.seen.get(log.name());
            if seen.is_none_or(|(seen, at)| *seen != version || now - at >= REST_MICROS) {
                merges.extend(self.compact(log, version, config.compact_files).await?);
                rounds.seen.insert(log.name().to_owned(), (version, now));
                done.merged_files += self.publish(&mut merges, PUBLISH_AFTER).await?;
            }
            if self.checkpoint_if_due(log, &newest, rounds).await? {
                done.checkpoints += 1;
            }
            if vacuum_due {
                let taken = self.vacuum(log, newest.record.epoch, config.vacuum_seconds);
                done.vacuumed_files += taken.await?;
            }
        }
        if vacuum_due {
            rounds.last_vacuum_micros = Some(now);
        }
        done.merged_files += self.publish(&mut merges, 0).await?;
        Ok(done)
    }

    /// Makes merges an epoch without rows, with which readers' cut moves on to them, when so many epochs were committed since the
    /// first of them was begun; returns how many files went into others.
    async fn publish(&self, merges: &mut Vec<Merge>, epochs: u64) -> Result<usize, LakeError> {
        let newest = self.known_epoch.load(Ordering::Relaxed);
        if !merges
            .iter()
            .any(|merge| newest.saturating_sub(merge.begun) >= epochs)
        {
            return Ok(0);
        }
        let mut proposal = Proposal::Merges(std::mem::take(merges));
        match (self.land(&mut proposal).await?, proposal) {
            (Some(_), Proposal::Merges(landed)) => {
                Ok(landed.iter().map(|merge| merge.removes.len()).sum())
            }
            // Somebody else has merged or removed all of these files.
            _ => Ok(0),
        }
    }

    /// The newest epoch, once landing has begun.
    pub(crate) async fn newest_to_maintain(&self) -> Result<Option<Newest>, LakeError> {
        let mut landing = self.landing.lock().await;
        if landing.generation.is_none() {
            return Ok(None);
        }
        self.finish_decided(&mut landing).await?;
        Ok(landing.newest.clone())
    }

    /// The newest epoch that so many epochs follow; `None` when there are no more.
    async fn epoch_before(
        &self,
        newest: &Newest,
        epochs: u64,
    ) -> Result<Option<Newest>, LakeError> {
        let log = self.log(EPOCHS)?;
        for version in (0..newest.version).rev() {
            let Some(entry) = log.entry(version).await? else {
                return Ok(None);
            };
            if let Some(record) = entry.epoch
                && record.epoch + epochs <= newest.record.epoch
            {
                return Ok(Some(Newest { version, record }));
            }
        }
        Ok(None)
    }

    async fn checkpoint_if_due(
        &self,
        log: &TableLog,
        newest: &Newest,
        rounds: &mut Rounds,
    ) -> Result<bool, LakeError> {
        let name = log.name();
        if !rounds.checkpoints.contains_key(name) {
            let listed = self.storage.list(&log.path("_delta_log")).await?;
            let last = listed
                .iter()
                .filter_map(|file| checkpoint_version(&file.name))
                .max()
                .unwrap_or(0);
            rounds.checkpoints.insert(name.to_owned(), last);
        }
        let last = rounds.checkpoints.get(name).copied().unwrap_or(0);
        if base_version(Some(newest), name) < last + CHECKPOINT_EVERY {
            return Ok(false);
        }
        let settled = self.epoch_before(newest, EPOCHS_UNTOUCHED).await?;
        let version = base_version(settled.as_ref(), name);
        if version <= last {
            return Ok(false);
        }
        let table = self.delta_table_at(name, version).await?;
        let delta = |error| LakeError::delta(name, &error);
        checkpoints::create_checkpoint(&table, None)
            .await
            .map_err(delta)?;
        rounds.checkpoints.insert(name.to_owned(), version);
        // Entries stay for hours after a checkpoint covers them: no reader holds a version for that long.
        checkpoints::cleanup_metadata(&table, None)
            .await
            .map_err(delta)?;
        Ok(true)
    }

    /// Removes files that no version of the last hours refers to and that no intent can name any more. `newest` is an epoch
    /// that was done before.
    async fn vacuum(
        &self,
        log: &TableLog,
        newest: u64,
        vacuum_seconds: u64,
    ) -> Result<usize, LakeError> {
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
            if !is_past_naming(&file, newest) {
                continue;
            }
            self.storage.remove(&log.path(&file)).await?;
            removed += 1;
        }
        let oldest = self.clock.now_micros() - i64::try_from(seconds).unwrap_or(0) * 1_000_000;
        let mut folders = vec![log.path("_delta_log")];
        if log.name() == EPOCHS {
            folders.push(INTENTS.to_owned());
        }
        for folder in folders {
            for file in self.storage.list(&folder).await? {
                if file.name.ends_with(".tmp") && file.modified_micros < oldest {
                    let path = format!("{folder}/{}", file.name);
                    self.storage.remove(&path).await?;
                    removed += 1;
                }
            }
        }
        Ok(removed)
    }
}

/// A time that is up to a quarter shorter or longer, so that processes don't keep step.
fn jittered(time: Duration, seed: u64) -> Duration {
    let permille = u32::try_from(seed % 500).unwrap_or(0);
    time * (750 + permille) / 1000
}

fn checkpoint_version(name: &str) -> Option<u64> {
    let (version, rest) = name.split_once('.')?;
    rest.starts_with("checkpoint")
        .then(|| version.parse().ok())
        .flatten()
}
