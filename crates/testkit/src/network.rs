//! A network between two processes that can be cut: a proxy on a port of its own.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// How often a connection looks whether the network was cut or mended.
const LOOK: Duration = Duration::from_millis(20);

/// Passes connections on to one address. While it is cut, nothing passes in either direction and nobody is told, as on a
/// network whose packets vanish; new connections are taken and lead nowhere.
#[derive(Debug)]
pub struct Network {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    is_cut: AtomicBool,
    is_over: AtomicBool,
    next: AtomicU64,
    open: Mutex<HashMap<u64, TcpStream>>,
}

impl Network {
    /// Begins to pass on what comes to a free port to this port of the machine.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn to(target: u16) -> Self {
        let shared = Arc::new(Shared::default());
        let (watched, own) = (Arc::clone(&shared), Arc::clone(&shared));
        let port = listen(
            move || watched.is_over.load(Ordering::Relaxed),
            move |stream| join(stream, target, &own),
        );
        Self { port, shared }
    }

    /// The port at which it stands.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing passes.
    pub fn cut(&self) {
        self.shared.is_cut.store(true, Ordering::Relaxed);
    }

    /// Everything passes again, also what was on its way.
    pub fn mend(&self) {
        self.shared.is_cut.store(false, Ordering::Relaxed);
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::Relaxed);
        let open = self
            .shared
            .open
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        for stream in open.values() {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Takes connections at a free port, each on a thread of its own, until it is over; whoever ends it connects once more. The port.
///
/// # Panics
/// When there is no free port.
pub(crate) fn listen(
    is_over: impl Fn() -> bool + Send + 'static,
    take: impl Fn(TcpStream) + Send + Sync + 'static,
) -> u16 {
    let listener = match TcpListener::bind((Ipv4Addr::LOCALHOST, 0)) {
        Ok(listener) => listener,
        Err(error) => panic!("no port for a proxy: {error}"),
    };
    let port = listener.local_addr().map_or(0, |address| address.port());
    let take = Arc::new(take);
    thread::spawn(move || {
        for stream in listener.incoming() {
            if is_over() {
                return;
            }
            let Ok(stream) = stream else { continue };
            let take = Arc::clone(&take);
            thread::spawn(move || take(stream));
        }
    });
    port
}

fn join(client: TcpStream, target: u16, shared: &Arc<Shared>) {
    while shared.is_cut.load(Ordering::Relaxed) && !shared.is_over.load(Ordering::Relaxed) {
        thread::sleep(LOOK);
    }
    let Ok(server) = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, target))) else {
        return;
    };
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    let there = {
        let shared = Arc::clone(shared);
        thread::spawn(move || pass(client, server, &shared))
    };
    pass(server_too, client_too, shared);
    // A thread that only copies has nothing to tell.
    let _ = there.join();
}

/// Copies one direction until an end closes.
fn pass(mut from: TcpStream, mut to: TcpStream, shared: &Shared) {
    let number = shared.next.fetch_add(1, Ordering::Relaxed);
    if let Ok(copy) = from.try_clone() {
        let mut open = shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(number, copy);
    }
    let mut buffer = vec![0; 64 << 10];
    let _ = from.set_read_timeout(Some(LOOK));
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    while !shared.is_over.load(Ordering::Relaxed) {
        if shared.is_cut.load(Ordering::Relaxed) {
            thread::sleep(LOOK);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                // What was read just before a cut waits behind it.
                while shared.is_cut.load(Ordering::Relaxed)
                    && !shared.is_over.load(Ordering::Relaxed)
                {
                    thread::sleep(LOOK);
                }
                if to.write_all(&buffer[..length]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    shared
        .open
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(&number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_while_it_is_cut_and_nothing_is_lost() {
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let network = Network::to(server.local_addr().unwrap().port());
        let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, network.port())).unwrap();
        let (mut other, _) = server.accept().unwrap();
        client.write_all(b"a").unwrap();
        let mut byte = [0];
        other.read_exact(&mut byte).unwrap();
        network.cut();
        client.write_all(b"b").unwrap();
        other
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        assert!(
            other.read(&mut byte).is_err(),
            "it got through a cut network"
        );
        network.mend();
        other
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        other.read_exact(&mut byte).unwrap();
        assert_eq!(byte, *b"b");
    }
}
