//! Deciding: of all processes that would land the next epoch one does, by a conditional put.
//!
//! The greatest number among the intents is the newest epoch that is decided; its file is there from the put until a later
//! one is decided. So a put that succeeds has decided its epoch exactly when no later number is there afterwards: whoever
//! was stopped before the put, for however long, finds the name taken or a later one beside its own.
//!
//! What is known of the newest epoch may be wrong in one way: its version, when it was written or read under a name that
//! clean-up had made free. Clean-up leaves the entries of the last two epochs alone, so that can only be when two later ones
//! are done. Therefore an epoch is rolled forward only on one of which, after it was learned, no second later one was decided.

use std::sync::atomic::Ordering;
use std::time::Duration;

use gamepipe_domain::definition::system::EPOCHS;
use gamepipe_service::failpoint;

use super::proposal::Proposal;
use super::{Landing, Newest};
use crate::entry::entry_version;
use crate::epoch::EpochRecord;
use crate::error::LakeError;
use crate::intent::{INTENTS, Intent};
use crate::lake::Lake;
use crate::storage::Put;
use crate::table_log::{FIRST_RETRY, STORE_RETRIES};

/// How often another's epoch may come first before an epoch is given up. Each loss is an epoch that somebody landed.
pub(super) const MAX_LOSSES: u32 = 64;
/// How long a winner is waited for, step by step, before its work is done for it: a quarter of a second in all. A commit
/// takes hundredths on a disk and tenths on a far bucket; helping too early only costs requests.
const WINNER_WAITS: [Duration; 5] = {
    let unit = if cfg!(test) { 1 } else { 10 };
    [
        Duration::from_millis(unit),
        Duration::from_millis(2 * unit),
        Duration::from_millis(4 * unit),
        Duration::from_millis(8 * unit),
        Duration::from_millis(10 * unit),
    ]
};

/// After so many entries in a row it is cheaper to list the log and read its newest one.
const ENTRIES_BEFORE_LISTING: usize = 32;

/// What became of a put.
enum Verdict {
    /// It decided the epoch. The intents with smaller numbers are of no use any more.
    Decided { older: Vec<u64> },
    /// It had decided it, and others have finished it since.
    Done(EpochRecord),
    /// Somebody else decides, or has decided, the epoch of that number.
    Lost,
}

impl Lake {
    /// Makes a proposal the next epoch; `None` when nothing of it is left to land.
    pub(crate) async fn land(
        &self,
        proposal: &mut Proposal,
    ) -> Result<Option<EpochRecord>, LakeError> {
        let mut landing = self.landing.lock().await;
        self.notice(&mut landing).await?;
        for _ in 0..MAX_LOSSES {
            let Some(intent) = self.intent_of(&landing, proposal).await? else {
                return Ok(None);
            };
            match self.propose(&mut landing, &intent).await? {
                Verdict::Decided { older } => {
                    failpoint::hit("intent.decided")?;
                    let (record, ()) = tokio::join!(
                        self.roll_forward(&mut landing, &intent),
                        self.remove_intents(&older)
                    );
                    return record.map(Some);
                }
                Verdict::Done(record) => return Ok(Some(record)),
                Verdict::Lost => self.follow(&mut landing).await?,
            }
        }
        Err(LakeError::Contended {
            table: EPOCHS.to_owned(),
            attempts: MAX_LOSSES,
        })
    }

    async fn propose(&self, landing: &mut Landing, intent: &Intent) -> Result<Verdict, LakeError> {
        failpoint::hit("intent.put.before")?;
        if !self.put_intent(intent).await? {
            return Ok(Verdict::Lost);
        }
        failpoint::hit("intent.put.after")?;
        let mut older = self.intents().await?;
        if older.last() == Some(&intent.epoch) {
            older.pop();
            return Ok(Verdict::Decided { older });
        }
        // Later epochs are decided, so this one is done: by what was put now, or, when the put was late, by another.
        let done = self.catch_up(landing, Some(&intent.id)).await?;
        self.remove_intents(&[intent.epoch]).await;
        Ok(done.map_or(Verdict::Lost, Verdict::Done))
    }

    /// Puts an intent; false when another has its number.
    pub(super) async fn put_intent(&self, intent: &Intent) -> Result<bool, LakeError> {
        let (path, bytes) = (Intent::path(intent.epoch), intent.encode()?);
        let mut wait = FIRST_RETRY;
        for failures in 0.. {
            let put = match self.storage.put_new(&path, bytes.clone()).await {
                Ok(Put::Created) => return Ok(true),
                put => put,
            };
            // Either somebody has this number, or the store failed and it may still be ours.
            match (self.storage.get(&path).await, put) {
                (Ok(Some(found)), _) => return Ok(found == bytes),
                // Somebody had it, and the next one is decided.
                (_, Ok(_)) => return Ok(false),
                (_, Err(error)) if failures >= STORE_RETRIES => return Err(error),
                (_, Err(_)) => {
                    self.storage.pause(wait).await;
                    wait *= 2;
                }
            }
        }
        Ok(false)
    }

    /// The numbers of the intents on the store, in order.
    pub(crate) async fn intents(&self) -> Result<Vec<u64>, LakeError> {
        let listed = self.storage.list(INTENTS).await?;
        let mut numbers: Vec<u64> = listed
            .iter()
            .filter_map(|file| entry_version(&file.name))
            .collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Removes intents of which a later one is decided. What is left, the next epoch removes.
    async fn remove_intents(&self, numbers: &[u64]) {
        for number in numbers {
            if let Err(error) = self.storage.remove(&Intent::path(*number)).await {
                tracing::debug!(%error, epoch = *number, "a finished intent stays for now");
            }
        }
    }

    /// Takes notice of epochs that others are known to have landed since the newest one that was read.
    pub(crate) async fn notice(&self, landing: &mut Landing) -> Result<(), LakeError> {
        if self.known_epoch.load(Ordering::Relaxed) > landing.epoch() {
            self.catch_up(landing, None).await?;
        }
        Ok(())
    }

    /// Waits a moment for whoever was first, then does its work: afterwards a newer epoch is known, unless the store is at
    /// odds with itself.
    async fn follow(&self, landing: &mut Landing) -> Result<(), LakeError> {
        let known = landing.epoch();
        for wait in WINNER_WAITS {
            self.catch_up(landing, None).await?;
            if landing.epoch() > known {
                return Ok(());
            }
            self.storage.pause(wait).await;
        }
        self.finish_decided(landing).await
    }

    /// Reads on in `_epochs` from the newest epoch that is known; returns the one that was committed under `id`, if it comes by.
    pub(crate) async fn catch_up(
        &self,
        landing: &mut Landing,
        id: Option<&str>,
    ) -> Result<Option<EpochRecord>, LakeError> {
        let log = self.log(EPOCHS)?;
        let mut version = landing.newest.as_ref().map_or(0, |newest| newest.version);
        let mut own = None;
        for _ in 0..ENTRIES_BEFORE_LISTING {
            version += 1;
            let Some(entry) = log.entry(version).await? else {
                return Ok(own);
            };
            let Some(record) = entry.epoch else { continue };
            if id.is_some() && entry.id.as_deref() == id {
                own = Some(record.clone());
            }
            self.learn_newest(landing, Newest { version, record });
        }
        self.refresh(landing).await?;
        Ok(own)
    }

    /// Finds the newest epoch anew, by listing. What was known must still be there: a lake that was moved away or emptied is
    /// not begun anew.
    pub(crate) async fn refresh(&self, landing: &mut Landing) -> Result<(), LakeError> {
        let found = self.newest_epoch_entry().await?;
        let known = landing.newest.as_ref();
        match (found, known) {
            (Some(found), known)
                if known.is_none_or(|known| known.record.epoch <= found.record.epoch) =>
            {
                self.learn_newest(landing, found);
                Ok(())
            }
            (_, Some(known)) => Err(LakeError::Vanished {
                table: EPOCHS.to_owned(),
                version: known.version,
            }),
            (_, None) => self.log(EPOCHS)?.check_base(Some(0)).await,
        }
    }

    /// Finishes the epoch that is decided and not done, if there is one. Afterwards the newest epoch is known that there was at
    /// some moment of the call.
    pub(crate) async fn finish_decided(&self, landing: &mut Landing) -> Result<(), LakeError> {
        for _ in 0..MAX_LOSSES {
            let Some(decided) = self.intents().await?.last().copied() else {
                return Ok(());
            };
            if decided > landing.epoch() {
                self.catch_up(landing, None).await?;
            }
            if decided > landing.epoch() + 1 {
                // The entries in between have been cleaned up.
                self.refresh(landing).await?;
            }
            if decided <= landing.epoch() {
                return Ok(());
            }
            if decided > landing.epoch() + 1 {
                return Err(LakeError::corrupt(
                    EPOCHS,
                    format!(
                        "{} is there, but the newest epoch is {}; bring its log back from a copy",
                        Intent::path(decided),
                        landing.epoch()
                    ),
                ));
            }
            let Some(text) = self.storage.get(&Intent::path(decided)).await? else {
                continue;
            };
            // Only a number that is the greatest after its text was read has been the decided one all the time; else the text
            // may be that of a process which came too late.
            if self.intents().await?.last() != Some(&decided) {
                continue;
            }
            let intent = Intent::decode(decided, &text)?;
            if let Some(generation) = &landing.generation
                && *generation != intent.generation
            {
                return Err(LakeError::OtherLog {
                    lake: intent.generation,
                    log: generation.clone(),
                });
            }
            tracing::info!(epoch = decided, "finishing an epoch that was decided");
            self.roll_forward(landing, &intent).await?;
            return Ok(());
        }
        Err(LakeError::Contended {
            table: EPOCHS.to_owned(),
            attempts: MAX_LOSSES,
        })
    }
}
