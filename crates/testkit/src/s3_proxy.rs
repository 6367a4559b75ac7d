//! A proxy before an object store that fails and lies as networks and stores do: by a seed, or as a test says.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// One call in so many meets a fault.
const ONE_IN: u64 = 12;
/// How many calls an outage lasts at most.
const LONGEST_OUTAGE: u64 = 24;
/// After how many calls at most a write arrives that was said to have failed.
const LATEST: u64 = 20;

/// What can happen to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is refused (503 `SlowDown`): nothing has happened.
    SlowDown,
    /// It happens, and is answered with 500: the next attempt meets what it has done itself.
    Unseen,
    /// It happens, and the connection ends before the answer.
    Cut,
    /// It is answered with 503, and happens some calls later, whatever has happened in between.
    Late,
    /// It is answered as a lost race (409), though nobody has won it.
    Conflict,
    /// It happens, and nothing is answered until the client gives up.
    Hang,
    /// The connections of this call and of those after it end at once, for a while.
    Outage,
}

/// Of all calls. Those that only read meet the faults that make sense for them.
const FAULTS: [Fault; 7] = [
    Fault::SlowDown,
    Fault::Unseen,
    Fault::Cut,
    Fault::Late,
    Fault::Conflict,
    Fault::Hang,
    Fault::Outage,
];

/// What is answered in the store's place to calls of this method whose path and query hold this text.
#[derive(Debug, Clone)]
pub struct Canned {
    /// Such as `PUT`.
    pub method: &'static str,
    /// A part of the path and query; empty: any.
    pub holding: &'static str,
    /// The answer's status.
    pub status: u16,
    /// The code and message of the answer, as S3 has them.
    pub code: &'static str,
    /// The message.
    pub message: &'static str,
}

/// A running proxy. Dropping it ends it.
#[derive(Debug)]
pub struct S3Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

type Whole = Request<Full<Bytes>>;

#[derive(Debug)]
struct Shared {
    store: SocketAddr,
    seed: u64,
    armed: AtomicBool,
    calls: AtomicU64,
    out_until: AtomicU64,
    is_out: AtomicBool,
    takes_every_put: AtomicBool,
    canned: Mutex<Option<Canned>>,
    /// What the next write meets whose path holds this text.
    struck: Mutex<Option<(Fault, &'static str)>>,
    /// Calls under way that were said to have failed, with the number of the call before which they arrive.
    late: Mutex<Vec<(u64, Whole)>>,
    met: Mutex<BTreeMap<Fault, u64>>,
}

impl S3Proxy {
    /// Starts a proxy before the store at this port of 127.0.0.1; it passes everything on until told otherwise.
    ///
    /// # Panics
    /// When it can't listen.
    pub fn start(store_port: u16, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            store: SocketAddr::from(([127, 0, 0, 1], store_port)),
            seed,
            armed: AtomicBool::new(false),
            calls: AtomicU64::new(0),
            out_until: AtomicU64::new(0),
            is_out: AtomicBool::new(false),
            takes_every_put: AtomicBool::new(false),
            canned: Mutex::default(),
            struck: Mutex::default(),
            late: Mutex::default(),
            met: Mutex::default(),
        });
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let own = Arc::clone(&shared);
        // A thread of its own: tests come and go with their runtimes, and some block theirs.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            if let Ok(runtime) = runtime {
                runtime.block_on(async {
                    tokio::select! {
                        () = serve(own, tell) => {}
                        _ = stopped => {}
                    }
                });
            }
        });
        match told.recv() {
            Ok(address) => Self {
                address,
                shared,
                stop: Some(stop),
                thread: Some(thread),
            },
            Err(error) => panic!("no proxy: {error}"),
        }
    }

    /// Its address as settings have it.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on (or no more) calls meet faults by the seed.
    pub fn arm(&self, armed: bool) {
        self.shared.armed.store(armed, Ordering::SeqCst);
        if !armed {
            self.shared.out_until.store(0, Ordering::SeqCst);
        }
    }

    /// From now on (or no more) every connection ends at once.
    pub fn cut_everything(&self, cut: bool) {
        self.shared.is_out.store(cut, Ordering::SeqCst);
    }

    /// From now on the store seems to take a conditional put whether or not there is such an object.
    pub fn take_every_put(&self) {
        self.shared.takes_every_put.store(true, Ordering::SeqCst);
    }

    /// From now on this is answered in the store's place; `None`: nothing.
    pub fn answer(&self, canned: Option<Canned>) {
        *lock(&self.shared.canned) = canned;
    }

    /// The next PUT whose path holds this text meets this fault.
    pub fn strike(&self, fault: Fault, holding: &'static str) {
        *lock(&self.shared.struck) = Some((fault, holding));
    }

    /// True until that PUT has come.
    pub fn is_to_strike(&self) -> bool {
        lock(&self.shared.struck).is_some()
    }

    /// How often each fault has happened.
    pub fn met(&self) -> BTreeMap<Fault, u64> {
        lock(&self.shared.met).clone()
    }

    /// How many calls there were.
    pub fn calls(&self) -> u64 {
        self.shared.calls.load(Ordering::SeqCst)
    }
}

impl Drop for S3Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(shared: Arc<Shared>, tell: std::sync::mpsc::Sender<SocketAddr>) {
    let Ok(listener) = TcpListener::bind(("127.0.0.1", 0)).await else {
        return;
    };
    let Ok(address) = listener.local_addr() else {
        return;
    };
    if tell.send(address).is_err() {
        return;
    }
    while let Ok((stream, _)) = listener.accept().await {
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            let answer = |request| handle(Arc::clone(&shared), request);
            // A fault ends the connection with an error: that is its purpose.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service_fn(answer))
                .await;
        });
    }
}

/// Why a connection ends without an answer.
#[derive(Debug)]
struct Ended;

impl std::fmt::Display for Ended {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("a fault of the test")
    }
}

impl std::error::Error for Ended {}

async fn handle(
    shared: Arc<Shared>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Ended> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Ended)?.to_bytes();
    let whole = Request::from_parts(parts, Full::new(body));
    let call = shared.calls.fetch_add(1, Ordering::SeqCst);
    shared.arrive(call).await;
    if let Some(canned) = shared.canned(&whole) {
        return Ok(canned);
    }
    let fault = shared
        .strike(&whole)
        .or_else(|| shared.next(call, whole.method()));
    match fault {
        None => shared.forward(whole).await,
        Some(Fault::SlowDown) => Ok(refused(503, "SlowDown", "Please reduce your request rate.")),
        Some(Fault::Conflict) => Ok(refused(409, "ConditionalRequestConflict", "A race.")),
        Some(Fault::Outage) => Err(Ended),
        Some(Fault::Unseen) => {
            let _ = shared.forward(whole).await;
            Ok(refused(500, "InternalError", "We encountered an error."))
        }
        Some(Fault::Cut) => {
            let _ = shared.forward(whole).await;
            Err(Ended)
        }
        Some(Fault::Hang) => {
            let _ = shared.forward(whole).await;
            std::future::pending::<Infallible>().await;
            Err(Ended)
        }
        Some(Fault::Late) => {
            let due = call + 1 + mixed(shared.seed.wrapping_add(call)) % LATEST;
            lock(&shared.late).push((due, whole));
            Ok(refused(503, "SlowDown", "Please reduce your request rate."))
        }
    }
}

impl Shared {
    /// Does what is due by now.
    async fn arrive(&self, call: u64) {
        let due: Vec<(u64, Whole)> = lock(&self.late)
            .extract_if(.., |(due, _)| *due <= call)
            .collect();
        for (_, late) in due {
            // Nobody waits for it any more, whatever becomes of it.
            let _ = self.forward(late).await;
        }
    }

    fn canned(&self, request: &Whole) -> Option<Response<Full<Bytes>>> {
        let canned = lock(&self.canned).clone()?;
        let target = request.uri().path_and_query()?.as_str();
        (request.method().as_str() == canned.method && target.contains(canned.holding))
            .then(|| refused(canned.status, canned.code, canned.message))
    }

    /// The fault that a test has put in the way of this very call.
    fn strike(&self, request: &Whole) -> Option<Fault> {
        let mut struck = lock(&self.struck);
        let is_meant = struck.is_some_and(|(_, holding)| {
            *request.method() == Method::PUT && request.uri().path().contains(holding)
        });
        if is_meant {
            struck.take().map(|(fault, _)| fault)
        } else {
            None
        }
    }

    /// The fault that this call meets by the seed, if any.
    fn next(&self, call: u64, method: &Method) -> Option<Fault> {
        if self.is_out.load(Ordering::SeqCst) {
            return Some(Fault::Outage);
        }
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
        let fault = match FAULTS[kind] {
            // Nobody loses a race by reading, and an answer that comes late is no answer.
            Fault::Conflict | Fault::Late if *method != Method::PUT => Fault::SlowDown,
            fault => fault,
        };
        *lock(&self.met).entry(fault).or_default() += 1;
        if fault == Fault::Outage {
            let end = call + 1 + mixed(bits) % LONGEST_OUTAGE;
            self.out_until.store(end, Ordering::SeqCst);
        }
        Some(fault)
    }

    /// Passes a call on and gives the store's answer.
    async fn forward(&self, request: Whole) -> Result<Response<Full<Bytes>>, Ended> {
        let is_put = *request.method() == Method::PUT;
        let is_head = *request.method() == Method::HEAD;
        let exchange = async {
            let stream = TcpStream::connect(self.store).await.ok()?;
            let connected = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
            let (mut sender, connection) = connected.ok()?;
            tokio::spawn(connection);
            let answer = sender.send_request(request).await.ok()?;
            let (parts, body) = answer.into_parts();
            let body = match is_head {
                true => Bytes::new(),
                false => body.collect().await.ok()?.to_bytes(),
            };
            Some(Response::from_parts(parts, Full::new(body)))
        };
        let answer = exchange.await.ok_or(Ended)?;
        let takes_every_put = self.takes_every_put.load(Ordering::SeqCst);
        if is_put && takes_every_put && answer.status() == StatusCode::PRECONDITION_FAILED {
            let mut taken = Response::new(Full::default());
            taken.headers_mut().insert(
                hyper::header::ETAG,
                hyper::header::HeaderValue::from_static("\"taken\""),
            );
            return Ok(taken);
        }
        Ok(answer)
    }
}

fn refused(status: u16, code: &str, message: &str) -> Response<Full<Bytes>> {
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    );
    let mut answer = Response::new(Full::new(Bytes::from(text)));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    answer
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The bits of a number, well mixed (the finalizer of SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}
