//! A running `gamepipe up`.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use tempfile::TempDir;

use crate::http::Client;
use crate::tools::gamepipe;
use crate::wait::{PATIENCE, wait_for};

/// How to start it.
#[derive(Debug)]
pub struct Start {
    game: String,
    data: Option<PathBuf>,
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
            failpoints: String::new(),
            arguments: Vec::new(),
            variables: Vec::new(),
            file_kib: None,
        }
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

    /// Starts it and waits until both endpoints are ready.
    pub fn up(self) -> Result<Platform> {
        let platform = self.spawn()?;
        platform.wait_until_ready()?;
        Ok(platform)
    }

    /// Starts it and does not wait.
    pub fn spawn(self) -> Result<Platform> {
        let own = match &self.data {
            Some(_) => None,
            None => Some(TempDir::new()?),
        };
        let data = match (&self.data, &own) {
            (Some(data), _) => data.clone(),
            (None, Some(own)) => own.path().to_path_buf(),
            (None, None) => bail!("no data directory"),
        };
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
        command.args([
            "up",
            "--game",
            &self.game,
            "--api",
            "127.0.0.1:0",
            "--sql",
            "127.0.0.1:0",
            "--data",
        ]);
        command.arg(&data).args(&self.arguments);
        command.env("GAMEPIPE_FAILPOINTS", &self.failpoints);
        command.envs(self.variables);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().context("failed to start gamepipe")?;
        let output = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take(), &output);
        collect(child.stderr.take(), &output);
        Ok(Platform {
            child: Mutex::new(child),
            output,
            data,
            _own: own,
        })
    }
}

/// A running process, killed when dropped.
#[derive(Debug)]
pub struct Platform {
    child: Mutex<Child>,
    output: Arc<Mutex<String>>,
    data: PathBuf,
    _own: Option<TempDir>,
}

impl Platform {
    /// The API.
    pub fn api(&self) -> Result<Client> {
        Ok(Client::new(&self.address("api")?))
    }

    /// The SQL endpoint.
    pub fn sql(&self) -> Result<Client> {
        Ok(Client::new(&self.address("sql")?))
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// The lake's folder.
    pub fn lake(&self) -> PathBuf {
        self.data.join("lake")
    }

    /// What `gamepipe verify` says about it while it runs: whether all is well, and both streams.
    pub fn verify(&self) -> Result<(bool, String)> {
        let (api, sql) = (self.api()?, self.sql()?);
        verify(&["--api", api.base(), "--sql", sql.base()], &[])
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

    /// Waits until both endpoints answer `/readyz` with 200.
    pub fn wait_until_ready(&self) -> Result<()> {
        wait_for("both endpoints to be ready", PATIENCE, || {
            // It will not be ready any more: no reason to wait on.
            if let Some(status) = self.child().try_wait()? {
                return Ok(Some(Err(anyhow!("gamepipe ended with {status}"))));
            }
            let ready = self.api()?.get("/readyz")?.status == 200
                && self.sql()?.get("/readyz")?.status == 200;
            Ok(ready.then_some(Ok(())))
        })
        .flatten()
        .with_context(|| self.output())
    }

    /// True once it has said where it listens.
    pub fn is_listening(&self) -> bool {
        self.address("sql").is_ok()
    }

    /// Waits until everything on the log has landed and can be queried.
    pub fn wait_until_landed(&self) -> Result<()> {
        let (api, sql) = (self.api()?, self.sql()?);
        let schema = self.raw_schema()?;
        wait_for("the log to be landed", PATIENCE, || {
            let log = api.get("/v1/log")?.json()?;
            let outbox_empty = log["outbox_depth"] == 0;
            let landed = sql.rows(&format!("select sum(records) from {schema}.\"_epochs\""))?;
            let partitions = log["partitions"]
                .as_array()
                .context("no partitions in /v1/log")?;
            let high: u64 = partitions
                .iter()
                .filter_map(|partition| partition["high"].as_u64())
                .sum();
            let landed = landed[0][0].as_u64().unwrap_or(0);
            Ok((outbox_empty && landed == high).then_some(()))
        })
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
                let page = api
                    .get(&format!("/v1/log/{number}?from={from}&max=1000"))?
                    .text();
                for record in crate::model::parse_events(&page).map_err(anyhow::Error::msg)? {
                    from = record["offset"]
                        .as_u64()
                        .context("a record without an offset")?
                        + 1;
                    events.push(record["event"].clone());
                }
                anyhow::ensure!(
                    !page.is_empty(),
                    "partition {number} has nothing at {from} below {high}"
                );
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

    /// Ends it as a power cut would: SIGKILL.
    pub fn kill(&self) -> Result<()> {
        let mut child = self.child();
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Asks it to end with SIGTERM, and waits.
    pub fn stop(&self) -> Result<ExitStatus> {
        let status = Command::new("kill")
            .args(["-TERM", &self.pid().to_string()])
            .status()?;
        anyhow::ensure!(status.success(), "kill failed: {status}");
        self.wait()
    }

    /// Waits until it has ended.
    pub fn wait(&self) -> Result<ExitStatus> {
        wait_for("gamepipe to end", PATIENCE, || {
            Ok(self.child().try_wait()?)
        })
    }

    /// True while it runs.
    pub fn is_running(&self) -> Result<bool> {
        Ok(self.child().try_wait()?.is_none())
    }

    fn child(&self) -> std::sync::MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The address that it printed for the API or SQL: the line with the word and an `http://` address.
    fn address(&self, role: &str) -> Result<String> {
        let output = self.output();
        let line = output.lines().find(|line| {
            let lower = line.to_lowercase();
            lower
                .split(|letter: char| !letter.is_alphanumeric())
                .any(|word| word == role)
                && lower.contains("http://")
        });
        let line =
            line.with_context(|| format!("no address of the {role} printed yet:\n{output}"))?;
        let address = line.split("http://").nth(1).unwrap_or_default();
        let end =
            address.find(|letter: char| letter != '.' && letter != ':' && !letter.is_ascii_digit());
        Ok(format!(
            "http://{}",
            &address[..end.unwrap_or(address.len())]
        ))
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

impl Drop for Platform {
    fn drop(&mut self) {
        // It may have ended already: either way nothing is left behind.
        let _ = self.kill();
        if std::thread::panicking() {
            eprintln!("--- what gamepipe printed ---\n{}", self.output());
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
