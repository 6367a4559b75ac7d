//! A store in memory, of which a test decides when each call happens, what becomes of it, and when its answer arrives. Runs
//! without threads, clocks or a runtime: the same decisions give the same history.

use std::collections::BTreeMap;
use std::io::{Error, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::oneshot;

use super::{Listed, Put};
use crate::error::LakeError;

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It happens and is answered.
    Fine,
    /// It happens, and its answer arrives when the test says so once more.
    Slow,
    /// It is refused.
    Refused,
    /// It happens, and is answered with an error.
    Unseen,
    /// A write is answered with an error, and happens when the test says so. Other calls are refused.
    Late,
}

/// A write that is still under way though its caller has been told otherwise.
#[derive(Debug)]
struct Pending {
    path: String,
    bytes: Vec<u8>,
    must_be_new: bool,
}

/// The files, and everything that ever was one.
#[derive(Debug, Default)]
pub(crate) struct World {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    written: Mutex<BTreeMap<String, Vec<Vec<u8>>>>,
    late: Mutex<Vec<Pending>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn files(&self) -> MutexGuard<'_, BTreeMap<String, Vec<u8>>> {
        lock(&self.files)
    }

    /// Path -> what was written there, in order of time, whatever was removed since.
    pub(crate) fn written(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Vec<u8>>>> {
        lock(&self.written)
    }

    pub(crate) fn put(&self, path: &str, bytes: Vec<u8>) {
        let mut written = self.written();
        written
            .entry(path.to_owned())
            .or_default()
            .push(bytes.clone());
        self.files().insert(path.to_owned(), bytes);
    }

    fn put_new(&self, path: &str, bytes: Vec<u8>) -> Put {
        if self.files().contains_key(path) {
            return Put::Exists;
        }
        self.put(path, bytes);
        Put::Created
    }

    /// Lets one late write happen.
    pub(crate) fn arrive(&self, bits: u64) {
        let mut late = lock(&self.late);
        if late.is_empty() {
            return;
        }
        let index = usize::try_from(bits).unwrap_or(0) % late.len();
        let write = late.swap_remove(index);
        drop(late);
        if write.must_be_new {
            self.put_new(&write.path, write.bytes);
        } else {
            self.put(&write.path, write.bytes);
        }
    }
}

/// One process's way to the store.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) world: Arc<World>,
    // What is called, and how to let it go on.
    waiting: Mutex<Vec<(String, oneshot::Sender<Fate>)>>,
}

impl Client {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self {
            world,
            waiting: Mutex::default(),
        }
    }

    /// Lets one of the calls that wait go on; false when none does.
    pub(crate) fn grant(&self, bits: u64, fate: Fate) -> bool {
        let mut waiting = lock(&self.waiting);
        // Those of a process that was killed are nobody's any more.
        waiting.retain(|(_, call)| !call.is_canceled());
        if waiting.is_empty() {
            return false;
        }
        let index = usize::try_from(bits).unwrap_or(0) % waiting.len();
        let (_, call) = waiting.swap_remove(index);
        drop(waiting);
        call.send(fate).is_ok()
    }

    /// True when a call waits of that action and path, such as `read a/b.json`.
    pub(crate) fn is_about_to(&self, call: &str) -> bool {
        lock(&self.waiting).iter().any(|(own, _)| own == call)
    }

    /// Waits for the test to let this process go on.
    pub(crate) async fn turn(&self) -> Fate {
        self.granted(String::new()).await
    }

    async fn granted(&self, call: String) -> Fate {
        let (go_on, granted) = oneshot::channel();
        lock(&self.waiting).push((call, go_on));
        granted.await.unwrap_or(Fate::Refused)
    }

    async fn call<T>(
        &self,
        action: &'static str,
        path: &str,
        late: Option<(&[u8], bool)>,
        work: impl FnOnce(&World) -> T,
    ) -> Result<T, LakeError> {
        let failure = || LakeError::Storage {
            action,
            path: path.to_owned(),
            source: Error::new(ErrorKind::TimedOut, "a fault of the test"),
        };
        match self.granted(format!("{action} {path}")).await {
            Fate::Fine => Ok(work(&self.world)),
            Fate::Slow => {
                let done = work(&self.world);
                self.turn().await;
                Ok(done)
            }
            Fate::Unseen => {
                work(&self.world);
                Err(failure())
            }
            Fate::Late => {
                if let Some((bytes, must_be_new)) = late {
                    lock(&self.world.late).push(Pending {
                        path: path.to_owned(),
                        bytes: bytes.to_vec(),
                        must_be_new,
                    });
                }
                Err(failure())
            }
            Fate::Refused => Err(failure()),
        }
    }

    pub(super) async fn put(&self, path: &str, bytes: Vec<u8>) -> Result<(), LakeError> {
        let late = Some((&bytes[..], false));
        self.call("write", path, late, |world| world.put(path, bytes.clone()))
            .await
    }

    pub(super) async fn put_new(&self, path: &str, bytes: Vec<u8>) -> Result<Put, LakeError> {
        let late = Some((&bytes[..], true));
        self.call("write", path, late, |world| {
            world.put_new(path, bytes.clone())
        })
        .await
    }

    pub(super) async fn exists(&self, path: &str) -> Result<bool, LakeError> {
        self.call("look for", path, None, |world| {
            world.files().contains_key(path)
        })
        .await
    }

    pub(super) async fn get(&self, path: &str) -> Result<Option<Vec<u8>>, LakeError> {
        self.call("read", path, None, |world| world.files().get(path).cloned())
            .await
    }

    pub(super) async fn list(&self, path: &str) -> Result<Vec<Listed>, LakeError> {
        let folder = format!("{path}/");
        self.call("list", path, None, |world| {
            let files = world.files();
            let names = files.keys().filter_map(|file| file.strip_prefix(&folder));
            names
                .filter(|name| !name.contains('/'))
                .map(|name| Listed {
                    name: name.to_owned(),
                    modified_micros: 0,
                })
                .collect()
        })
        .await
    }

    pub(super) async fn remove(&self, path: &str) -> Result<(), LakeError> {
        self.call("remove", path, None, |world| {
            world.files().remove(path);
        })
        .await
    }
}
