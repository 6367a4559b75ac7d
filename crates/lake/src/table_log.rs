//! The log of one table as its writers hold it: the newest version, what has landed, and the one way to commit.
//!
//! Exactly-once rests on [`TableLog::commit`]: an entry is written only if its version is new, and only after every
//! entry before it has been read and found not to overtake it. Nothing is compared with a state that the commit was not
//! made on.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};

use crate::entry::{Committed, Entry, Txn, decode_entry, entry_path, entry_version};
use crate::error::LakeError;
use crate::storage::{Put, Storage};

/// How many times a commit is tried against other writers. Each loss means that somebody else got a version, so a higher
/// number would only hide a storm.
const MAX_ATTEMPTS: u32 = 64;
/// How often a failing store is asked again before a commit gives up, and how long it waits before the first retry; the
/// waits double, so that an outage of about 6 s is ridden out.
const STORE_RETRIES: u32 = 6;
const FIRST_RETRY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });

/// The prefix of a log's app ids; the partition follows. Persisted in every table: keep stable.
pub(crate) fn app_prefix(game: &str, generation: &str) -> String {
    format!("{game}/{generation}/")
}

/// The app id of compactions, which fences them against one another.
pub(crate) fn maintenance_app(game: &str) -> String {
    format!("{game}/maintenance")
}

/// The newest state of a table that this process knows.
#[derive(Debug, Default)]
pub(crate) struct Head {
    /// The newest version; `None` before the table is opened.
    pub(crate) version: Option<u64>,
    /// Log partition -> the offset after the last that has landed here. Only what was landed beyond the last epoch, or
    /// by this process, is known; that is all that a commit can clash with.
    pub(crate) landed: BTreeMap<u32, u64>,
    /// How often compactions of this table have been committed, as far as this process knows.
    pub(crate) maintenance: i64,
    /// The app ids that count as landing; `None` until [`TableLog::resume`]. Every entry that is met is read with it, by
    /// whatever commit it is met: progress that one kind of commit overlooks would be landed twice by another.
    pub(crate) prefix: Option<String>,
}

/// What an entry must not meet.
#[derive(Debug)]
pub(crate) enum Fence<'a> {
    /// Rows of these partitions, from these first offsets on: nobody may have landed them.
    Rows(&'a BTreeMap<u32, u64>),
    /// These files: nobody may have removed them.
    Files(&'a BTreeSet<String>),
    /// An epoch with this number or a higher one.
    Epoch(u64),
    /// Anything at all: the entry must be the very next one.
    Everything,
}

/// The log of one table.
#[derive(Debug)]
pub(crate) struct TableLog {
    name: String,
    game: String,
    storage: Storage,
    head: Mutex<Head>,
}

impl TableLog {
    pub(crate) fn new(name: &str, game: &str, storage: Storage) -> Self {
        Self {
            name: name.to_owned(),
            game: game.to_owned(),
            storage,
            head: Mutex::new(Head::default()),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The path of a file of the table, relative to the lake.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }

    pub(crate) async fn head(&self) -> MutexGuard<'_, Head> {
        self.head.lock().await
    }

    /// The newest version on the store, by listing; `None` when the table does not exist.
    pub(crate) async fn newest(&self) -> Result<Option<u64>, LakeError> {
        let listed = self.storage.list(&self.path("_delta_log")).await?;
        Ok(listed
            .iter()
            .filter_map(|file| entry_version(&file.name))
            .max())
    }

    /// The entry of a version; `None` when there is none.
    pub(crate) async fn entry(&self, version: u64) -> Result<Option<Committed>, LakeError> {
        let path = self.path(&entry_path(version));
        let Some(text) = self.storage.get(&path).await? else {
            return Ok(None);
        };
        decode_entry(&text).map(Some).map_err(|error| {
            let path = self.storage.full(&path);
            LakeError::corrupt(
                &self.name,
                format!(
                    "entry {version} of its log can't be read ({error}); bring {path} back from a copy"
                ),
            )
        })
    }

    /// The first entry that can't be read or is missing between others; `None` when all entries are sound.
    pub(crate) async fn broken_entry(&self) -> Result<Option<LakeError>, LakeError> {
        let listed = self.storage.list(&self.path("_delta_log")).await?;
        let mut versions: Vec<u64> = listed
            .iter()
            .filter_map(|file| entry_version(&file.name))
            .collect();
        versions.sort_unstable();
        let mut next = None;
        for version in versions {
            if let Some(missing) = next.filter(|next| *next < version) {
                return Ok(Some(LakeError::Vanished {
                    table: self.name.clone(),
                    version: missing,
                }));
            }
            if let Err(broken) = self.entry(version).await {
                return Ok(Some(broken));
            }
            next = Some(version + 1);
        }
        Ok(None)
    }

    /// Sets the newest version and what has landed: `landed` by the last epoch, and what entries after `since` say.
    pub(crate) async fn resume(
        &self,
        prefix: &str,
        landed: BTreeMap<u32, u64>,
        since: u64,
    ) -> Result<(), LakeError> {
        let mut head = self.head.lock().await;
        // Versions that were there can't be fewer now, unless somebody took files away: what came next would be landed on
        // top of nothing.
        let known = head.version.unwrap_or(0).max(since);
        let newest = match self.newest().await? {
            Some(newest) if newest >= known => newest,
            _ => {
                return Err(LakeError::Vanished {
                    table: self.name.clone(),
                    version: known,
                });
            }
        };
        head.landed = landed;
        head.prefix = Some(prefix.to_owned());
        for version in since + 1..=newest {
            let entry = self.entry(version).await?.ok_or_else(|| {
                LakeError::corrupt(
                    &self.name,
                    format!("entry {version} of its log is missing, and no epoch covers it"),
                )
            })?;
            absorb(&mut head, &entry, &self.game);
        }
        head.version = Some(newest);
        Ok(())
    }

    /// Commits an entry as the next version, or says why it must not be. Knows its own commit again when the store gave
    /// no clear answer.
    pub(crate) async fn commit(&self, entry: &Entry, fence: Fence<'_>) -> Result<u64, LakeError> {
        let mut head = self.head.lock().await;
        self.commit_locked(&mut head, entry, fence).await
    }

    /// As [`Self::commit`], for a caller that holds the head.
    pub(crate) async fn commit_locked(
        &self,
        head: &mut Head,
        entry: &Entry,
        fence: Fence<'_>,
    ) -> Result<u64, LakeError> {
        self.check_rows(head, &fence)?;
        self.check_base(head).await?;
        let bytes = entry.encode();
        let mut wait = FIRST_RETRY;
        let mut store_failures = 0;
        for _ in 0..MAX_ATTEMPTS {
            let version = head.version.map_or(0, |version| version + 1);
            let put = self
                .storage
                .put_new(&self.path(&entry_path(version)), bytes.clone())
                .await;
            if let Ok(Put::Created) = put {
                self.own(head, entry, version);
                return Ok(version);
            }
            // Either somebody has this version, or the store failed and it may still be ours.
            match (self.entry(version).await, put) {
                (Ok(Some(found)), _) if found.id.as_deref() == Some(entry.id.as_str()) => {
                    self.own(head, entry, version);
                    return Ok(version);
                }
                (Ok(Some(found)), _) => {
                    head.version = Some(version);
                    absorb(head, &found, &self.game);
                    self.check_found(head, &found, &fence)?;
                }
                (Ok(None) | Err(_), Err(error)) => {
                    store_failures += 1;
                    if store_failures > STORE_RETRIES {
                        return Err(error);
                    }
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                // A name that exists and can't be read, or does no more: ask again.
                (Ok(None), Ok(_)) => {}
                (Err(error), Ok(_)) => return Err(error),
            }
        }
        Err(LakeError::Contended {
            table: self.name.clone(),
            attempts: MAX_ATTEMPTS,
        })
    }

    /// The entry that a commit is made on must still be there, itself or as a checkpoint.
    async fn check_base(&self, head: &Head) -> Result<(), LakeError> {
        let Some(version) = head.version else {
            return self.storage.make_folder(&self.path("_delta_log")).await;
        };
        let checkpoint = format!("_delta_log/{version:020}.checkpoint.parquet");
        if self
            .storage
            .exists(&self.path(&entry_path(version)))
            .await?
            || self.storage.exists(&self.path(&checkpoint)).await?
        {
            return Ok(());
        }
        Err(LakeError::Vanished {
            table: self.name.clone(),
            version,
        })
    }

    fn own(&self, head: &mut Head, entry: &Entry, version: u64) {
        head.version = Some(version);
        let own = Committed {
            txns: entry.txns.clone(),
            ..Committed::default()
        };
        absorb(head, &own, &self.game);
    }

    fn check_rows(&self, head: &Head, fence: &Fence<'_>) -> Result<(), LakeError> {
        let Fence::Rows(first) = fence else {
            return Ok(());
        };
        for (partition, offered) in *first {
            if let Some(landed) = head
                .landed
                .get(partition)
                .filter(|landed| *landed > offered)
            {
                return Err(LakeError::Overtaken {
                    table: self.name.clone(),
                    partition: *partition,
                    landed: *landed,
                    offered: *offered,
                });
            }
        }
        Ok(())
    }

    fn check_found(
        &self,
        head: &Head,
        found: &Committed,
        fence: &Fence<'_>,
    ) -> Result<(), LakeError> {
        let conflict = || LakeError::CompactionConflict {
            table: self.name.clone(),
        };
        match fence {
            Fence::Everything => Err(LakeError::Contended {
                table: self.name.clone(),
                attempts: 1,
            }),
            _ if found.changes_protocol => Err(LakeError::corrupt(
                &self.name,
                "another writer changed its protocol; restart to read it anew",
            )),
            Fence::Rows(_) => self.check_rows(head, fence),
            Fence::Files(_) if found.metadata.is_some() => Err(conflict()),
            Fence::Files(files) if found.removed.iter().any(|path| files.contains(path)) => {
                Err(conflict())
            }
            Fence::Files(_) => Ok(()),
            Fence::Epoch(own) => match &found.epoch {
                Some(other) if other.epoch >= *own => Err(LakeError::EpochTaken { epoch: *own }),
                _ => Ok(()),
            },
        }
    }
}

fn absorb(head: &mut Head, found: &Committed, game: &str) {
    let maintenance = maintenance_app(game);
    for Txn {
        app_id, version, ..
    } in &found.txns
    {
        if *app_id == maintenance {
            head.maintenance = head.maintenance.max(*version);
        }
        let Some(prefix) = &head.prefix else { continue };
        let partition = app_id
            .strip_prefix(prefix.as_str())
            .and_then(|rest| rest.parse().ok());
        if let (Some(partition), Ok(next)) = (partition, u64::try_from(*version)) {
            let landed = head.landed.entry(partition).or_default();
            *landed = (*landed).max(next);
        }
    }
}

#[cfg(test)]
mod tests;
