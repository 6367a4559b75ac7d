//! A running pipeline: `gamepipe up`, or the roles of `gamepipe serve`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::backends::{Backends, Services};
use crate::http::Client;
use crate::process::Process;
use crate::start::{Role, Start};
use crate::tools::gamepipe;
use crate::wait::{PATIENCE, wait_for};
use crate::wall_clock::WallClock;

/// A running pipeline; its processes are killed when it is dropped.
#[derive(Debug)]
pub struct Platform {
    processes: Vec<Process>,
    data: PathBuf,
    start: Start,
    /// How many processes were given a clock.
    clocks: usize,
    _own: Option<TempDir>,
}

impl Platform {
    pub(crate) fn begin(start: Start, data: PathBuf, own: Option<TempDir>) -> Result<Self> {
        let (backends, counts) = (start.backends, start.counts);
        let mut platform = Self {
            processes: Vec::new(),
            data,
            start,
            clocks: 0,
            _own: own,
        };
        match backends {
            Backends::Embedded => platform.start_up()?,
            Backends::Cluster(services) => {
                let failpoints = platform.start.failpoints.clone();
                let roles = [Role::Api, Role::Streamer, Role::Sql];
                for (role, count) in roles.into_iter().zip(counts) {
                    for _ in 0..count {
                        platform.start_role(services, role, &failpoints)?;
                    }
                }
            }
        }
        Ok(platform)
    }

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
        self.push("gamepipe", &["api", "sql"], &mut command)
    }

    fn push(
        &mut self,
        name: &str,
        endpoints: &[&'static str],
        command: &mut Command,
    ) -> Result<()> {
        let process = if self.start.sets_clocks {
            self.clocks += 1;
            let file = self.data.join(format!("clock-{}", self.clocks));
            Process::start_with_clock(name, endpoints, command, WallClock::new(&file)?)?
        } else {
            Process::start(name, endpoints, command)?
        };
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
        self.push(&name, &[role.name()], &mut command)
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
        self.ended(Process::stop)
    }

    /// Waits until all processes have ended: the first failure, or success.
    pub fn wait(&self) -> Result<ExitStatus> {
        self.ended(Process::wait)
    }

    fn ended(&self, end: impl Fn(&Process) -> Result<ExitStatus>) -> Result<ExitStatus> {
        let ended: Vec<ExitStatus> = self.processes.iter().map(end).collect::<Result<_>>()?;
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
