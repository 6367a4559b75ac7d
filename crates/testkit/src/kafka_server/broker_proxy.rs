//! A proxy before a broker, for what a real one can't be made to show: it can have it say that it knows of no brokers, as one says that has just started, in a
//! moment that no test can meet; and it can have those who read hear nothing more.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::wire;
use crate::network::listen;

/// The proxy.
#[derive(Debug)]
pub struct BrokerProxy {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    forgets: AtomicBool,
    is_over: AtomicBool,
    next: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
    /// The connections whose clients were told of no brokers.
    told: Mutex<HashSet<u64>>,
    /// The connections over which somebody reads.
    readers: Mutex<HashSet<u64>>,
    /// Those of them over which no answer comes any more.
    silent: Mutex<HashSet<u64>>,
}

impl BrokerProxy {
    /// Begins to pass on what comes to a free port to this port of the machine.
    ///
    /// # Panics
    /// When there is no free port.
    pub(super) fn to(target: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let (watched, own) = (Arc::clone(&shared), Arc::clone(&shared));
        let port = listen(
            move || watched.is_over.load(Ordering::Acquire),
            move |stream| join(stream, target, &own),
        );
        Self { port, shared }
    }

    /// The port at which it stands.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections; from now on, until [`Self::remember`], whoever asks about topics is told of these and of no brokers.
    pub fn forget(&self) {
        lock(&self.shared.told).clear();
        self.shared.forgets.store(true, Ordering::Release);
        self.shared.cut();
    }

    /// Everybody is told the truth again.
    pub fn remember(&self) {
        self.shared.forgets.store(false, Ordering::Release);
    }

    /// From now on nothing is answered any more over the connections that somebody has read over; they stay open, and new ones are answered. How many.
    pub fn silence_readers(&self) -> usize {
        let readers = lock(&self.shared.readers).clone();
        let count = readers.len();
        *lock(&self.shared.silent) = readers;
        count
    }

    /// How many connections were told that there are no brokers since [`Self::forget`].
    pub fn told(&self) -> usize {
        lock(&self.shared.told).len()
    }
}

impl Drop for BrokerProxy {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Release);
        self.shared.cut();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

impl Shared {
    fn cut(&self) {
        for stream in lock(&self.open).values() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// The requests of a connection that ask about topics, by their number: the version that their answer has.
type Asked = Mutex<HashMap<[u8; 4], u16>>;

fn join(client: TcpStream, target: u16, shared: &Arc<Shared>) {
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else {
        return;
    };
    let (Ok(client_too), Ok(server_too), Ok(kept)) =
        (client.try_clone(), server.try_clone(), client.try_clone())
    else {
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    lock(&shared.open).insert(number, kept);
    let asked = Arc::new(Asked::default());
    let (noted, own) = (Arc::clone(&asked), Arc::clone(shared));
    let there = thread::spawn(move || {
        pass(client, server, |request| {
            if let Some((number, version)) = wire::asks_about_topics(&request) {
                lock(&noted).insert(number, version);
            }
            if wire::reads(&request) {
                lock(&own.readers).insert(number);
            }
            Some(request)
        });
    });
    pass(server_too, client_too, |answer| {
        if lock(&shared.silent).contains(&number) {
            return None;
        }
        let version = answer
            .first_chunk()
            .and_then(|number| lock(&asked).remove(number));
        Some(match version {
            Some(version) if shared.forgets.load(Ordering::Acquire) => {
                lock(&shared.told).insert(number);
                wire::without_brokers(&answer, version)
            }
            _ => answer,
        })
    });
    // A thread that only copies has nothing to tell.
    let _ = there.join();
    lock(&shared.open).remove(&number);
    lock(&shared.readers).remove(&number);
}

/// Copies what has a length before it until an end closes, but for what is to be dropped.
fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(Vec<u8>) -> Option<Vec<u8>>) {
    let mut copy = || -> std::io::Result<()> {
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            from.read_exact(&mut frame)?;
            let Some(mut frame) = change(frame) else {
                continue;
            };
            let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
            frame.splice(0..0, length.to_be_bytes());
            to.write_all(&frame)?;
        }
    };
    // It ends with an error always: with the connection.
    let _ = copy();
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
