//! The object store: one world in memory, and for each process a way to it that fails, lies, stalls and comes too late.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use futures::TryStreamExt;
use futures::future::BoxFuture;
use gamepipe_lake::LakeObjects;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{Error, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutPayload, Result};
use tokio::sync::watch;

use crate::chance::{Heat, mixed};

mod faults;
mod way;

use faults::{Call, draw};
pub(crate) use faults::{FAULTS, Fault, Trap};
use way::Way;

/// How often the client that may repeat a request does so.
const RETRIES: u32 = 3;
/// A late write arrives when the world has been asked this often at most.
const LATEST: u64 = 600;

/// All files, and writes that are still under way though nobody waits for them any more.
#[derive(Debug, Default)]
pub(crate) struct World {
    files: InMemory,
    late: Mutex<Vec<Late>>,
    calls: AtomicU64,
    met: Mutex<BTreeMap<Fault, u64>>,
    stalls: AtomicU64,
}

#[derive(Debug)]
struct Late {
    due: u64,
    path: Path,
    /// `None`: a removal.
    payload: Option<(PutPayload, PutMode)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Another world with the same files.
    pub(crate) fn fork(&self) -> Arc<Self> {
        Arc::new(Self {
            files: self.files.fork(),
            ..Self::default()
        })
    }

    /// How often the store was asked for something.
    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// How often each kind of fault has happened.
    pub(crate) fn met(&self) -> BTreeMap<Fault, u64> {
        lock(&self.met).clone()
    }

    /// How often a process was stopped in the middle of a call.
    pub(crate) fn stalls(&self) -> u64 {
        self.stalls.load(Ordering::SeqCst)
    }

    /// What is there: path, size and tag of every file.
    pub(crate) async fn listing(&self) -> Vec<(Path, u64, Option<String>)> {
        let files: Vec<ObjectMeta> = self
            .files
            .list(None)
            .try_collect()
            .await
            .unwrap_or_default();
        let shown = files.into_iter();
        shown
            .map(|file| (file.location, file.size, file.e_tag))
            .collect()
    }

    /// Lets the late writes arrive that are due, or all of them.
    pub(crate) async fn arrive(&self, all: bool) {
        let now = self.calls.fetch_add(1, Ordering::SeqCst);
        let due: Vec<Late> = {
            let mut late = lock(&self.late);
            late.extract_if(.., |write| all || write.due <= now)
                .collect()
        };
        for write in due {
            // Nobody waits for it, whatever becomes of it.
            let _ = match write.payload {
                Some((payload, mode)) => {
                    let put = self.files.put_opts(&write.path, payload, mode.into());
                    put.await.map(|_| ())
                }
                None => self.files.delete(&write.path).await,
            };
        }
    }
}

/// One process's way to the world.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) world: Arc<World>,
    heat: Heat,
    seed: u64,
    /// One call in so many meets a fault.
    one_in: u64,
    calls: AtomicU64,
    dead: AtomicBool,
    /// The round's only thread.
    home: ThreadId,
    stalled: watch::Sender<bool>,
    trap: Mutex<Option<Trap>>,
    out_until: Mutex<Option<Instant>>,
    /// Calls that have not been answered yet.
    open: Mutex<BTreeMap<u64, String>>,
}

impl Link {
    pub(crate) fn new(world: &Arc<World>, heat: &Heat, seed: u64, one_in: u64) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            heat: heat.clone(),
            seed,
            one_in,
            calls: AtomicU64::new(0),
            dead: AtomicBool::new(false),
            home: std::thread::current().id(),
            stalled: watch::Sender::new(false),
            trap: Mutex::default(),
            out_until: Mutex::default(),
            open: Mutex::default(),
        })
    }

    /// The clients that a lake is opened on.
    pub(crate) fn objects(self: &Arc<Self>) -> LakeObjects {
        let way = |retries| -> Arc<dyn ObjectStore> { Arc::new(Way::new(self, retries)) };
        LakeObjects {
            name: "sim".to_owned(),
            retrying: way(RETRIES),
            once: way(0),
        }
    }

    /// Nothing of this process reaches the world any more, but for what is under way.
    pub(crate) fn cut(&self) {
        self.dead.store(true, Ordering::SeqCst);
        self.stalled.send_replace(false);
    }

    /// Every call waits from now on, or goes on.
    pub(crate) fn stall(&self, stalled: bool) {
        // The trap first: it must not close behind the one that goes on.
        lock(&self.trap).take();
        self.stalled.send_replace(stalled);
    }

    /// Stalls the process at its next call of a kind.
    pub(crate) fn set_trap(&self, trap: Trap) {
        *lock(&self.trap) = Some(trap);
    }

    pub(crate) fn is_stalled(&self) -> bool {
        *self.stalled.borrow()
    }

    /// The store refuses everything for a while.
    pub(crate) fn be_out(&self, time: Duration) {
        *lock(&self.out_until) = Some(Instant::now() + time);
    }

    /// The faults of a process end: its outage, its stall.
    pub(crate) fn heal(&self) {
        lock(&self.out_until).take();
        self.stall(false);
    }

    /// What it has asked for and how it stands.
    pub(crate) fn describe(&self) -> String {
        let (calls, open) = (self.calls.load(Ordering::SeqCst), lock(&self.open));
        let stalled = self.is_stalled();
        format!(
            "{calls} calls, stalled: {stalled}, open: {:?}",
            open.values()
        )
    }

    /// True for a call that the round's thread stands still for: Delta's kernel asks on a thread of its own, and waits for the answer. Stopped in that one, nobody
    /// would be there to let it go on.
    fn holds_up_the_round(&self) -> bool {
        std::thread::current().id() != self.home
    }

    fn spring(&self, call: &Call, after: bool) {
        if self.holds_up_the_round() {
            return;
        }
        let mut trap = lock(&self.trap);
        if trap.is_some_and(|trap| trap.after == after && trap.fits(call)) {
            trap.take();
            self.world.stalls.fetch_add(1, Ordering::SeqCst);
            self.stalled.send_replace(true);
        }
    }

    async fn pass(&self) -> Result<()> {
        if !self.holds_up_the_round() {
            let mut stalled = self.stalled.subscribe();
            let _ = stalled.wait_for(|stalled| !stalled).await;
        }
        if self.dead.load(Ordering::SeqCst) {
            return Err(refused(503));
        }
        Ok(())
    }

    fn fault(&self, call: &Call) -> Option<Fault> {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        if lock(&self.out_until).is_some_and(|until| Instant::now() < until) {
            return Some(Fault::Outage);
        }
        if !self.heat.is_on() {
            return None;
        }
        let bits = mixed(self.seed ^ mixed(number));
        let fault = draw(bits, self.one_in, call)?;
        *lock(&self.world.met).entry(fault).or_default() += 1;
        if fault == Fault::Outage {
            self.be_out(Duration::from_millis(1 + mixed(bits) % 400));
        }
        Some(fault)
    }

    /// As [`Self::answer`], told of while it lasts.
    async fn call<T>(
        &self,
        call: Call,
        late: Option<(PutPayload, PutMode)>,
        work: impl Fn() -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let number = self.world.calls();
        lock(&self.open).insert(number, format!("{:?} {}", call.op, call.path));
        let done = self.answer(call, late, work).await;
        lock(&self.open).remove(&number);
        done
    }

    /// One call of the world. `work` is what it does, `late` what it does when it comes too late.
    async fn answer<T>(
        &self,
        call: Call,
        late: Option<(PutPayload, PutMode)>,
        work: impl Fn() -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        self.world.arrive(false).await;
        self.spring(&call, false);
        self.pass().await?;
        let fault = self.fault(&call);
        let bits = mixed(self.seed ^ self.calls.load(Ordering::SeqCst));
        for _ in 0..bits % 4 {
            tokio::task::yield_now().await;
        }
        let pause = Duration::from_millis(1 + bits / 7 % 15);
        let done = match fault {
            None => work().await,
            Some(Fault::Slow) => {
                tokio::time::sleep(pause).await;
                work().await
            }
            Some(Fault::SlowAnswer) => {
                let done = work().await;
                tokio::time::sleep(pause).await;
                done
            }
            Some(Fault::Refused | Fault::Outage) => return Err(refused(503)),
            Some(Fault::Conflict) => return Err(refused(409)),
            Some(Fault::Unseen) => {
                let _ = work().await;
                Err(refused(500))
            }
            Some(Fault::Late) => {
                lock(&self.world.late).push(Late {
                    due: self.world.calls() + bits % LATEST,
                    path: call.path.clone(),
                    payload: late,
                });
                Err(refused(500))
            }
        };
        self.spring(&call, true);
        self.pass().await?;
        for _ in 0..bits / 5 % 4 {
            tokio::task::yield_now().await;
        }
        done
    }
}

/// An error as the client of a bucket gives it.
fn refused(status: u16) -> Error {
    Error::Generic {
        store: "sim",
        source: format!("a fault of the test: status code: {status} of the test").into(),
    }
}
