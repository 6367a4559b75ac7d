//! The operator as a process beside a control plane, with the rights and the settings that the project's chart gives it.
//!
//! The chart is installed for real, but its pod runs nothing: nodes are simulated. The process stands for it, with the
//! token of its ServiceAccount and the environment of its Deployment.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::cluster::Cluster;
use gamepipe_tests::process::Process;
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::wait::wait_for;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The games that come with gamepipe.
pub(super) const GAMES: [&str; 5] = ["arena", "quest", "guild", "market", "trade"];

/// The namespace of the release.
pub(super) const HOME: &str = "gamepipe";
/// What the chart calls all that is the operator's in it.
pub(super) const NAME: &str = "gamepipe-operator";
/// Who owns the fields of children.
pub(super) const MANAGER: &str = "gamepipe-operator";

/// The verbs that change something.
const WRITES: [&str; 4] = ["create", "update", "patch", "delete"];

/// Where the repository is.
pub(super) fn root() -> PathBuf {
    // The crate lies one folder below.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What `gamepipe` prints.
pub(super) fn gamepipe_says(arguments: &[&str]) -> Result<String> {
    let output = Command::new(gamepipe()?).args(arguments).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "gamepipe {arguments:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

/// Installs the chart with these values (`--set`).
pub(super) fn install_chart(cluster: &Cluster, values: &[&str]) -> Result<()> {
    let chart = root().join("charts/gamepipe").display().to_string();
    let mut arguments = vec!["install", "gamepipe", &chart, "--namespace", HOME];
    arguments.push("--create-namespace");
    for value in values {
        arguments.extend(["--set", value]);
    }
    cluster.helm(&arguments)?;
    Ok(())
}

/// Volumes for the claims of managed Kafka, Redis and lakes: nothing makes any here, and nothing is ever on them.
pub(super) fn provide_volumes(cluster: &Cluster, count: usize) -> Result<()> {
    let mut yaml = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: simulated, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: Immediate
allowVolumeExpansion: true
"
    .to_owned();
    for number in 0..count {
        yaml.push_str(&format!(
            "---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: simulated-{number}}}
spec:
  capacity: {{storage: 1Ti}}
  accessModes: [ReadWriteOnce, ReadWriteMany]
  storageClassName: simulated
  hostPath: {{path: /nonexistent}}
"
        ));
    }
    cluster.apply(&yaml)?;
    Ok(())
}

/// A running operator.
#[derive(Debug)]
pub(super) struct Operator {
    process: Process,
    /// Holds what signs it in.
    _folder: TempDir,
}

impl Operator {
    /// Starts it as the Deployment of the installed chart would.
    pub(super) fn start(cluster: &Cluster) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, signed_in(cluster)?.to_string())?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut command = Command::new(gamepipe()?);
        command
            .args(["operator", "run"])
            .envs(environment(cluster)?)
            .env("KUBECONFIG", &kubeconfig)
            .env("GAMEPIPE_OPERATOR_LISTEN", format!("127.0.0.1:{port}"));
        let process = Process::start("the operator", &["operator"], &mut command)?;
        let operator = Self {
            process,
            _folder: folder,
        };
        operator.process.wait_until_ready()?;
        Ok(operator)
    }

    /// What it counts, now.
    pub(super) fn counts(&self) -> Result<Counts> {
        let reply = self.process.client("operator")?.get("/metrics")?;
        ensure!(reply.status == 200, "/metrics: {}", reply.text());
        Ok(Counts(reply.text()))
    }

    /// Waits for what `check` asks of its counts, for up to `patience`.
    pub(super) fn wait<T>(
        &self,
        what: &str,
        patience: Duration,
        mut check: impl FnMut(&Counts) -> Result<Option<T>>,
    ) -> Result<T> {
        wait_for(what, patience, || {
            if !self.process.is_running()? {
                return Ok(Some(Err(anyhow::anyhow!("the operator has ended"))));
            }
            let answer = check(&self.counts()?)?;
            if answer.is_none() {
                // What it does is what is measured: it is not asked more often than anybody needs.
                std::thread::sleep(Duration::from_millis(250));
            }
            Ok(answer.map(Ok))
        })
        .flatten()
        .with_context(|| last_lines(&self.process.output()))
    }

    /// Nothing was refused for want of a right: neither by what it counts nor by what it logs.
    pub(super) fn check_rights(&self) -> Result<()> {
        let forbidden = self.counts()?.requests(&[], "403");
        let log = self.process.output();
        let lines: Vec<&str> = log
            .lines()
            .filter(|line| line.to_lowercase().contains("forbidden"))
            .collect();
        ensure!(
            forbidden == 0 && lines.is_empty(),
            "{forbidden} requests were forbidden:\n{}",
            lines.join("\n")
        );
        Ok(())
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Asks it to end, and waits until it has, in good order.
    pub(super) fn stop(self) -> Result<()> {
        let status = self.process.stop()?;
        ensure!(status.success(), "{status}: {}", self.process.output());
        Ok(())
    }
}

/// The kubeconfig of a process that is nobody but the operator's ServiceAccount.
fn signed_in(cluster: &Cluster) -> Result<Value> {
    let namespace = format!("--namespace={HOME}");
    let token = cluster.kubectl(&["create", "token", NAME, &namespace, "--duration=2h"])?;
    let view = ["config", "view", "--raw", "--flatten", "-o", "json"];
    let mut config: Value = serde_json::from_str(&cluster.kubectl(&view)?)?;
    config["users"][0]["user"] = json!({"token": token.trim()});
    Ok(config)
}

/// The environment of the Deployment's container.
fn environment(cluster: &Cluster) -> Result<Vec<(String, String)>> {
    let namespace = format!("--namespace={HOME}");
    let get = ["get", "deployment", NAME, &namespace, "-o", "json"];
    let deployment: Value = serde_json::from_str(&cluster.kubectl(&get)?)?;
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    ensure!(
        container["command"] == json!(["gamepipe", "operator", "run"])
            && container["args"].is_null(),
        "the container runs something else: {container}"
    );
    let variables = container["env"].as_array().context("no environment")?;
    let value = |variable: &Value| -> Result<(String, String)> {
        let field = &variable["valueFrom"]["fieldRef"]["fieldPath"];
        let value = match field.as_str() {
            Some("metadata.name") => format!("{NAME}-0"),
            Some("metadata.namespace") => HOME.to_owned(),
            Some(other) => anyhow::bail!("the field {other} of a pod"),
            None => variable["value"].as_str().unwrap_or_default().to_owned(),
        };
        Ok((
            variable["name"].as_str().unwrap_or_default().to_owned(),
            value,
        ))
    };
    variables.iter().map(value).collect()
}

/// What the operator counts, as `/metrics` has it.
#[derive(Clone, Debug)]
pub(super) struct Counts(String);

impl Counts {
    /// The sum of a metric's series that have all of these labels, each written `name="value"`.
    pub(super) fn sum(&self, metric: &str, labels: &[&str]) -> f64 {
        let of = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, has) = series.split_once('{').unwrap_or((series, ""));
            let fits = name == format!("gamepipe_operator_{metric}")
                && labels.iter().all(|label| has.contains(label));
            if fits {
                value.parse::<f64>().ok()
            } else {
                None
            }
        };
        self.0.lines().filter_map(of).sum()
    }

    /// As [`Self::sum`], of something that is counted.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a test are small whole numbers"
    )]
    pub(super) fn count(&self, metric: &str, labels: &[&str]) -> u64 {
        self.sum(metric, labels) as u64
    }

    /// How many requests with one of these verbs (any, when there are none) were answered with this code (any, when it is empty).
    pub(super) fn requests(&self, verbs: &[&str], code: &str) -> u64 {
        let code = format!("code=\"{code}");
        if verbs.is_empty() {
            return self.count("requests_total", &[&code]);
        }
        let of = |verb: &&str| self.count("requests_total", &[&format!("verb=\"{verb}\""), &code]);
        verbs.iter().map(of).sum()
    }

    /// How many requests were to change something.
    pub(super) fn writes(&self) -> u64 {
        self.requests(&WRITES, "")
    }

    /// How many passes have ended.
    pub(super) fn passes(&self) -> u64 {
        self.count("reconcile_total", &[])
    }

    /// How many pipelines are ready, as it counted them last.
    pub(super) fn ready(&self) -> u64 {
        self.count("pipelines", &["condition=\"Ready\""])
    }

    /// The requests by verb and answer, for people.
    pub(super) fn requests_shown(&self) -> String {
        let lines = self
            .0
            .lines()
            .filter_map(|line| line.strip_prefix("gamepipe_operator_requests_total"));
        lines.collect::<Vec<_>>().join(", ")
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}
