//! The way into a cluster's network, which has no link to the outside: a port of this machine for each address in there
//! that a test asks for, and the relay inside, reached over a socket in the file system.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};

/// The ports that were asked for.
#[derive(Debug)]
pub(super) struct Relay {
    socket: PathBuf,
    ports: Mutex<BTreeMap<String, SocketAddr>>,
}

impl Relay {
    /// A way in by the socket of the relay inside.
    pub(super) fn by(socket: &Path) -> Self {
        Self {
            socket: socket.to_path_buf(),
            ports: Mutex::default(),
        }
    }

    /// The address outside that leads to `HOST:PORT` inside; the same one when it is asked for again.
    pub(super) fn to(&self, target: &str) -> Result<SocketAddr> {
        let mut ports = self.ports.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = ports.get(target) {
            return Ok(*address);
        }
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port")?;
        let address = listener.local_addr()?;
        ports.insert(target.to_owned(), address);
        let socket = self.socket.clone();
        let target = format!("{target}\n");
        // It goes with the test's process; until then it refuses when the cluster is gone.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = UnixStream::connect(&socket) else {
                    continue;
                };
                if (&server).write_all(target.as_bytes()).is_ok() {
                    join(client, server);
                }
            }
        });
        Ok(address)
    }
}

/// Hands bytes over in both directions until both have said all.
fn join(client: TcpStream, server: UnixStream) {
    let (Ok(from_client), Ok(to_server)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut &from_client, &mut &to_server);
        let _ = to_server.shutdown(std::net::Shutdown::Write);
    });
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut &server, &mut &client);
        let _ = client.shutdown(std::net::Shutdown::Both);
        let _ = server.shutdown(std::net::Shutdown::Both);
    });
}
