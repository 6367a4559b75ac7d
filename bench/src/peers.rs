//! Peers: installed into the user's cache, started beside ours.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use gamepipe_tests::Client;
use gamepipe_tests::wait::{PATIENCE, wait_for};
use serde_json::Value;

use crate::machine::{cpu_seconds, say};

const PACKAGES: [&str; 6] = [
    "flask==3.1.2",
    "redis==6.4.0",
    "duckdb==2.0.0",
    "fastapi==0.165.0",
    "uvicorn[standard]==0.54.0",
    "confluent-kafka==2.16.1",
];
const REDIS_PORT: &str = "17379";
const FLASK_PORT: &str = "17500";
const FASTAPI_PORT: &str = "17600";

/// `host:port` of an `http://` address.
pub(crate) fn address(base: &str) -> Option<&str> {
    base.strip_prefix("http://")
}

/// The folder of what is installed once.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(base.join("gamepipe"))
}

/// A Python with the peers' packages.
pub(crate) fn python() -> Result<PathBuf> {
    let folder = cache()?.join("bench-python");
    let python = folder.join("bin/python");
    let stamp = folder.join("packages.txt");
    let wanted = PACKAGES.join("\n");
    if !std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        say("making a Python environment for the peers (once)");
        run(Command::new("python3")
            .args(["-m", "venv", "--clear"])
            .arg(&folder))?;
        run(Command::new(&python)
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(PACKAGES))?;
        std::fs::write(stamp, wanted)?;
    }
    Ok(python)
}

/// A script beside this crate's sources.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("peers")
        .join(name)
}

pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("failed to start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} failed: {status}");
    }
    Ok(())
}

/// The Flask game and its Redis, ended when dropped.
#[derive(Debug)]
pub(crate) struct FlaskGame {
    flask: Child,
    redis: Child,
}

impl FlaskGame {
    pub(crate) fn start() -> Result<Self> {
        let python = python()?;
        let redis = Command::new("redis-server")
            .args([
                "--port",
                REDIS_PORT,
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .context("failed to start redis-server: install Debian's redis-server")?;
        let flask = Command::new(python)
            .arg(script("flask_game.py"))
            .args([REDIS_PORT, FLASK_PORT])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let game = Self { flask, redis };
        let client = Client::new(&game.base());
        wait_for("the Flask game", PATIENCE, || {
            Ok((client.get("/ledger")?.status == 200).then_some(()))
        })?;
        Ok(game)
    }

    pub(crate) fn base(&self) -> String {
        format!("http://127.0.0.1:{FLASK_PORT}")
    }

    /// CPU of Flask and Redis together.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        Ok(cpu_seconds(self.flask.id())? + cpu_seconds(self.redis.id())?)
    }

    /// Gold that acknowledged purchases and digs should have moved and did not, as `lost of due`.
    pub(crate) fn lost_debits(&self) -> Result<String> {
        let ledger: Value = Client::new(&self.base()).get("/ledger")?.json()?;
        Ok(format!("{} of {} gold", ledger["lost"], ledger["moved"]))
    }
}

impl Drop for FlaskGame {
    fn drop(&mut self) {
        for child in [&mut self.flask, &mut self.redis] {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// FastAPI with two workers that forwards events to Kafka, ended when dropped.
#[derive(Debug)]
pub(crate) struct FastApi {
    parent: Child,
}

impl FastApi {
    pub(crate) fn start(brokers: &str) -> Result<Self> {
        let parent = Command::new(python()?)
            .args(["-m", "uvicorn", "fastapi_events:app", "--workers", "2"])
            .args(["--host", "127.0.0.1", "--port", FASTAPI_PORT])
            .args(["--no-access-log", "--log-level", "warning", "--app-dir"])
            .arg(script(""))
            .env("BROKERS", brokers)
            .env("TOPIC", "fastapi-events")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let peer = Self { parent };
        let client = Client::new(&format!("http://{}", peer.address()));
        wait_for("FastAPI", PATIENCE, || {
            let reply = client.post_json("/events", &serde_json::json!({"player": "p1"}))?;
            Ok((reply.status == 200).then_some(()))
        })?;
        Ok(peer)
    }

    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{FASTAPI_PORT}")
    }

    /// CPU of the parent and its workers.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        let mut sum = cpu_seconds(self.parent.id())?;
        for worker in self.workers()? {
            sum += cpu_seconds(worker)?;
        }
        Ok(sum)
    }

    fn workers(&self) -> Result<Vec<u32>> {
        let parent = self.parent.id();
        let listed = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
        Ok(listed
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect())
    }
}

impl Drop for FastApi {
    fn drop(&mut self) {
        for worker in self.workers().unwrap_or_default() {
            // Already gone is as good.
            let _ = Command::new("kill").arg(worker.to_string()).status();
        }
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}
