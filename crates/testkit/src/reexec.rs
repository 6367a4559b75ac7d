//! Tests that kill: the test binary starts itself again as a child, which runs one of its tests in the role of the victim.
//!
//! The victim is a test that returns at once unless [`role`] says that it is a child. It says what was acknowledged with
//! [`say`]; the parent reads that, kills it, and looks at what it left behind.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use gamepipe_service::clock::{Clock, SystemClock};

/// Set in a child: its role's argument, such as a directory.
const ROLE: &str = "GAMEPIPE_TEST_ROLE";

/// Replays a run: the seed that a failed run printed.
const SEED: &str = "GAMEPIPE_TEST_SEED";

/// What a child's lines begin with; the test runner's own lines don't.
const MARK: &str = "said: ";

/// The role's argument in a child, `None` in the parent.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// Says a line to the parent. It has arrived when this returns: a kill does not take it back.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // A parent that is gone listens no more.
    let _ = out
        .write_all(format!("{MARK}{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

/// A running child.
#[derive(Debug)]
pub struct Victim {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Victim {
    /// Starts this binary's test `test` with a role's argument and armed failpoints (empty: none).
    ///
    /// # Panics
    /// When the binary can't be started.
    pub fn start(test: &str, argument: &str, failpoints: &str) -> Self {
        Self::spawn(Command::new(this_binary()), test, argument, failpoints)
    }

    /// Like [`Victim::start`], with these environment variables besides.
    ///
    /// # Panics
    /// When the binary can't be started.
    pub fn start_with(test: &str, argument: &str, variables: &[(&str, &str)]) -> Self {
        let mut command = Command::new(this_binary());
        command.envs(variables.iter().copied());
        Self::spawn(command, test, argument, "")
    }

    /// Like [`Victim::start`], but no file can grow beyond `blocks` of 512 to 1024 bytes: what a full disk does.
    ///
    /// # Panics
    /// When the shell can't be started.
    pub fn start_with_small_files(test: &str, argument: &str, blocks: u32) -> Self {
        let mut shell = Command::new("sh");
        let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
        shell.arg("-c").arg(script).arg(this_binary());
        Self::spawn(shell, test, argument, "")
    }

    fn spawn(mut command: Command, test: &str, argument: &str, failpoints: &str) -> Self {
        let started = command
            .args([test, "--exact", "--nocapture", "--test-threads=1"])
            .env(ROLE, argument)
            .env(gamepipe_service::failpoint::VARIABLE, failpoints)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => panic!("the test binary can't be started again: {error}"),
        };
        let Some(stdout) = child.stdout.take() else {
            panic!("the child has no output")
        };
        Self {
            child,
            lines: BufReader::new(stdout).lines(),
        }
    }

    /// The next line that it says; `None` when it has ended.
    pub fn hear(&mut self) -> Option<String> {
        loop {
            let line = self.lines.next()?.ok()?;
            // The runner prints the test's name without an end of line before its first output.
            if let Some((_, said)) = line.split_once(MARK) {
                return Some(said.to_owned());
            }
        }
    }

    /// Kills it (SIGKILL) and returns what it had said that was not heard yet.
    pub fn kill(mut self) -> Vec<String> {
        // It may have ended by itself.
        let _ = self.child.kill();
        let mut rest = Vec::new();
        while let Some(line) = self.hear() {
            rest.push(line);
        }
        let _ = self.child.wait();
        rest
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn this_binary() -> std::path::PathBuf {
    match std::env::current_exe() {
        Ok(path) => path,
        Err(error) => panic!("where is this test binary? {error}"),
    }
}

/// Small random numbers from a printed seed.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    /// Draws a seed, or takes the one of the environment variable `GAMEPIPE_TEST_SEED`, and prints it.
    pub fn from_environment() -> Self {
        let given = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| SystemClock.seed());
        eprintln!("replay with {SEED}={seed}");
        Self(seed)
    }

    /// A number from 0 up to `below`, which must not be 0.
    pub fn roll(&mut self, below: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % below
    }
}
