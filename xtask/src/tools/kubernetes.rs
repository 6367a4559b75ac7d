//! A real Kubernetes for one machine: its programs, built by Go from their modules into the cache, and what Debian has of
//! a node. Why not a ready cluster in containers: there is no Docker and no registry where the tests run (decision 0080).

mod programs;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use self::programs::{ALL, Program, cold_seconds};
use super::{debian_program, which};
use crate::digest::Digest;
use crate::shell::{answers, cache, capture, command, root, run, say};

/// Programs that any Linux has, and where they come from if this one does not.
const BASE: [(&str, &str); 7] = [
    ("openssl", "openssl"),
    ("ip", "iproute2"),
    ("mount", "mount"),
    ("unshare", "util-linux"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("sysctl", "procps"),
];

/// What a node needs that is not built here, and Debian's packages of it.
const NODE: [(&str, &str); 5] = [
    ("curl", "curl"),
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
];

/// Where the plugins of containers' networks are: Debian's folder, and everybody else's.
const PLUGINS: [&str; 2] = ["/usr/lib/cni", "/opt/cni/bin"];

/// How kwok's simulated nodes and pods behave, in its module; without these it does nothing.
const STAGES: [&str; 3] = ["node/fast", "node/heartbeat-with-lease", "pod/fast"];

/// The folder with all programs, found or filled.
pub(super) fn programs() -> Result<PathBuf, String> {
    installed().map_err(|error| format!("{error:#}"))
}

fn installed() -> Result<PathBuf> {
    check_machine()?;
    let folder = cache()?.join("kubernetes");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("failed to make {}", folder.display()))?;
    let missing = missing(&folder)?;
    if missing.is_empty() {
        return Ok(folder);
    }
    let expected = Duration::from_secs(missing.iter().map(|(program, _)| program.seconds).sum());
    say(&format!(
        "building {} of Kubernetes' {} programs with Go into {} (once; up to {} on 2 cores, of {} for all)",
        missing.len(),
        ALL.len(),
        folder.display(),
        minutes(expected),
        minutes(Duration::from_secs(cold_seconds())),
    ));
    let begun = Instant::now();
    for (number, (program, stamp)) in missing.iter().enumerate() {
        let took = build(program, &folder)?;
        std::fs::write(stamp_path(&folder, program), stamp)?;
        say(&format!(
            "  {} of {}: {} in {} s",
            number + 1,
            missing.len(),
            program.name,
            took.as_secs()
        ));
    }
    say(&format!(
        "Kubernetes is built: {}",
        minutes(begun.elapsed())
    ));
    Ok(folder)
}

fn minutes(time: Duration) -> String {
    format!("{}:{:02} min", time.as_secs() / 60, time.as_secs() % 60)
}

/// What can't be installed here, and what can.
fn check_machine() -> Result<()> {
    if !cfg!(target_os = "linux") {
        bail!("a node of Kubernetes runs on Linux alone");
    }
    if capture(&mut command("id", &["-u"]))?.trim() != "0" {
        bail!(
            "it makes namespaces and networks, which only root may: run the tests as root for it"
        );
    }
    for (program, package) in BASE {
        if which(program).is_none() {
            bail!("{program} is missing: install {package}");
        }
    }
    if !answers("go", "version") {
        bail!("go (1.26 or newer), which builds it from source, is not installed");
    }
    for (program, package) in NODE {
        debian_program(program, "--version", package).map_err(anyhow::Error::msg)?;
    }
    if !PLUGINS
        .iter()
        .any(|folder| Path::new(folder).join("bridge").is_file())
    {
        super::install_package("containernetworking-plugins")?;
    }
    Ok(())
}

/// The programs that are not there, or were built from something else, with their new stamps.
fn missing(folder: &Path) -> Result<Vec<(&'static Program, String)>> {
    let go = capture(&mut command("go", &["env", "GOVERSION"]))?;
    let mut missing = Vec::new();
    for program in ALL {
        let stamp = stamp(program, &go)?;
        let found = std::fs::read_to_string(stamp_path(folder, program)).unwrap_or_default();
        if found != stamp || !folder.join(program.name).is_file() {
            missing.push((program, stamp));
        }
    }
    Ok(missing)
}

fn stamp_path(folder: &Path, program: &Program) -> PathBuf {
    folder.join(format!(".{}.stamp", program.name))
}

/// Follows from everything that a program is made of: Go, the pinned versions, the flags, and sources of our own.
fn stamp(program: &Program, go: &str) -> Result<String> {
    let module = module(program);
    let mut digest = Digest::default();
    digest.add(go);
    digest.add(program.package);
    digest.add(&flags(program)?);
    for name in ["go.mod", "go.sum"] {
        digest.add(&read(&module.join(name))?);
    }
    if let Some(own) = program.package.strip_prefix("./") {
        let mut sources: Vec<PathBuf> = std::fs::read_dir(module.join(own))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        sources.sort();
        for source in sources {
            digest.add(&read(&source)?);
        }
    }
    Ok(digest.hex())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))
}

fn module(program: &Program) -> PathBuf {
    root().join("tests/cluster").join(program.module)
}

/// What the linker is told: no symbols, and for Kubernetes the version that it reports.
fn flags(program: &Program) -> Result<String> {
    let Some(of) = program.version_of else {
        return Ok("-s -w".to_owned());
    };
    let pins = read(&module(program).join("go.mod"))?;
    let version = pins
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("require ").strip_prefix(of))
        .find_map(|rest| rest.split_whitespace().next())
        .with_context(|| format!("go.mod has no version of {of}"))?;
    let minor = version.split('.').nth(1).unwrap_or_default();
    let place = "k8s.io/component-base/version";
    Ok(format!(
        "-s -w -X {place}.gitVersion={version} -X {place}.gitMajor=1 -X {place}.gitMinor={minor} \
         -X {place}.gitTreeState=clean"
    ))
}

/// Builds one program aside and moves it in, so that a build that is cut off leaves nothing that half works.
fn build(program: &Program, folder: &Path) -> Result<Duration> {
    let begun = Instant::now();
    let aside = folder.join(format!(".{}.{}", program.name, std::process::id()));
    let module = module(program);
    let built = run(command("go", &["build", "-trimpath", "-buildvcs=false"])
        .args(["-ldflags", &flags(program)?, "-o"])
        .arg(&aside)
        .arg(program.package)
        .env("CGO_ENABLED", "0")
        .current_dir(&module));
    let moved = built.and_then(|()| Ok(std::fs::rename(&aside, folder.join(program.name))?));
    if moved.is_err() {
        // Litter at worst.
        let _ = std::fs::remove_file(&aside);
    }
    moved.with_context(|| format!("failed to build {} {}", program.module, program.package))?;
    if program.name == "kwok" {
        write_stages(&module, folder)?;
    }
    Ok(begun.elapsed())
}

fn write_stages(module: &Path, folder: &Path) -> Result<()> {
    let list = ["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"];
    let source = capture(command("go", &list).current_dir(module))?;
    let stages = Path::new(source.trim()).join("kustomize/stage");
    let mut text = String::new();
    for stage in STAGES {
        let mut files: Vec<PathBuf> = std::fs::read_dir(stages.join(stage))?
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        files.sort();
        for file in files
            .iter()
            .filter(|file| file.is_file() && !file.ends_with("kustomization.yaml"))
        {
            text.push_str("---\n");
            text.push_str(&read(file)?);
        }
    }
    std::fs::write(folder.join("kwok-stages.yaml"), text)?;
    Ok(())
}
