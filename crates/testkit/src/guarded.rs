//! A server's process that ends with the test, however that ends: also when the test itself is killed.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// Runs the server, says its process id, and kills it when the test's end of the pipe closes.
const WATCHDOG: &str = "\"$0\" \"$@\" >>server.log 2>&1 & echo $!; read -r _; kill -9 $!; wait";

/// A running server. Dropping it kills it (SIGKILL) and waits until its port is free again.
#[derive(Debug)]
pub(crate) struct Guarded {
    watchdog: Child,
    /// Closing it ends the server.
    pipe: Option<ChildStdin>,
    id: String,
}

impl Guarded {
    /// Starts a program in a folder, where `server.log` takes what it says.
    ///
    /// # Panics
    /// When there is no shell.
    pub(crate) fn start(
        folder: &Path,
        program: &str,
        arguments: &[String],
        variables: &[(&str, &str)],
    ) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", WATCHDOG, program]).args(arguments);
        let spawned = command
            .envs(variables.iter().copied())
            .current_dir(folder)
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
        Self {
            watchdog,
            pipe,
            id: id.trim().to_owned(),
        }
    }

    /// True until it has ended.
    pub(crate) fn is_alive(&self) -> bool {
        !self.id.is_empty()
            && std::fs::read_to_string(format!("/proc/{}/stat", self.id))
                .is_ok_and(|stat| !stat.contains(") Z "))
    }

    /// Sends it a signal by its name without `SIG`.
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

impl Drop for Guarded {
    fn drop(&mut self) {
        self.pipe = None;
        let _ = self.watchdog.wait();
        // It has sent its signal; what is killed holds its port a moment longer.
        while self.is_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// A port of 127.0.0.1 that nobody listens on at this moment.
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
