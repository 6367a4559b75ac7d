//! A real Redis for tests: started on a free port with a folder of its own, killed, stopped and started again at will, and
//! gone with the test, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// Where `redis-server` is, when it is not on the PATH.
pub const VARIABLE: &str = "GAMEPIPE_TEST_REDIS";

/// How long a server may take until it answers, its append-only file read.
const START_DEADLINE: Duration = Duration::from_secs(30);

/// How often a start is tried: another process may take the free port first.
const START_ATTEMPTS: usize = 5;

/// Runs the server, says its process id, and kills it when the test's end of the pipe closes: also when the test is killed.
const WATCHDOG: &str = "\"$0\" \"$@\" >/dev/null 2>&1 & echo $!; read -r _; kill -9 $!; wait";

/// A running Redis.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    process: Option<Process>,
}

#[derive(Debug)]
struct Process {
    watchdog: Child,
    /// Closing it ends the server.
    pipe: Option<ChildStdin>,
    id: String,
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
        let begun = Instant::now();
        while !self.spawn() {
            assert!(
                begun.elapsed() < START_DEADLINE,
                "no restart: {}",
                self.log()
            );
        }
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
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", process.id)])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "no signal {name}"
        );
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
        let mut process = self.start_process();
        let begun = Instant::now();
        let mut is_up = false;
        while !is_up && begun.elapsed() < START_DEADLINE && is_alive(&process.id) {
            std::thread::sleep(Duration::from_millis(5));
            let answer = self.try_ask(&["PING"]).unwrap_or_default();
            // A server that wants a password is up, too; one that still reads its file is not.
            is_up = answer == "PONG" || answer.starts_with("-NOAUTH");
        }
        if !is_up {
            process.pipe = None;
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
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, &program]);
        command.args(["--port", &port, "--bind", "127.0.0.1", "--save", ""]);
        command.args(["--appendonly", "yes", "--appendfsync", "everysec"]);
        // A replica begins at once, not after the 5 s in which others may join.
        command.args(["--repl-diskless-sync-delay", "0"]);
        command
            .args(["--logfile", "redis.log"])
            .arg("--dir")
            .arg(self.folder.path());
        let spawned = command
            .args(&self.settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut watchdog = match spawned {
            Ok(watchdog) => watchdog,
            Err(error) => panic!("no shell: {error}"),
        };
        let pipe = watchdog.stdin.take();
        let mut id = String::new();
        if let Some(said) = watchdog.stdout.take() {
            // Without an id the next step finds that nothing is alive.
            let _ = BufReader::new(said).read_line(&mut id);
        }
        Process {
            watchdog,
            pipe,
            id: id.trim().to_owned(),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("redis.log")).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.watchdog.wait();
        // It has sent its signal; what is killed holds its port a moment longer.
        while is_alive(&self.id) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn is_alive(id: &str) -> bool {
    !id.is_empty()
        && std::fs::read_to_string(format!("/proc/{id}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    match listener {
        Ok(address) => address.port(),
        Err(error) => panic!("no free port: {error}"),
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
