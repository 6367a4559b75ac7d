//! The README's section on Kubernetes, carried out as it is written.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use gamepipe_tests::tools::{gamepipe, tool};
use gamepipe_tests::wait::{PATIENCE, wait_for};

use super::super::Space;
use super::handle::Pipeline;

/// The section's title.
const TITLE: &str = "## On Kubernetes";

/// The one command that was carried out before the tests: they need the image, and can't build while they are run.
const IMAGE: &str = "cargo xtask images";

/// The images that the chart takes from registries, and what stands in for them here.
const STAND_INS: [(&str, &str, &str); 2] = [
    (
        "kafka.tar",
        "localhost/kafka:test",
        "docker.io/apache/kafka:4.3.1",
    ),
    (
        "redis.tar",
        "localhost/redis:test",
        "docker.io/library/redis:7.4",
    ),
];

/// The section's commands, by block.
pub(super) struct Section<'a> {
    space: &'a Space<'a>,
    blocks: Vec<Vec<String>>,
    /// Where the programs are that the commands name.
    path: String,
}

pub(super) fn root() -> PathBuf {
    // The crate lies one folder below.
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

impl<'a> Section<'a> {
    /// Reads it, and loads the images that its cluster would fetch.
    pub(super) fn read(space: &'a Space<'a>) -> Result<Self> {
        space.cluster.load_image(&tool("GAMEPIPE_TEST_IMAGE")?)?;
        let beside = tool("GAMEPIPE_TEST_IMAGES")?;
        for (archive, image, name) in STAND_INS {
            space.cluster.load_image(&beside.join(archive))?;
            space.cluster.name_image(image, name)?;
        }
        let text = std::fs::read_to_string(root().join("README.md"))?;
        let section = text
            .split("\n## ")
            .find(|section| format!("## {section}").starts_with(TITLE))
            .with_context(|| format!("README.md has no {TITLE}"))?;
        let blocks: Vec<Vec<String>> = section
            .split("```sh\n")
            .skip(1)
            .map(|block| block.split("```").next().unwrap_or_default())
            .map(|block| block.lines().map(str::to_owned).collect())
            .collect();
        ensure!(blocks.len() == 3, "image, install, play: {blocks:?}");
        ensure!(blocks[0].len() == 1 && blocks[0][0].starts_with(IMAGE));
        let binary = gamepipe()?;
        let folder = binary.parent().context("gamepipe is in no folder")?;
        let path = format!(
            "{}:{}:{}",
            folder.display(),
            tool("GAMEPIPE_TEST_KUBERNETES")?.display(),
            std::env::var("PATH")?
        );
        Ok(Self {
            space,
            blocks,
            path,
        })
    }

    /// From nothing to a pipeline that is ready.
    pub(super) fn bring_up(&self) -> Result<()> {
        // The namespace is the test's, which is there already.
        self.run(&self.blocks[1])
    }

    /// The same up to where it waits for the pipeline.
    pub(super) fn bring_up_again(&self) -> Result<()> {
        let waits = self.blocks[1]
            .iter()
            .position(|line| line.starts_with("kubectl wait"));
        self.run(&self.blocks[1][..waits.context("nobody waits")?])
    }

    /// The operator alone.
    pub(super) fn install(&self) -> Result<()> {
        self.run(&self.blocks[1][..1])
    }

    /// Players, and a question.
    pub(super) fn play(&self) -> Result<()> {
        self.run(&self.blocks[2])
    }

    /// What the guide has under "Uninstall, and what stays".
    pub(super) fn take_away(&self, pipeline: &Pipeline<'_>) -> Result<()> {
        self.run(&[
            format!(
                "kubectl delete gp {} --namespace {}",
                pipeline.name(),
                self.space.name
            ),
            format!("helm uninstall gamepipe --namespace {}", self.space.name),
        ])?;
        self.space.cluster.wait("the pods to go", |_| {
            let pods = self.space.kubectl(&["get", "pods", "-o", "name"])?;
            ensure!(!pods.contains(pipeline.name()), "{pods}");
            Ok(())
        })?;
        let volumes = self.space.kubectl(&["get", "pvc", "-o", "name"])?;
        ensure!(volumes.lines().count() >= 3, "volumes are gone: {volumes}");
        Ok(())
    }

    /// Upgrades the chart as the guide has it, with one changed value, and tests it as the guide has it.
    pub(super) fn upgrade(&self, set: &str) -> Result<()> {
        let namespace = format!("--namespace {}", self.space.name);
        self.run(&[
            format!(
                "helm upgrade gamepipe charts/gamepipe {namespace} --reset-then-reuse-values --set {set} --wait"
            ),
            format!("helm test gamepipe {namespace}"),
        ])
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(root())
            .env("PATH", &self.path)
            .env("KUBECONFIG", self.space.cluster.kubeconfig())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, lines: &[String]) -> Result<()> {
        let mut background = Background::default();
        for line in lines {
            if let Some(line) = line.strip_suffix(" &") {
                background.start(self.command(&format!("exec {line}")), line)?;
                continue;
            }
            let began = Instant::now();
            let output = self.command(line).output()?;
            let said = format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
            ensure!(output.status.success(), "{line}: {}: {said}", output.status);
            eprintln!("{line}: {:.1} s\n{said}", began.elapsed().as_secs_f32());
        }
        Ok(())
    }
}

/// Commands that go on until they are dropped, as `&` at the end of a line has it.
#[derive(Default)]
struct Background(Vec<Child>);

impl Background {
    /// Starts one, and waits until the port listens that is its last word: a person takes as long to write the next line.
    fn start(&mut self, mut command: Command, line: &str) -> Result<()> {
        let port: u16 = line
            .rsplit(' ')
            .next()
            .unwrap_or_default()
            .parse()
            .with_context(|| format!("{line}: its last word is no port"))?;
        let mut child = command.stdout(Stdio::null()).spawn()?;
        wait_for(line, PATIENCE, || {
            if let Some(status) = child.try_wait()? {
                bail!("{line} has ended: {status}");
            }
            Ok(TcpStream::connect(("127.0.0.1", port)).ok().map(drop))
        })?;
        self.0.push(child);
        Ok(())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        for child in &mut self.0 {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
