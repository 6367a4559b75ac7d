//! A proxy before a broker, which can have it say that it knows of no brokers: what one says that has just started, in a moment that no test can meet.

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
pub struct Forgetful {
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
}

impl Forgetful {
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

    /// How many connections were told that there are no brokers since [`Self::forget`].
    pub fn told(&self) -> usize {
        lock(&self.shared.told).len()
    }
}

impl Drop for Forgetful {
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
    let noted = Arc::clone(&asked);
    let there = thread::spawn(move || {
        pass(client, server, |request| {
            if let Some((number, version)) = wire::asks_about_topics(&request) {
                lock(&noted).insert(number, version);
            }
            request
        });
    });
    pass(server_too, client_too, |answer| {
        let version = answer
            .first_chunk()
            .and_then(|number| lock(&asked).remove(number));
        match version {
            Some(version) if shared.forgets.load(Ordering::Acquire) => {
                lock(&shared.told).insert(number);
                wire::without_brokers(&answer, version)
            }
            _ => answer,
        }
    });
    // A thread that only copies has nothing to tell.
    let _ = there.join();
    lock(&shared.open).remove(&number);
}

/// Copies what has a length before it until an end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut copy = || -> std::io::Result<()> {
        loop {
            let mut length = [0; 4];
            from.read_exact(&mut length)?;
            let mut frame = vec![0; u32::from_be_bytes(length) as usize];
            from.read_exact(&mut frame)?;
            let mut frame = change(frame);
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
