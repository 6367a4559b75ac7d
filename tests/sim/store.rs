//! The object store: one world in memory, and for each process a way to it that fails, lies, stalls and comes too late.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use gamepipe_lake::LakeObjects;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult,
    Result,
};
use tokio::sync::watch;

use crate::chance::{Heat, mixed};

mod faults;

use faults::{Call, Op, draw};
pub(crate) use faults::{FAULTS, Fault, Trap};

/// How often the client that may repeat a request does so, and how long it waits first.
const RETRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(3);
/// A late write arrives when the world has been asked this often at most.
const LATEST: u64 = 600;
/// All files look so old that clean-up and vacuum would take them, as far as age goes.
const AGE: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// All files, and writes that are still under way though nobody waits for them any more.
#[derive(Debug, Default)]
pub(crate) struct World {
    files: InMemory,
    late: Mutex<Vec<Late>>,
    calls: AtomicU64,
    met: Mutex<BTreeMap<Fault, u64>>,
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
    stalled: watch::Sender<bool>,
    trap: Mutex<Option<Trap>>,
    out_until: Mutex<Option<Instant>>,
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
            stalled: watch::Sender::new(false),
            trap: Mutex::default(),
            out_until: Mutex::default(),
        })
    }

    /// The clients that a lake is opened on.
    pub(crate) fn objects(self: &Arc<Self>) -> LakeObjects {
        let way = |retries| -> Arc<dyn ObjectStore> {
            Arc::new(Way {
                link: Arc::clone(self),
                retries,
            })
        };
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
        self.stalled.send_replace(stalled);
        if !stalled {
            lock(&self.trap).take();
        }
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

    fn spring(&self, call: &Call, after: bool) {
        let mut trap = lock(&self.trap);
        if trap.is_some_and(|trap| trap.after == after && trap.fits(call)) {
            trap.take();
            self.stalled.send_replace(true);
        }
    }

    async fn pass(&self) -> Result<()> {
        let mut stalled = self.stalled.subscribe();
        let _ = stalled.wait_for(|stalled| !stalled).await;
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

    /// One call of the world. `work` is what it does, `late` what it does when it comes too late.
    async fn call<T>(
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

fn aged(mut file: ObjectMeta) -> ObjectMeta {
    file.last_modified -= AGE;
    file
}

/// A client of the world: with or without repetitions.
#[derive(Debug, Clone)]
struct Way {
    link: Arc<Link>,
    retries: u32,
}

impl fmt::Display for Way {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "sim ({} retries)", self.retries)
    }
}

impl Way {
    async fn call<T>(
        &self,
        op: Op,
        path: &Path,
        late: Option<(PutPayload, PutMode)>,
        work: impl Fn(Arc<World>) -> BoxFuture<'static, Result<T>>,
    ) -> Result<T> {
        let mut wait = FIRST_WAIT;
        for left in (0..=self.retries).rev() {
            let call = Call {
                op,
                path: path.clone(),
            };
            let world = &self.link.world;
            let done = self
                .link
                .call(call, late.clone(), || work(Arc::clone(world)));
            match done.await {
                Err(Error::Generic { .. }) if left > 0 => tokio::time::sleep(wait).await,
                done => return done,
            }
            wait *= 2;
        }
        Err(refused(503))
    }
}

#[async_trait]
impl ObjectStore for Way {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        let op = match options.mode {
            PutMode::Create => Op::Create,
            _ => Op::Put,
        };
        let late = Some((payload.clone(), options.mode.clone()));
        self.call(op, location, late, |world| {
            let (path, payload, options) = (location.clone(), payload.clone(), options.clone());
            Box::pin(async move { world.files.put_opts(&path, payload, options).await })
        })
        .await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(Error::NotImplemented {
            operation: "an upload in parts".to_owned(),
            implementer: "sim".to_owned(),
        })
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.call(Op::Get, location, None, |world| {
            let (path, options) = (location.clone(), options.clone());
            Box::pin(async move {
                let mut got = world.files.get_opts(&path, options).await?;
                got.meta = aged(got.meta);
                Ok(got)
            })
        })
        .await
    }

    async fn get_ranges(
        &self,
        location: &Path,
        ranges: &[Range<u64>],
    ) -> Result<Vec<bytes::Bytes>> {
        self.call(Op::Get, location, None, |world| {
            let (path, ranges) = (location.clone(), ranges.to_vec());
            Box::pin(async move { world.files.get_ranges(&path, &ranges).await })
        })
        .await
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let way = self.clone();
        let delete = move |location: Result<Path>| {
            let way = way.clone();
            async move {
                let location = location?;
                let deleted = way.call(Op::Delete, &location, None, |world| {
                    let path = location.clone();
                    Box::pin(async move { world.files.delete(&path).await })
                });
                deleted.await.map(|()| location)
            }
        };
        locations.then(delete).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (way, prefix) = (self.clone(), prefix.cloned());
        let listed = async move {
            let root = prefix.clone().unwrap_or_default();
            let files = way.call(Op::List, &root, None, |world| {
                let prefix = prefix.clone();
                Box::pin(async move {
                    let files = world.files.list(prefix.as_ref());
                    files.try_collect::<Vec<ObjectMeta>>().await
                })
            });
            let files = files.await?;
            Ok::<_, Error>(stream::iter(files.into_iter().map(|file| Ok(aged(file)))))
        };
        stream::once(listed).try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        let root = prefix.cloned().unwrap_or_default();
        let listed = self.call(Op::List, &root, None, |world| {
            let prefix = prefix.cloned();
            Box::pin(async move { world.files.list_with_delimiter(prefix.as_ref()).await })
        });
        let mut listed = listed.await?;
        listed.objects = listed.objects.into_iter().map(aged).collect();
        Ok(listed)
    }

    async fn copy_opts(&self, _from: &Path, _to: &Path, _options: CopyOptions) -> Result<()> {
        Err(Error::NotImplemented {
            operation: "a copy".to_owned(),
            implementer: "sim".to_owned(),
        })
    }
}
