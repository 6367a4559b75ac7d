//! A process's wall clock, set while it runs: a library of our own stands between it and the machine's clock.

use std::ffi::OsString;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

const SOURCE: &str = include_str!("wall_clock.c");

const HOUR_NANOS: i64 = 3_600_000_000_000;

/// The wall clock of one process. Clocks that only measure how long something takes stay as they are, as on a machine
/// whose time is set.
#[derive(Debug)]
pub struct WallClock {
    library: PathBuf,
    path: PathBuf,
}

impl WallClock {
    /// A clock that shows the right time, with its state in a file at `path`.
    pub(crate) fn new(path: &Path) -> Result<Self> {
        std::fs::write(path, 0_i64.to_ne_bytes())?;
        let clock = Self {
            library: path.with_extension("so"),
            path: path.to_owned(),
        };
        build(&clock.library)?;
        Ok(clock)
    }

    /// What the process must be started with.
    pub(crate) fn variables(&self) -> [(&'static str, OsString); 2] {
        [
            ("LD_PRELOAD", self.library.clone().into()),
            ("GAMEPIPE_TEST_WALL_CLOCK", self.path.clone().into()),
        ]
    }

    /// Sets it to so many hours before or after the right time.
    pub fn set(&self, hours: i64) -> Result<()> {
        let file = std::fs::File::options().write(true).open(&self.path)?;
        Ok(file.write_all_at(&(hours * HOUR_NANOS).to_ne_bytes(), 0)?)
    }
}

/// Builds the library for a clock.
fn build(library: &Path) -> Result<()> {
    let source = library.with_extension("c");
    std::fs::write(&source, SOURCE)?;
    // What links Rust programs is there wherever tests are built.
    let output = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
        .args([library, &source])
        .arg("-ldl")
        .output()
        .context("failed to run cc, which builds the clock of tests")?;
    ensure!(
        output.status.success(),
        "cc: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}
