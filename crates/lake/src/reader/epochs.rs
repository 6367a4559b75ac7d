//! Follows `_epochs`: which versions make up the newest consistent cut.

use std::collections::BTreeMap;
use std::sync::Arc;

use gamepipe_domain::definition::system::EPOCHS;
use object_store::path::Path;

use super::ReadError;
use crate::epoch::{COMMIT_INFO_KEY, EpochRecord};
use crate::snapshot::actions::decode_log_entry;
use crate::store::LakeStore;

/// After so many entries in a row it is cheaper to list the log and read its newest entry.
const ENTRIES_BEFORE_LISTING: usize = 32;

/// The versions of one cut.
#[derive(Debug, Default)]
pub(super) struct Pinned {
    /// The epoch; 0 before the first.
    pub(super) epoch: u64,
    /// The version of `_epochs` itself.
    pub(super) epochs_version: u64,
    /// Table to version.
    pub(super) versions: BTreeMap<String, u64>,
}

/// How far `_epochs` has been read.
#[derive(Debug)]
pub(super) struct EpochTail {
    store: LakeStore,
    newest: tokio::sync::Mutex<Option<Arc<Pinned>>>,
}

impl EpochTail {
    pub(super) fn new(store: LakeStore) -> Self {
        Self {
            store,
            newest: tokio::sync::Mutex::default(),
        }
    }

    /// The newest cut. Costs a look for the entry after the last one seen, and one that the last one is still there: a lake
    /// that was moved away or emptied must not look like one in which nothing new has landed.
    pub(super) async fn newest(&self) -> Result<Arc<Pinned>, ReadError> {
        let mut newest = self.newest.lock().await;
        let mut current = match newest.clone() {
            Some(known) => known,
            None => match self.find_newest().await? {
                Some(found) => found,
                None => return Ok(Arc::default()),
            },
        };
        for step in 1.. {
            let next = current.epochs_version + 1;
            // Both looks at once: over a network the wait is what they cost.
            let (entry, known) = if step == 1 {
                let known = self.still_there(current.clone());
                tokio::join!(self.record(next), known)
            } else {
                (self.record(next).await, Ok(current.clone()))
            };
            let Some(entry) = entry? else {
                current = known?;
                break;
            };
            current = Arc::new(match entry {
                Some(record) => pinned(next, record),
                // Not a landing round: the tables stay where they were.
                None => Pinned {
                    epoch: current.epoch,
                    epochs_version: next,
                    versions: current.versions.clone(),
                },
            });
            if step == ENTRIES_BEFORE_LISTING {
                current = self.find_newest().await?.unwrap_or(current);
            }
        }
        *newest = Some(current.clone());
        Ok(current)
    }

    /// The same cut, when its entry is still on the store; the newest one by listing when clean-up took it.
    async fn still_there(&self, known: Arc<Pinned>) -> Result<Arc<Pinned>, ReadError> {
        if self.store.has(&entry_path(known.epochs_version)).await? {
            return Ok(known);
        }
        let found = self.find_newest().await?;
        found
            .filter(|found| found.epoch >= known.epoch)
            .ok_or_else(|| ReadError::Table {
                table: EPOCHS.to_owned(),
                reason: format!(
                    "its log is gone, though epoch {} was landed; was the lake moved or emptied?",
                    known.epoch
                ),
            })
    }

    /// Lists the log and reads its newest entry that carries a record.
    async fn find_newest(&self) -> Result<Option<Arc<Pinned>>, ReadError> {
        let folder = Path::from(format!("{EPOCHS}/_delta_log"));
        let names = self.store.names(&folder).await?;
        let numbers = names.iter().filter_map(|name| {
            let name = name.strip_suffix(".json")?;
            (name.len() == 20).then(|| name.parse::<u64>().ok())?
        });
        let Some(newest) = numbers.max() else {
            return Ok(None);
        };
        for version in (0..=newest).rev() {
            match self.record(version).await? {
                Some(Some(record)) => {
                    let found = pinned(version, record);
                    return Ok(Some(Arc::new(Pinned {
                        epochs_version: newest,
                        ..found
                    })));
                }
                Some(None) => {}
                // Cleaned up: what is older is gone too.
                None => break,
            }
        }
        Ok(Some(Arc::new(Pinned {
            epochs_version: newest,
            ..Pinned::default()
        })))
    }

    /// The record in entry `version`: `None` when there is no such entry, `Some(None)` when it carries no record.
    async fn record(&self, version: u64) -> Result<Option<Option<EpochRecord>>, ReadError> {
        let path = entry_path(version);
        let Some(text) = self.store.fetch(&path).await? else {
            return Ok(None);
        };
        let broken = |reason: String| ReadError::Table {
            table: EPOCHS.to_owned(),
            reason: format!("log entry {version}: {reason}"),
        };
        let entry = decode_log_entry(&text).map_err(broken)?;
        let Some(value) = entry
            .commit_info
            .and_then(|mut info| info.remove(COMMIT_INFO_KEY))
        else {
            return Ok(Some(None));
        };
        let record = match value {
            serde_json::Value::String(text) => serde_json::from_str(&text),
            other => serde_json::from_value(other),
        };
        record
            .map(|record| Some(Some(record)))
            .map_err(|error| broken(format!("{COMMIT_INFO_KEY}: {error}")))
    }
}

fn entry_path(version: u64) -> Path {
    Path::from(format!("{EPOCHS}/_delta_log/{version:020}.json"))
}

fn pinned(version: u64, record: EpochRecord) -> Pinned {
    Pinned {
        epoch: record.epoch,
        epochs_version: version,
        versions: record.versions,
    }
}
