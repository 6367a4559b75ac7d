//! A running pipeline: `gamepipe up`, or the roles of `gamepipe serve`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::backends::{Backends, Services};
use crate::http::Client;
use crate::process::Process;
use crate::tools::gamepipe;
use crate::wait::{PATIENCE, wait_for};

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
    game: String,
    data: Option<PathBuf>,
    backends: Backends,
    counts: [usize; 3],
    failpoints: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
    file_kib: Option<u64>,
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
        let (backends, counts) = (self.backends, self.counts);
        let mut platform = Platform {
            processes: Vec::new(),
            data,
            start: self,
            _own: own,
        };
        match backends {
            Backends::Embedded => platform.start_up()?,
            Backends::Cluster(services) => {
                for (role, count) in [Role::Api, Role::Streamer, Role::Sql]
                    .into_iter()
                    .zip(counts)
                {
                    for _ in 0..count {
                        platform.start_role(services, role, &platform.start.failpoints.clone())?;
                    }
                }
            }
        }
        Ok(platform)
    }

    fn command(&self) -> Result<Command> {
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

/// A running pipeline; its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Platform {
    processes: Vec<Process>,
    data: PathBuf,
    start: Start,
    _own: Option<TempDir>,
}

impl Platform {
    /// The API; the first of several.
    pub fn api(&self) -> Result<Client> {
        self.endpoint("api")
    }

    /// The SQL endpoint; the first of several.
    pub fn sql(&self) -> Result<Client> {
        self.endpoint("sql")
    }

    /// Clients of all API processes.
    pub fn apis(&self) -> Result<Vec<Client>> {
        let apis = self.processes.iter().filter(|process| process.has("api"));
        apis.map(|process| process.client("api")).collect()
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The lake's folder.
    pub fn lake(&self) -> PathBuf {
        self.data.join("lake")
    }

    /// All processes, in the order in which they were started: APIs, streamers, SQL endpoints.
    pub fn processes(&self) -> &[Process] {
        &self.processes
    }

    /// The processes of a role.
    pub fn of(&self, role: Role) -> Vec<&Process> {
        let all = self.processes.iter();
        all.filter(|process| process.has(role.name())).collect()
    }

    /// Starts one more process of a cluster's role, with failpoints of its own, and does not wait.
    pub fn add(&mut self, role: Role, failpoints: &str) -> Result<()> {
        match self.start.backends {
            Backends::Embedded => bail!("an embedded pipeline has one process"),
            Backends::Cluster(services) => self.start_role(services, role, failpoints),
        }
    }

    /// From now on processes are started with these services: the same ones by other ways.
    pub fn move_to(&mut self, services: Services) {
        self.start.backends = Backends::Cluster(services);
    }

    /// Forgets the processes that have ended.
    pub fn bury(&mut self) -> Result<()> {
        let mut alive = Vec::new();
        for process in std::mem::take(&mut self.processes) {
            if process.is_running()? {
                alive.push(process);
            }
        }
        self.processes = alive;
        Ok(())
    }

    fn start_up(&mut self) -> Result<()> {
        let mut command = self.start.command()?;
        command.args(["up", "--game", &self.start.game]);
        command.args(["--api", "127.0.0.1:0", "--sql", "127.0.0.1:0", "--data"]);
        command.arg(&self.data).args(&self.start.arguments);
        command.env("GAMEPIPE_FAILPOINTS", &self.start.failpoints);
        let process = Process::start("gamepipe", &["api", "sql"], &mut command)?;
        self.processes.push(process);
        Ok(())
    }

    fn start_role(&mut self, services: Services, role: Role, failpoints: &str) -> Result<()> {
        let mut command = self.start.command()?;
        command.args(["serve", role.name(), "--game", &self.start.game]);
        command
            .args(["--listen", "127.0.0.1:0"])
            .args(&self.start.arguments);
        let known: Vec<&str> = (self.start.variables.iter())
            .map(|(name, _)| name.as_str())
            .collect();
        for (name, value) in services.variables(&self.data) {
            if !known.contains(&name.as_str()) {
                command.env(name, value);
            }
        }
        command.env("GAMEPIPE_FAILPOINTS", failpoints);
        let name = format!("{} {}", role.name(), self.of(role).len() + 1);
        let process = Process::start(&name, &[role.name()], &mut command)?;
        self.processes.push(process);
        Ok(())
    }

    fn endpoint(&self, name: &str) -> Result<Client> {
        let process = self.processes.iter().find(|process| process.has(name));
        process
            .with_context(|| format!("no process has the endpoint {name}"))?
            .client(name)
    }

    /// What `gamepipe verify` says about it while it runs: whether all is well, and both streams.
    pub fn verify(&self) -> Result<(bool, String)> {
        let (api, sql) = (self.api()?, self.sql()?);
        verify(&["--api", api.base(), "--sql", sql.base()], &[])
    }

    /// The process id of the first process.
    pub fn pid(&self) -> u32 {
        self.processes.first().map_or(0, Process::pid)
    }

    /// What its processes have printed so far, both streams.
    pub fn output(&self) -> String {
        let all = self.processes.iter().map(Process::output);
        all.collect::<Vec<_>>().join("\n")
    }

    /// Waits until all endpoints answer `/readyz` with 200.
    pub fn wait_until_ready(&self) -> Result<()> {
        self.processes
            .iter()
            .try_for_each(Process::wait_until_ready)
    }

    /// True once it has said where it listens.
    pub fn is_listening(&self) -> bool {
        self.sql().is_ok()
    }

    /// Waits until everything on the log has landed and can be queried.
    pub fn wait_until_landed(&self) -> Result<()> {
        let (api, sql) = (self.api()?, self.sql()?);
        let schema = self.raw_schema()?;
        let newest = format!("select ranges from {schema}.\"_epochs\" order by epoch desc limit 1");
        wait_for("the log to be landed", PATIENCE, || {
            let log = api.get("/v1/log")?.json()?;
            if log["outbox_depth"] != 0 {
                return Ok(None);
            }
            let rows = sql.rows(&newest)?;
            let ranges: Vec<serde_json::Value> = match rows.first().and_then(|row| row[0].as_str())
            {
                Some(text) => serde_json::from_str(text)?,
                None => Vec::new(),
            };
            let partitions = log["partitions"]
                .as_array()
                .context("no partitions in /v1/log")?;
            let landed = partitions.iter().all(|partition| {
                let range = ranges
                    .iter()
                    .find(|range| range["partition"] == partition["partition"]);
                let to = range.and_then(|range| range["to"].as_u64()).unwrap_or(0);
                partition["high"].as_u64().is_some_and(|high| to >= high)
            });
            Ok(landed.then_some(()))
        })
        .with_context(|| self.output())
    }

    /// Every event on the log, as JSON.
    pub fn events(&self) -> Result<Vec<serde_json::Value>> {
        let api = self.api()?;
        let mut events = Vec::new();
        let log = api.get("/v1/log")?.json()?;
        for partition in log["partitions"]
            .as_array()
            .context("no partitions in /v1/log")?
        {
            let number = &partition["partition"];
            let mut from = partition["low"].as_u64().context("no low in /v1/log")?;
            let high = partition["high"].as_u64().context("no high in /v1/log")?;
            while from < high {
                let page = api.get(&format!("/v1/log/{number}?from={from}&max=1000"))?;
                for record in
                    crate::model::parse_events(&page.text()).map_err(anyhow::Error::msg)?
                {
                    events.push(record["event"].clone());
                }
                // Offsets may hold no record: only the reply knows where to read on.
                let next = page.header("gamepipe-next-offset").unwrap_or_default();
                let next: u64 = next.parse().context("no next offset")?;
                anyhow::ensure!(
                    next > from,
                    "partition {number} has nothing at {from} below {high}"
                );
                from = next;
            }
        }
        Ok(events)
    }

    /// Lets simulated players of the platform's game do `requests` actions, and waits until all of it has landed.
    pub fn play(&self, game: &str, requests: u32) -> Result<()> {
        let output = Command::new(gamepipe()?)
            .args(["play", "--game", game, "--requests", &requests.to_string()])
            .args(["--api", self.api()?.base(), "--sql", self.sql()?.base()])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        anyhow::ensure!(
            output.status.success(),
            "play ended with {}:\n{text}",
            output.status
        );
        self.wait_until_landed()
    }

    /// The SQL schema with every table whole.
    pub fn raw_schema(&self) -> Result<String> {
        let game = self.api()?.get("/v1/game")?.json()?;
        let name = game["name"].as_str().context("no name in /v1/game")?;
        Ok(format!("{}_raw", name.replace('-', "_")))
    }

    /// Ends all processes as a power cut would: SIGKILL.
    pub fn kill(&self) -> Result<()> {
        self.processes.iter().try_for_each(Process::kill)
    }

    /// Asks the processes to end with SIGTERM, in the order in which data flows, and waits: the first failure, or success.
    pub fn stop(&self) -> Result<ExitStatus> {
        let mut ended = Vec::new();
        for process in &self.processes {
            ended.push(process.stop()?);
        }
        let failure = ended.iter().find(|status| !status.success());
        failure
            .or(ended.first())
            .copied()
            .context("it has no processes")
    }

    /// Waits until all processes have ended: the first failure, or success.
    pub fn wait(&self) -> Result<ExitStatus> {
        let mut ended = Vec::new();
        for process in &self.processes {
            ended.push(process.wait()?);
        }
        let failure = ended.iter().find(|status| !status.success());
        failure
            .or(ended.first())
            .copied()
            .context("it has no processes")
    }

    /// True while all processes run.
    pub fn is_running(&self) -> Result<bool> {
        for process in &self.processes {
            if !process.is_running()? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What `gamepipe verify --data` says about a stopped platform: whether all is well, and both streams.
pub fn verify_stopped(data: &Path) -> Result<(bool, String)> {
    verify_stopped_with(data, &[])
}

/// As [`verify_stopped`], with settings such as `GAMEPIPE_LAKE_PATH`.
pub fn verify_stopped_with(data: &Path, settings: &[(&str, &str)]) -> Result<(bool, String)> {
    verify(&["--data", &data.display().to_string()], settings)
}

fn verify(arguments: &[&str], settings: &[(&str, &str)]) -> Result<(bool, String)> {
    let output = Command::new(gamepipe()?)
        .arg("verify")
        .args(arguments)
        .envs(settings.iter().copied())
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    Ok((output.status.success(), text))
}
