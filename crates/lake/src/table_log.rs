//! The log of one table: what its entries say, and the one way to add one.
//!
//! An entry is written only if its version is new, and only after every entry since the version that it is made on has
//! been read and found not to be in its way. Its id makes that repeatable: whoever writes it again finds it there.

use std::time::Duration;

use tokio::sync::Mutex;

use crate::entry::{Committed, Entry, decode_entry, entry_path, entry_version};
use crate::error::LakeError;
use crate::intent::INTENTS;
use crate::storage::{Put, Storage};

/// How many versions an entry is offered, and how often a store's contradictions are asked again. Each loss means that
/// somebody else got a version, so a higher number would only hide a storm.
const MAX_ATTEMPTS: u32 = 64;
/// How often a failing store is asked again before a commit gives up, and how long it waits before the first retry; the
/// waits double, so that an outage of about 6 s is ridden out.
pub(crate) const STORE_RETRIES: u32 = 6;
pub(crate) const FIRST_RETRY: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });

/// The prefix of a log's app ids; the partition follows. Persisted in every table: keep stable.
pub(crate) fn app_prefix(game: &str, generation: &str) -> String {
    format!("{game}/{generation}/")
}

/// What an entry must not meet between the version that it is made on and its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fence<'a> {
    /// For what an intent does to a table: rows that somebody landed without deciding on an epoch first; known by the prefix of landing's app ids. For an
    /// entry that removes files also: a change of the columns, or of those files.
    Landing {
        /// The number of the intent's epoch.
        epoch: u64,
        /// What the app ids of landing begin with.
        prefix: &'a str,
    },
    /// For the entry of an epoch of this number: another one of it or of a higher one.
    Epoch(u64),
    /// Anything at all: the entry must be the very next one.
    Everything,
}

/// Where an entry is.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) version: u64,
    /// What is there, when somebody else, or this process without knowing, had written it.
    pub(crate) found: Option<Committed>,
}

/// The log of one table.
#[derive(Debug)]
pub(crate) struct TableLog {
    name: String,
    storage: Storage,
    // The newest version that this process has written or met; `None` before it knows any.
    known: Mutex<Option<u64>>,
}

impl TableLog {
    pub(crate) fn new(name: &str, storage: Storage) -> Self {
        Self {
            name: name.to_owned(),
            storage,
            known: Mutex::new(None),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The path of a file of the table, relative to the lake.
    pub(crate) fn path(&self, file: &str) -> String {
        format!("{}/{file}", self.name)
    }

    /// The newest version that this process knows.
    pub(crate) async fn known(&self) -> Option<u64> {
        *self.known.lock().await
    }

    pub(crate) async fn learn(&self, version: u64) {
        let mut known = self.known.lock().await;
        *known = (*known).max(Some(version));
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

    /// Puts an entry behind version `base` (`None`: as the first one), at the first version from there on that is free,
    /// unless it is found on the way. Knows it again when the store gave no clear answer.
    pub(crate) async fn place(
        &self,
        base: Option<u64>,
        entry: &Entry,
        fence: Fence<'_>,
    ) -> Result<Placed, LakeError> {
        self.check_base(base).await?;
        let bytes = entry.encode();
        let mut version = base.map_or(0, |base| base + 1);
        let mut wait = FIRST_RETRY;
        let mut store_failures = 0;
        for _ in 0..MAX_ATTEMPTS {
            let path = self.path(&entry_path(version));
            let put = self.storage.put_new(&path, bytes.clone()).await;
            if let Ok(Put::Created) = put {
                self.learn(version).await;
                return Ok(Placed {
                    version,
                    found: None,
                });
            }
            // Either somebody has this version, or the store failed and it may still be ours.
            match (self.entry(version).await, put) {
                (Ok(Some(found)), _) => {
                    if found.id.as_deref() == Some(entry.id.as_str()) {
                        self.learn(version).await;
                        return Ok(Placed {
                            version,
                            found: Some(found),
                        });
                    }
                    self.check_is_in_time(fence).await?;
                    self.check_found(version, &found, entry, fence)?;
                    version += 1;
                }
                (Ok(None) | Err(_), Err(error)) => {
                    store_failures += 1;
                    if store_failures > STORE_RETRIES {
                        return Err(error);
                    }
                    self.storage.pause(wait).await;
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

    /// An epoch's entry is looked for beyond what others have written only while at most one later epoch is decided. Until then
    /// clean-up has freed no name from its base on, so what is found there stands where it was written first, and the
    /// entry has not been passed.
    async fn check_is_in_time(&self, fence: Fence<'_>) -> Result<(), LakeError> {
        let (Fence::Landing { epoch, .. } | Fence::Epoch(epoch)) = fence else {
            return Ok(());
        };
        let intents = self.storage.list(INTENTS).await?;
        let decided = intents.iter().filter_map(|file| entry_version(&file.name));
        if decided.max().is_some_and(|decided| decided > epoch + 1) {
            return Err(LakeError::Late { epoch });
        }
        Ok(())
    }

    /// The entry that a commit is made on must still be there, itself or as a checkpoint.
    pub(crate) async fn check_base(&self, base: Option<u64>) -> Result<(), LakeError> {
        let Some(version) = base else {
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

    fn check_found(
        &self,
        version: u64,
        found: &Committed,
        entry: &Entry,
        fence: Fence<'_>,
    ) -> Result<(), LakeError> {
        if matches!(fence, Fence::Everything) {
            return Err(LakeError::Contended {
                table: self.name.clone(),
                attempts: 1,
            });
        }
        if found.changes_protocol {
            return Err(LakeError::corrupt(
                &self.name,
                "another writer changed its protocol; restart to read it anew",
            ));
        }
        match fence {
            Fence::Landing { prefix, .. } => {
                if found.txns.iter().any(|txn| txn.app_id.starts_with(prefix)) {
                    return Err(LakeError::Undecided {
                        table: self.name.clone(),
                        version,
                    });
                }
                let is_removed = |path: &String| entry.removes.iter().any(|own| own.path == *path);
                if !entry.removes.is_empty()
                    && (found.metadata.is_some() || found.removed.iter().any(is_removed))
                {
                    return Err(LakeError::CompactionConflict {
                        table: self.name.clone(),
                    });
                }
                Ok(())
            }
            Fence::Epoch(own) => match &found.epoch {
                Some(other) if other.epoch >= own => Err(LakeError::EpochTaken { epoch: own }),
                _ => Ok(()),
            },
            Fence::Everything => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
