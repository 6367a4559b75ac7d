//! A real Kubernetes for tests: a control plane alone, or with a node that runs containers.
//!
//! Each cluster lives in namespaces of its own (processes, mounts, network), so that several run side by side with the
//! same ports and addresses, none is linked with the world, and the kernel ends all of it when the test is gone, however
//! that ends. Tests reach it through [`Cluster::kubectl`], [`Cluster::kubeconfig`] and [`Cluster::reach`]; nothing in it can
//! be reached by its own address from outside. Decision 0080 says why it is so.

mod keys;
mod namespaces;
mod parts;
mod relay;
mod report;

use std::collections::BTreeMap;
use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};

use self::namespaces::Namespaces;
pub use self::parts::Part;
use self::relay::Relay;
use crate::tools::tool;
use crate::wait::{PATIENCE, wait_for};

/// Where the API server listens inside.
const API: &str = "127.0.0.1:6443";

/// The node's address, inside.
pub const NODE: &str = "198.19.255.1";

/// A running cluster; dropping it ends it and removes everything that it has made.
#[derive(Debug)]
pub struct Cluster {
    folder: PathBuf,
    programs: PathBuf,
    has_node: bool,
    relay: Relay,
    running: Mutex<BTreeMap<Part, Child>>,
    namespaces: Namespaces,
}

impl Cluster {
    /// A control plane without a node: objects, controllers and admission work, no pod ever runs. Ready in 4 to 6 s.
    pub fn control_plane() -> Result<Self> {
        Self::start(false)
    }

    /// A control plane and one node, named `node`, with DNS, volumes (class `folder`) and `NetworkPolicies`. The image
    /// `localhost/guest:test` is there; others are loaded by [`Self::load_image`]. Ready in 5 to 12 s.
    pub fn node() -> Result<Self> {
        Self::start(true)
    }

    /// A cluster with a node for all tests of a process, each of which takes a namespace of its own.
    pub fn shared() -> Result<&'static Self> {
        static SHARED: OnceLock<Result<Cluster, String>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| Self::node().map_err(|error| format!("{error:#}")));
        shared.as_ref().map_err(|error| anyhow!("{error}"))
    }

    fn start(has_node: bool) -> Result<Self> {
        let programs = tool("GAMEPIPE_TEST_KUBERNETES")?;
        // What ends the namespaces removes it, also when the test can't any more.
        let folder = tempfile::Builder::new().prefix("kube-").tempdir()?.keep();
        std::fs::create_dir(folder.join("log"))?;
        keys::make(&folder)?;
        if has_node {
            parts::write_network_settings(&folder)?;
        }
        let kind = if has_node { "node" } else { "control-plane" };
        let cluster = Self {
            namespaces: Namespaces::make(&folder, kind)?,
            relay: Relay::by(&folder.join("relay.sock")),
            running: Mutex::default(),
            folder,
            programs,
            has_node,
        };
        cluster.explained(Self::begin)?;
        Ok(cluster)
    }

    fn begin(&self) -> Result<()> {
        self.start_part(Part::Relay)?;
        keys::make_outside(&self.folder, &self.reach(API)?.to_string())?;
        if self.has_node {
            parts::write_node_settings(&self.folder)?;
            self.start_part(Part::Containerd)?;
        }
        self.start_part(Part::Etcd)?;
        self.start_part(Part::ApiServer)?;
        self.wait_for_api()?;
        self.start_part(Part::ControllerManager)?;
        self.start_part(Part::Scheduler)?;
        if self.has_node {
            self.begin_node()?;
        }
        self.wait("the default service account", |cluster| {
            cluster.kubectl(&["get", "serviceaccount", "default"])
        })?;
        Ok(())
    }

    /// Waits until the API server answers.
    pub fn wait_for_api(&self) -> Result<()> {
        self.wait("the API server", Self::ask_api)
    }

    /// An error unless the API server is ready. Cheaper than `kubectl`, which does not take the first no for an answer.
    fn ask_api(&self) -> Result<()> {
        self.run_inside(
            "curl",
            &["-skf", "-m", "4", &format!("https://{API}/readyz")],
        )?;
        Ok(())
    }

    fn begin_node(&self) -> Result<()> {
        self.kubectl(&[
            "apply",
            "-f",
            &namespaces::scripts()
                .join("objects.yaml")
                .display()
                .to_string(),
        ])?;
        for part in Part::NODE {
            if part != Part::Containerd {
                self.start_part(part)?;
            }
        }
        self.wait("containerd", |cluster| cluster.ctr(&["version"]))?;
        let images = tool("GAMEPIPE_TEST_IMAGES")?;
        for image in ["pause.tar", "guest.tar"] {
            self.load_image(&images.join(image))?;
        }
        self.wait("the node", |cluster| {
            cluster.kubectl(&["wait", "--for=condition=Ready", "--timeout=1s", "node/node"])
        })?;
        self.wait("the name server", |cluster| {
            cluster.run_inside("curl", &["-sf", "http://127.0.0.1:8181/ready"])
        })?;
        Ok(())
    }

    /// The file with which a client outside the cluster is its administrator.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("outside.kubeconfig")
    }

    /// Runs `kubectl` as the administrator and gives what it prints; an error has what it says.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.outside("kubectl", arguments, None)
    }

    /// Runs `helm` as the administrator.
    pub fn helm(&self, arguments: &[&str]) -> Result<String> {
        self.outside("helm", arguments, None)
    }

    /// Applies objects written in YAML.
    pub fn apply(&self, yaml: &str) -> Result<String> {
        self.outside("kubectl", &["apply", "-f", "-"], Some(yaml))
    }

    /// Applies objects that name no namespace in one.
    pub fn apply_in(&self, namespace: &str, yaml: &str) -> Result<String> {
        let arguments = ["--namespace", namespace, "apply", "-f", "-"];
        self.outside("kubectl", &arguments, Some(yaml))
    }

    /// Runs a program where the cluster's addresses and names mean something, as its administrator.
    pub fn run_inside(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.namespaces.command(Path::new(program));
        command
            .args(arguments)
            .env("KUBECONFIG", self.folder.join("admin.kubeconfig"));
        output(&mut command, None)
    }

    /// Starts a program beside the node, where pods reach it at [`NODE`]; it ends with the cluster at the latest.
    pub fn start_beside(
        &self,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Child> {
        let log = File::create(self.folder.join("log/beside.log"))?;
        self.namespaces
            .command(program)
            .args(arguments)
            .envs(variables.iter().copied())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {}", program.display()))
    }

    /// Loads images from an archive into the node.
    pub fn load_image(&self, archive: &Path) -> Result<()> {
        let path = archive
            .to_str()
            .context("the archive's path is not UTF-8")?;
        self.ctr(&["--namespace", "k8s.io", "images", "import", path])
            .with_context(|| format!("failed to load {path}"))?;
        Ok(())
    }

    /// Gives an image that was loaded one more name, as if it had been fetched by that one.
    pub fn name_image(&self, image: &str, name: &str) -> Result<()> {
        self.ctr(&[
            "--namespace",
            "k8s.io",
            "images",
            "tag",
            "--force",
            image,
            name,
        ])?;
        Ok(())
    }

    /// An address outside that leads to `HOST:PORT` inside: a pod's or a service's address, or a name of the cluster.
    pub fn reach(&self, target: &str) -> Result<SocketAddr> {
        self.relay.to(target)
    }

    /// Makes nodes that only seem to be, `sim-0` and so on, whose pods become ready at once.
    pub fn simulate(&self, nodes: usize) -> Result<()> {
        let mut yaml = String::new();
        for number in 0..nodes {
            yaml.push_str(&format!(
                "---
apiVersion: v1
kind: Node
metadata:
  name: sim-{number}
  annotations: {{kwok.x-k8s.io/node: fake}}
  labels: {{kubernetes.io/hostname: sim-{number}, kubernetes.io/os: linux, topology.kubernetes.io/zone: zone-{number}, type: simulated}}
status:
  allocatable: {{cpu: '64', memory: 512Gi, pods: '1000'}}
  capacity: {{cpu: '64', memory: 512Gi, pods: '1000'}}
"
            ));
        }
        self.apply(&yaml)?;
        self.start_part(Part::Kwok)?;
        self.wait("the simulated nodes", |cluster| {
            cluster.kubectl(&[
                "wait",
                "--for=condition=Ready",
                "--timeout=20s",
                "node",
                "-l",
                "type=simulated",
            ])
        })?;
        Ok(())
    }

    /// Starts a part that was stopped.
    pub fn start_part(&self, part: Part) -> Result<()> {
        let log = self
            .folder
            .join("log")
            .join(format!("{}.log", part.program()));
        let log = File::options().create(true).append(true).open(log)?;
        let own = self.programs.join(part.program());
        let program = if own.is_file() {
            own
        } else {
            PathBuf::from(part.program())
        };
        let child = self
            .namespaces
            .command(&program)
            .args(part.arguments(&self.folder, &self.programs))
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("failed to start {}", part.program()))?;
        self.running().insert(part, child);
        Ok(())
    }

    /// Kills a part (SIGKILL); it stays down until it is started again.
    pub fn stop_part(&self, part: Part) -> Result<()> {
        let mut child = self
            .running()
            .remove(&part)
            .with_context(|| format!("{} is not running", part.program()))?;
        // Whoever enters a namespace of processes does so with a child.
        let inside = namespaces::children(&child.id().to_string())?;
        output(Command::new("kill").args(["-9", &inside]), None)?;
        child.wait()?;
        Ok(())
    }

    /// Asks again and again until it succeeds, for as long as [`PATIENCE`] lasts; an error that names `what`, and at once
    /// when a part of the cluster has ended by itself.
    pub fn wait<T>(&self, what: &str, mut ask: impl FnMut(&Self) -> Result<T>) -> Result<T> {
        wait_for(what, PATIENCE, || {
            for (part, child) in self.running().iter_mut() {
                if let Some(status) = child.try_wait()? {
                    return Ok(Some(Err(anyhow!("{} has ended: {status}", part.program()))));
                }
            }
            let answer = ask(self);
            if answer.is_err() {
                // Each question is a process or a connection: not as often as memory can be looked at.
                std::thread::sleep(Duration::from_millis(80));
            }
            answer.map(|answer| Some(Ok(answer)))
        })
        .flatten()
    }

    /// Runs a test; if it fails, its error has the cluster's [`Self::report`].
    pub fn explained<T>(&self, test: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        test(self).map_err(|error| error.context(self.report()))
    }

    fn ctr(&self, arguments: &[&str]) -> Result<String> {
        let socket = self.folder.join("containerd.sock").display().to_string();
        let mut all = vec!["--address", &socket];
        all.extend(arguments);
        ensure!(self.has_node, "a control plane alone runs no containers");
        self.run_inside("ctr", &all)
    }

    fn outside(&self, program: &str, arguments: &[&str], input: Option<&str>) -> Result<String> {
        let mut command = Command::new(self.programs.join(program));
        command
            .args(arguments)
            .env("KUBECONFIG", self.kubeconfig())
            // Neither what the user has installed nor what they have cached is of interest.
            .env("HOME", &self.folder);
        output(&mut command, input)
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<Part, Child>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.report());
        }
        self.namespaces.end();
        for child in self.running().values_mut() {
            // It has ended with them; this takes note of it.
            let _ = child.wait();
        }
    }
}

/// What a command prints; an error with what it says when it fails.
fn output(command: &mut Command, input: Option<&str>) -> Result<String> {
    let text = format!(
        "{:?} {:?}",
        command.get_program(),
        command.get_args().collect::<Vec<_>>()
    );
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("failed to start {text}"))?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        std::io::Write::write_all(&mut pipe, input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{text}: {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
