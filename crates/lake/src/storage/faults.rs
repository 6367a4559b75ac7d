//! A store that fails and lies as object stores do, by a seed: what it did is the same for the same calls.

use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Put, Storage};
use crate::error::LakeError;

/// One call in so many meets a fault.
const ONE_IN: u64 = 6;
/// How many calls an outage lasts at most.
const LONGEST_OUTAGE: u64 = 12;
/// After how many calls at most a write arrives that was said to have timed out.
const LATEST: u64 = 20;

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused (503): nothing has happened.
    Refused,
    /// It happens, and is answered with an error (500); the next attempt finds its own file (412).
    Unseen,
    /// It times out, and happens some calls later, whatever has happened in between.
    Late,
    /// It is answered as a lost race (409), though nobody has won it.
    Conflict,
    /// This call and those after it are refused for a while.
    Outage,
}

const FAULTS: [Fault; 5] = [
    Fault::Refused,
    Fault::Unseen,
    Fault::Late,
    Fault::Conflict,
    Fault::Outage,
];

/// A write that is still under way though its caller has been told otherwise.
#[derive(Debug)]
struct Pending {
    due: u64,
    path: String,
    bytes: Vec<u8>,
    must_be_new: bool,
}

/// The faults of one store. Processes that share the store share them.
#[derive(Debug)]
pub(crate) struct Faults {
    seed: u64,
    armed: AtomicBool,
    calls: AtomicU64,
    out_until: AtomicU64,
    pending: Mutex<Vec<Pending>>,
    /// How often each of [`FAULTS`] has happened.
    met: [AtomicU64; FAULTS.len()],
}

impl Faults {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            armed: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            out_until: AtomicU64::new(0),
            pending: Mutex::default(),
            met: Default::default(),
        }
    }

    pub(crate) fn arm(&self, armed: bool) {
        self.armed.store(armed, Ordering::SeqCst);
    }

    /// How often each fault has happened.
    pub(crate) fn met(&self) -> Vec<(Fault, u64)> {
        let counts = self.met.iter().map(|count| count.load(Ordering::SeqCst));
        FAULTS.into_iter().zip(counts).collect()
    }

    pub(super) async fn put(
        &self,
        storage: &Storage,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<(), LakeError> {
        match self.next(storage).await {
            None => storage.put_file(path, bytes).await,
            Some(Fault::Unseen) => {
                storage.put_file(path, bytes).await?;
                Err(failure("write", path))
            }
            Some(Fault::Late) => {
                self.later(path, bytes, false);
                Err(failure("write", path))
            }
            Some(_) => Err(failure("write", path)),
        }
    }

    pub(super) async fn put_new(
        &self,
        storage: &Storage,
        path: &str,
        bytes: Vec<u8>,
    ) -> Result<Put, LakeError> {
        match self.next(storage).await {
            None => storage.put_new_file(path, bytes).await,
            Some(Fault::Unseen) => {
                storage.put_new_file(path, bytes).await?;
                Err(failure("write", path))
            }
            Some(Fault::Late) => {
                self.later(path, bytes, true);
                Err(failure("write", path))
            }
            Some(Fault::Conflict) => Ok(Put::Exists),
            Some(_) => Err(failure("write", path)),
        }
    }

    pub(super) async fn read(&self, storage: &Storage, path: &str) -> Result<(), LakeError> {
        match self.next(storage).await {
            Some(Fault::Refused | Fault::Outage) => Err(failure("read", path)),
            _ => Ok(()),
        }
    }

    /// The fault of this call, if it meets one. What is due arrives first.
    async fn next(&self, storage: &Storage) -> Option<Fault> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst);
        self.arrive(storage, call).await;
        if !self.armed.load(Ordering::SeqCst) {
            return None;
        }
        if call < self.out_until.load(Ordering::SeqCst) {
            return Some(Fault::Outage);
        }
        let bits = mixed(self.seed ^ mixed(call));
        if !bits.is_multiple_of(ONE_IN) {
            return None;
        }
        let kind = usize::try_from(bits >> 32).unwrap_or(0) % FAULTS.len();
        self.met[kind].fetch_add(1, Ordering::SeqCst);
        if FAULTS[kind] == Fault::Outage {
            let end = call + 1 + mixed(bits) % LONGEST_OUTAGE;
            self.out_until.store(end, Ordering::SeqCst);
        }
        Some(FAULTS[kind])
    }

    fn later(&self, path: &str, bytes: Vec<u8>, must_be_new: bool) {
        let call = self.calls.load(Ordering::SeqCst);
        self.pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Pending {
                due: call + mixed(self.seed.wrapping_add(call)) % LATEST,
                path: path.to_owned(),
                bytes,
                must_be_new,
            });
    }

    async fn arrive(&self, storage: &Storage, call: u64) {
        let due: Vec<Pending> = {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            pending.extract_if(.., |write| write.due <= call).collect()
        };
        for write in due {
            // Nobody waits for it any more, whatever becomes of it.
            if write.must_be_new {
                let _ = storage.put_new_file(&write.path, write.bytes).await;
            } else {
                let _ = storage.put_file(&write.path, write.bytes).await;
            }
        }
    }
}

fn failure(action: &'static str, path: &str) -> LakeError {
    LakeError::Storage {
        action,
        path: path.to_owned(),
        source: Error::new(ErrorKind::TimedOut, "a fault of the test"),
    }
}

/// The bits of a number, well mixed (the finalizer of SplitMix64).
pub(crate) fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
