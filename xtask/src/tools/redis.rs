//! `redis-server`: the machine's own, or Debian's package unpacked into the cache, which needs no root and starts no
//! service.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::which;
use crate::shell::{cache, capture, command, run, say};

/// The oldest version that the state store takes.
const OLDEST_MAJOR: u32 = 7;

/// What an image of Redis is made of.
#[derive(Debug)]
pub(crate) struct Redis {
    /// What can be run here as it is.
    pub(crate) runs: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) client: PathBuf,
    /// Folders of libraries that the machine's loader does not look into.
    pub(crate) libraries: Vec<PathBuf>,
}

/// The parts of what [`server`] has found.
pub(super) fn parts(server: &Path) -> Result<Redis> {
    let runs = server.to_path_buf();
    let root = cache()?.join("redis/root");
    if !runs.starts_with(cache()?) {
        let client = which("redis-cli").context("redis-cli is missing: install redis-tools")?;
        return Ok(Redis {
            server: std::fs::canonicalize(&runs)?,
            client: std::fs::canonicalize(client)?,
            runs,
            libraries: Vec::new(),
        });
    }
    Ok(Redis {
        runs,
        server: root.join("usr/bin/redis-server"),
        client: root.join("usr/bin/redis-cli"),
        libraries: library_folders(&root),
    })
}

/// Finds or installs it.
pub(super) fn server() -> Result<PathBuf, String> {
    if let Some(path) = which("redis-server").filter(|path| is_new_enough(path)) {
        return Ok(path);
    }
    unpacked().map_err(|error| {
        format!("install redis-server {OLDEST_MAJOR}.0 or newer; Debian's package can't be unpacked: {error:#}")
    })
}

fn is_new_enough(program: &Path) -> bool {
    // `Redis server v=7.0.15 sha=...`
    let said = capture(&mut command(program, &["--version"])).unwrap_or_default();
    let version = said.split("v=").nth(1).unwrap_or_default();
    let major = version
        .split('.')
        .next()
        .and_then(|major| major.parse().ok());
    major.is_some_and(|major: u32| major >= OLDEST_MAJOR)
}

/// The package and the libraries that it needs, in the cache, behind a script that tells the loader where they are.
fn unpacked() -> Result<PathBuf> {
    let folder = cache()?.join("redis");
    let script = folder.join("redis-server");
    if is_new_enough(&script) {
        return Ok(script);
    }
    say("unpacking Debian's redis-server into the cache (once)");
    // What an attempt that was cut off has left is of no use.
    let _ = std::fs::remove_dir_all(&folder);
    let packages = folder.join("packages");
    std::fs::create_dir_all(&packages)?;
    download(&packages)?;
    let root = folder.join("root");
    for package in files(&packages)? {
        run(command("dpkg-deb", &["-x"]).arg(package).arg(&root))?;
    }
    let libraries: Vec<String> = library_folders(&root)
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let text = format!(
        "#!/bin/sh\nLD_LIBRARY_PATH='{}' exec '{}' \"$@\"\n",
        libraries.join(":"),
        root.join("usr/bin/redis-server").display()
    );
    std::fs::write(&script, text)?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    if !is_new_enough(&script) {
        bail!("what was unpacked is no redis-server {OLDEST_MAJOR}.0 or newer that runs here");
    }
    Ok(script)
}

fn library_folders(root: &Path) -> Vec<PathBuf> {
    ["usr/lib", "lib"]
        .iter()
        .flat_map(|base| files(&root.join(base)).unwrap_or_default())
        .collect()
}

fn download(into: &Path) -> Result<()> {
    let mut names = vec!["redis-server".to_owned(), "redis-tools".to_owned()];
    let listed = capture(&mut command("apt-cache", &["depends", "redis-tools"]))
        .context("this is no Debian, or its package lists are missing (apt-get update)")?;
    let needed = listed
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Depends: "));
    // The C library is everywhere, and another one must not be loaded.
    names.extend(
        needed
            .filter(|name| name.starts_with("lib") && *name != "libc6")
            .map(str::to_owned),
    );
    let fetch = || {
        run(command("apt-get", &["download", "-q"])
            .args(&names)
            .current_dir(into))
    };
    // The lists may be older than what the server still has.
    fetch().or_else(|_| run(&mut command("apt-get", &["update", "-q"])).and_then(|()| fetch()))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        found.push(entry?.path());
    }
    found.sort();
    Ok(found)
}
