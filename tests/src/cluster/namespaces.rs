//! The namespaces of a cluster: made and held by a script that ends everything in them when the test is gone.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

/// The namespaces. Dropping them ends everything that runs in them, removes their folder, and waits for that.
#[derive(Debug)]
pub(super) struct Namespaces {
    holder: Child,
    /// Their first process, as the machine counts.
    first: String,
}

impl Namespaces {
    /// Makes them. `kind` is `control-plane` or `node`; `folder` is theirs from now on.
    pub(super) fn make(folder: &Path, kind: &str) -> Result<Self> {
        let script = scripts().join("hold.sh");
        let log = std::fs::File::create(folder.join("log/namespaces.log"))?;
        let mut holder = Command::new("sh")
            .arg(&script)
            .args([folder.as_os_str(), kind.as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            // Control-C at the terminal is for the test alone, whose end is noticed.
            .process_group(0)
            .spawn()
            .with_context(|| format!("failed to start {}", script.display()))?;
        let said = holder.stdout.take().context("the script has no output")?;
        let mut parent = String::new();
        let mut is_ready = false;
        for line in BufReader::new(said).lines().map_while(Result::ok) {
            match line.as_str() {
                "ready" => is_ready = true,
                number => number.clone_into(&mut parent),
            }
            if is_ready && !parent.is_empty() {
                break;
            }
        }
        let mut namespaces = Self {
            holder,
            first: String::new(),
        };
        if !is_ready {
            let log = std::fs::read_to_string(folder.join("log/namespaces.log"));
            bail!(
                "the cluster's namespaces can't be made: {}",
                log.unwrap_or_default()
            );
        }
        namespaces.first = children(&parent)?;
        Ok(namespaces)
    }

    /// A command that will run in them.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.first, "--pid", "--mount", "--net", "--"])
            .arg(program)
            .stdin(Stdio::null());
        command
    }

    /// Ends everything in them, and waits for that.
    pub(super) fn end(&mut self) {
        drop(self.holder.stdin.take());
        let _ = self.holder.wait();
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        self.end();
    }
}

/// The processes that one has started, with blanks.
pub(super) fn children(process: &str) -> Result<String> {
    let path = format!("/proc/{process}/task/{process}/children");
    let text = std::fs::read_to_string(&path).with_context(|| format!("failed to read {path}"))?;
    Ok(text.trim().to_owned())
}

/// Where the scripts and settings of clusters are.
pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cluster/node")
}
