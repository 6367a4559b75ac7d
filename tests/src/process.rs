//! A running `gamepipe` process: what it prints, how it is asked to end, and how it is killed.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, anyhow};

use crate::http::Client;
use crate::wait::{PATIENCE, wait_for};
use crate::wall_clock::WallClock;

/// A process, killed when dropped.
#[derive(Debug)]
pub struct Process {
    /// What it is called in messages, such as `streamer 2`.
    name: String,
    /// The words before the addresses that it prints, such as `api`; each answers `/readyz`.
    endpoints: Vec<&'static str>,
    child: Mutex<Child>,
    output: Arc<Mutex<String>>,
    clock: Option<WallClock>,
}

impl Process {
    /// Starts it. `endpoints` are the words before the addresses that it will print.
    pub fn start(name: &str, endpoints: &[&'static str], command: &mut Command) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command
            .spawn()
            .with_context(|| format!("failed to start {name}"))?;
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take(), &output);
        collect(child.stderr.take(), &output);
        Ok(Self {
            name: name.to_owned(),
            endpoints: endpoints.to_vec(),
            child: Mutex::new(child),
            output,
            clock: None,
        })
    }

    /// As [`Self::start`], with a wall clock of its own.
    pub fn start_with_clock(
        name: &str,
        endpoints: &[&'static str],
        command: &mut Command,
        clock: WallClock,
    ) -> Result<Self> {
        command.envs(clock.variables());
        let mut process = Self::start(name, endpoints, command)?;
        process.clock = Some(clock);
        Ok(process)
    }

    /// Its wall clock, when it was given one.
    pub fn clock(&self) -> Result<&WallClock> {
        let clock = self.clock.as_ref();
        clock.with_context(|| format!("{} was started without a clock of its own", self.name))
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child().id()
    }

    /// What it has printed so far, both streams.
    pub fn output(&self) -> String {
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// True when it has an endpoint of that name.
    pub fn has(&self, endpoint: &str) -> bool {
        self.endpoints.contains(&endpoint)
    }

    /// A client of one of its endpoints, by the address that it printed: the line with the word and an `http://` address.
    pub fn client(&self, endpoint: &str) -> Result<Client> {
        let output = self.output();
        let line = output.lines().find(|line| {
            let lower = line.to_lowercase();
            lower
                .split(|letter: char| !letter.is_alphanumeric())
                .any(|word| word == endpoint)
                && lower.contains("http://")
        });
        let line =
            line.with_context(|| format!("no address of the {endpoint} printed yet:\n{output}"))?;
        let address = line.split("http://").nth(1).unwrap_or_default();
        let end =
            address.find(|letter: char| letter != '.' && letter != ':' && !letter.is_ascii_digit());
        Ok(Client::new(&format!(
            "http://{}",
            &address[..end.unwrap_or(address.len())]
        )))
    }

    /// Waits until all its endpoints answer `/readyz` with 200.
    pub fn wait_until_ready(&self) -> Result<()> {
        wait_for(&format!("{} to be ready", self.name), PATIENCE, || {
            // It will not be ready any more: no reason to wait on.
            if let Some(status) = self.child().try_wait()? {
                return Ok(Some(Err(anyhow!("{} ended with {status}", self.name))));
            }
            for endpoint in &self.endpoints {
                let reply = self.client(endpoint)?.get("/readyz")?;
                anyhow::ensure!(reply.status == 200, "{endpoint}: {}", reply.text());
            }
            Ok(Some(Ok(())))
        })
        .flatten()
        .with_context(|| self.output())
    }

    /// Ends it as a power cut would: SIGKILL.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.child();
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Sends a signal, such as `STOP`.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([&format!("-{signal}"), &self.pid().to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "kill -{signal} failed: {status}");
        Ok(())
    }

    /// Asks it to end with SIGTERM, and waits.
    pub fn stop(&self) -> Result<ExitStatus> {
        self.signal("TERM")?;
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> Result<ExitStatus> {
        wait_for(&format!("{} to end", self.name), PATIENCE, || {
            Ok(self.child().try_wait()?)
        })
    }

    /// True while it runs.
    pub fn is_running(&self) -> Result<bool> {
        Ok(self.child().try_wait()?.is_none())
    }

    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already: either way nothing is left behind.
        let _ = self.kill();
        if std::thread::panicking() {
            eprintln!("--- what {} printed ---\n{}", self.name, self.output());
        }
    }
}

fn collect(stream: Option<impl Read + Send + 'static>, output: &Arc<Mutex<String>>) {
    let Some(stream) = stream else { return };
    let output = Arc::clone(output);
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut text = output.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    });
}

/// The most memory that a process has held so far, in MiB.
pub fn peak_mib(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    let kib: u64 = number.context("no VmHWM in the status")?.parse()?;
    Ok(kib / 1024)
}
