//! A real Redis for tests: started on a free port with a folder of its own, killed, stopped and started again at will, and
//! gone with the test, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{Process, free_port, insist};

/// Where `redis-server` is, when it is not on the PATH.
pub const VARIABLE: &str = "GAMEPIPE_TEST_REDIS";

/// How long a server may take until it answers, its append-only file read.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How often a start is tried: another process may take the free port first.
const START_ATTEMPTS: usize = 5;

/// A running Redis.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Process>,
}

impl RedisServer {
    /// Starts a server with an append-only file and `settings` such as `["--appendfsync", "always"]`.
    ///
    /// # Panics
    /// When there is no `redis-server`, or it does not start; the message says why.
    pub fn start(settings: &[&str]) -> Self {
        let folder = match tempfile::tempdir() {
            Ok(folder) => folder,
            Err(error) => panic!("no temporary folder: {error}"),
        };
        let mut server = Self {
            folder,
            port: 0,
            settings: settings
                .iter()
                .map(|setting| (*setting).to_owned())
                .collect(),
            process: None,
        };
        for _ in 0..START_ATTEMPTS {
            server.port = free_port();
            if server.spawn() {
                return server;
            }
        }
        panic!("redis-server does not start: {}", server.log());
    }

    /// A server for all tests of a process whose stores have names of their own.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<RedisServer> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(&[]))
    }

    /// Its address as settings have it.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its append-only file is: the folder `appendonlydir` in here.
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

    /// Starts it again on the same folder and another port, where nobody looks for it.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_elsewhere(&mut self) {
        self.restart_at(free_port());
    }

    /// Starts it again on the same folder and this port, with no settings of its own: a primary, if it was a replica. What
    /// a fail-over does to a service's address.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart_at(&mut self, port: u16) {
        self.kill();
        self.settings.clear();
        self.port = port;
        self.restart();
    }

    /// Moves it to a port as it runs, its connections kept.
    ///
    /// # Panics
    /// When the port is taken.
    pub fn move_to(&mut self, port: u16) {
        let moved = self.ask(&["CONFIG", "SET", "port", &port.to_string()]);
        assert_eq!(moved, "OK");
        self.port = port;
    }

    /// Stops it where it stands (SIGSTOP): it answers nothing and keeps its connections.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    fn signal(&self, name: &str) {
        let Some(process) = &self.process else {
            panic!("the server is not running");
        };
        process.signal(name);
    }

    /// Sends a command and gives the answer as text, the parts of a list on lines of their own; an error begins with `-`.
    ///
    /// # Panics
    /// When there is no answer.
    pub fn ask(&self, command: &[&str]) -> String {
        match self.try_ask(command) {
            Ok(answer) => answer,
            Err(error) => panic!("redis-server does not answer {command:?}: {error}"),
        }
    }

    fn try_ask(&self, command: &[&str]) -> std::io::Result<String> {
        let stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(START_DEADLINE))?;
        let mut request = format!("*{}\r\n", command.len());
        for part in command {
            request.push_str(&format!("${}\r\n{part}\r\n", part.len()));
        }
        (&stream).write_all(request.as_bytes())?;
        read_answer(&mut BufReader::new(stream))
    }

    /// True when it answers in time.
    fn spawn(&mut self) -> bool {
        self.process = None;
        let process = self.start_process();
        let begun = Instant::now();
        let mut is_up = false;
        while !is_up && begun.elapsed() < START_DEADLINE && process.is_alive() {
            std::thread::sleep(Duration::from_millis(5));
            let answer = self.try_ask(&["PING"]).unwrap_or_default();
            // A server that wants a password is up, too; one that still reads its file is not.
            is_up = answer == "PONG" || answer.starts_with("-NOAUTH");
        }
        if !is_up {
            return false;
        }
        self.process = Some(process);
        true
    }

    fn start_process(&self) -> Process {
        let program = std::env::var(VARIABLE).unwrap_or_else(|_| "redis-server".to_owned());
        let is_there = Command::new(&program).arg("--version").output();
        assert!(
            is_there.is_ok_and(|output| output.status.success()),
            "{program} can't be run: use `cargo xtask test`, which installs it, or install Debian's package \
             redis-server (7.0 or newer), or set {VARIABLE} to its path"
        );
        let port = self.port.to_string();
        let mut arguments: Vec<String> = ["--port", &port, "--bind", "127.0.0.1", "--save", ""]
            .map(str::to_owned)
            .to_vec();
        arguments.extend(["--appendonly", "yes", "--appendfsync", "everysec"].map(str::to_owned));
        // A replica begins at once, not after the 5 s in which others may join.
        arguments.extend(["--repl-diskless-sync-delay", "0"].map(str::to_owned));
        arguments.extend(["--logfile", "redis.log", "--dir"].map(str::to_owned));
        arguments.push(self.folder.path().display().to_string());
        arguments.extend(self.settings.iter().cloned());
        Process::start(&program, &arguments, Stdio::null())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }
}

fn read_answer(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let (kind, rest) = line.split_at_checked(1).unwrap_or(("", ""));
    let length = rest.parse::<i64>().unwrap_or(-1);
    Ok(match kind {
        "+" | ":" => rest.to_owned(),
        "$" if length >= 0 => {
            let mut bytes = vec![0; length.unsigned_abs() as usize + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            String::from_utf8_lossy(&bytes).into_owned()
        }
        "*" => {
            let mut parts = Vec::new();
            for _ in 0..length {
                parts.push(read_answer(reader)?);
            }
            parts.join("\n")
        }
        "" => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        _ => line.to_owned(),
    })
}
