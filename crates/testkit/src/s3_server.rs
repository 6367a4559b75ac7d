//! A real S3-compatible object store for tests (versitygw over a temporary folder): on a free port, killed, stopped and
//! started again at will, and gone with the test, however that ends.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, free_port, insist};

/// Where `versitygw` is, when it is not on the PATH.
pub const VARIABLE: &str = "GAMEPIPE_TEST_S3";

/// The bucket that every server has from its start.
pub const BUCKET: &str = "games";
/// The access key of the one account.
pub const KEY_ID: &str = "test-key";
/// Its secret. Tests look for it in texts, where it must never be.
pub const SECRET: &str = "test-secret-that-nobody-may-see";
/// The region that the server says it is in.
pub const REGION: &str = "us-east-1";

/// How long a server may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How often a start is tried: another process may take the free port first.
const START_ATTEMPTS: usize = 5;

/// A running object store.
#[derive(Debug)]
pub struct S3Server {
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

impl S3Server {
    /// Starts a server with the bucket [`BUCKET`].
    ///
    /// # Panics
    /// When there is no `versitygw`, or it does not start; the message says why.
    pub fn start() -> Self {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        let mut server = Self {
            folder,
            port: 0,
            process: None,
        };
        server.make_bucket(BUCKET);
        for _ in 0..START_ATTEMPTS {
            server.port = free_port();
            if server.spawn() {
                return server;
            }
        }
        panic!("versitygw does not start: {}", server.log());
    }

    /// Makes another bucket.
    ///
    /// # Panics
    /// When its folder can't be made.
    pub fn make_bucket(&self, name: &str) {
        let made = std::fs::create_dir_all(self.bucket_folder(name));
        assert!(made.is_ok(), "no bucket {name}: {made:?}");
    }

    /// Removes a bucket with all that is in it, as it runs.
    ///
    /// # Panics
    /// When it can't be removed.
    pub fn remove_bucket(&self, name: &str) {
        let removed = std::fs::remove_dir_all(self.bucket_folder(name));
        assert!(removed.is_ok(), "bucket {name} stays: {removed:?}");
    }

    /// Where the objects of a bucket are, as files.
    pub fn bucket_folder(&self, name: &str) -> PathBuf {
        self.folder.path().join("data").join(name)
    }

    /// Its address as settings have it.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its temporary folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills it (SIGKILL).
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again, on the same port and folder.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let is_up = insist(START_DEADLINE, || self.spawn());
        assert!(is_up, "no restart: {}", self.log());
    }

    /// Stops it where it stands (SIGSTOP): it answers nothing and keeps its connections.
    ///
    /// # Panics
    /// When it is not running.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Panics
    /// When it is not running.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        match &self.process {
            Some(process) => process.signal(name),
            None => panic!("the server is not running"),
        }
    }

    /// True when it answers in time.
    fn spawn(&mut self) -> bool {
        self.process = None;
        let program = std::env::var(VARIABLE).unwrap_or_else(|_| "versitygw".to_owned());
        let is_there = std::process::Command::new(&program)
            .arg("--version")
            .output();
        assert!(
            is_there.is_ok_and(|output| output.status.success()),
            "{program} can't be run: use `cargo xtask test`, which installs it, or set {VARIABLE} to its path"
        );
        let address = format!("127.0.0.1:{}", self.port);
        let data = self.folder.path().join("data").display().to_string();
        let arguments = [
            "--port",
            &address,
            "--region",
            REGION,
            "--quiet",
            "--keep-alive",
            "posix",
            &data,
        ]
        .map(str::to_owned);
        let keys = [("ROOT_ACCESS_KEY", KEY_ID), ("ROOT_SECRET_KEY", SECRET)];
        let opened = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"));
        let log = match opened {
            Ok(log) => log,
            Err(error) => panic!("no log file: {error}"),
        };
        let process = Process::start_with(&program, &arguments, &keys, log);
        let begun = Instant::now();
        while begun.elapsed() < START_DEADLINE && process.is_alive() {
            std::thread::sleep(Duration::from_millis(5));
            if answers(self.port) {
                self.process = Some(process);
                return true;
            }
        }
        false
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }
}

/// True when whatever listens there speaks HTTP and names itself as this server does.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(START_DEADLINE))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.contains("VERSITYGW"))
}
