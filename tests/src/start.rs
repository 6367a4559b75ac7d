//! How a pipeline is started: on which backends, with which settings, how many of each role.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use tempfile::TempDir;

use crate::backends::Backends;
use crate::platform::Platform;
use crate::tools::gamepipe;

/// A role of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Actions and events over HTTP, and the relay.
    Api,
    /// Log to tables.
    Streamer,
    /// Tables over HTTP.
    Sql,
}

impl Role {
    /// As the command line and what it prints call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Streamer => "streamer",
            Self::Sql => "sql",
        }
    }
}

/// How to start it.
#[derive(Debug)]
pub struct Start {
    pub(crate) game: String,
    data: Option<PathBuf>,
    pub(crate) backends: Backends,
    pub(crate) counts: [usize; 3],
    pub(crate) failpoints: String,
    pub(crate) arguments: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
    file_kib: Option<u64>,
    pub(crate) sets_clocks: bool,
}

impl Start {
    /// A reference game by name, or a definition's path.
    pub fn game(game: &str) -> Self {
        Self {
            game: game.to_owned(),
            data: None,
            backends: Backends::Embedded,
            counts: [1; 3],
            failpoints: String::new(),
            arguments: Vec::new(),
            variables: Vec::new(),
            file_kib: None,
            sets_clocks: false,
        }
    }

    /// On these backends.
    pub fn on(mut self, backends: Backends) -> Self {
        self.backends = backends;
        self
    }

    /// With that many API processes, streamers and SQL endpoints, on a cluster.
    pub fn roles(mut self, apis: usize, streamers: usize, sqls: usize) -> Self {
        self.counts = [apis, streamers, sqls];
        self
    }

    /// In this data directory; a new one that goes away with the platform when not called.
    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_path_buf());
        self
    }

    /// With failpoints armed, such as `relay.appended=kill@3`.
    pub fn failpoints(mut self, failpoints: &str) -> Self {
        failpoints.clone_into(&mut self.failpoints);
        self
    }

    /// With one more argument to `up`.
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// With a setting, such as `GAMEPIPE_LOG_MAX_BYTES`.
    pub fn setting(mut self, variable: &str, value: &str) -> Self {
        self.variables.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// On a system where no file can grow beyond this size: writes fail as on a full disk.
    pub fn files_up_to_kib(mut self, kib: u64) -> Self {
        self.file_kib = Some(kib);
        self
    }

    /// With a wall clock for each process that can be set: `Process::clock`.
    pub fn clocks(mut self) -> Self {
        self.sets_clocks = true;
        self
    }

    /// Starts it and waits until all endpoints are ready.
    pub fn up(self) -> Result<Platform> {
        let platform = self.spawn()?;
        platform.wait_until_ready()?;
        Ok(platform)
    }

    /// Starts it and does not wait.
    pub fn spawn(mut self) -> Result<Platform> {
        let own = match &self.data {
            Some(_) => None,
            None => Some(TempDir::new()?),
        };
        let data = match (&self.data, &own) {
            (Some(data), _) => data.clone(),
            (None, Some(own)) => own.path().to_path_buf(),
            (None, None) => bail!("no data directory"),
        };
        self.data = Some(data.clone());
        Platform::begin(self, data, own)
    }

    pub(crate) fn command(&self) -> Result<Command> {
        let mut command = match self.file_kib {
            None => Command::new(gamepipe()?),
            Some(kib) => {
                // The shell counts in blocks of 512 bytes, and the signal that comes with the limit would end the process.
                let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kib * 2);
                let mut shell = Command::new("sh");
                shell.args(["-c", &script]).arg(gamepipe()?);
                shell
            }
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(command)
    }
}
