//! Server processes of tests: started behind a shell that kills them when the test is gone, however it ends.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// Runs the server, says its process id, and kills it when the test's end of the pipe closes: also when the test is killed.
const WATCHDOG: &str = "\"$0\" \"$@\" >&2 & echo $!; read -r _; kill -9 $!; wait";

/// A running server; dropping it kills it.
#[derive(Debug)]
pub(crate) struct Process {
    watchdog: Child,
    /// Closing it ends the server.
    pipe: Option<ChildStdin>,
    id: String,
}

impl Process {
    /// Starts a program; what it prints goes to `log`.
    ///
    /// # Panics
    /// When there is no shell.
    pub(crate) fn start(program: &str, arguments: &[String], log: impl Into<Stdio>) -> Self {
        Self::start_with(program, arguments, &[], log)
    }

    /// As [`Self::start`], with variables.
    pub(crate) fn start_with(
        program: &str,
        arguments: &[String],
        variables: &[(&str, &str)],
        log: impl Into<Stdio>,
    ) -> Self {
        let spawned = Command::new("sh")
            .args(["-c", WATCHDOG, program])
            .args(arguments)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
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
        Self {
            watchdog,
            pipe,
            id: id.trim().to_owned(),
        }
    }

    /// True while it runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.id.is_empty()
            && std::fs::read_to_string(format!("/proc/{}/stat", self.id))
                .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Sends a signal, such as `STOP`.
    ///
    /// # Panics
    /// When it can't be sent.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", &format!("kill -{name} {}", self.id)])
            .status();
        assert!(
            sent.is_ok_and(|status| status.success()),
            "no signal {name}"
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.watchdog.wait();
        // It has sent its signal; what is killed holds its port a moment longer.
        while self.is_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Tries a start again and again, for as long as `patience` lasts; false when it never succeeds.
pub(crate) fn insist(patience: Duration, mut start: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    loop {
        if start() {
            return true;
        }
        if begun.elapsed() >= patience {
            return false;
        }
    }
}

/// A port that was free a moment ago.
///
/// # Panics
/// When there is none.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    match listener {
        Ok(address) => address.port(),
        Err(error) => panic!("no free port: {error}"),
    }
}
