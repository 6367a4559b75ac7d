//! Running commands and talking to the person at the terminal.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Prints a line.
#[expect(clippy::print_stdout, reason = "chores talk on standard output")]
pub(crate) fn say(text: &str) {
    println!("{}", text.trim_end());
}

/// Says which step begins.
pub(crate) fn step(text: &str) {
    say(&format!("\n=== {text}"));
}

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    // Cargo says it at run time, too: a build folder that two checkouts share may hold the other one's binary.
    let crate_folder = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    crate_folder
        .parent()
        .map_or_else(|| crate_folder.clone(), Path::to_path_buf)
}

/// Where things are kept that a fresh clone must not fetch or build again.
pub(crate) fn cache() -> Result<PathBuf> {
    let base = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) if !folder.is_empty() => PathBuf::from(folder),
        _ => {
            let home =
                std::env::var_os("HOME").context("HOME is not set: where is the cache folder?")?;
            PathBuf::from(home).join(".cache")
        }
    };
    let cache = base.join("gamepipe");
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("failed to make {}", cache.display()))?;
    Ok(cache)
}

/// True where a tool that can't be had is an error, not a skip.
pub(crate) fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}

/// A command that runs in the root of the checkout.
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// What `cargo run` says of this program to it. A cargo below must not see it: build scripts that watch these
/// variables (ring's does) would run again, and everything above them would be compiled again, on every change between
/// `cargo xtask` and `cargo build`.
const OF_THIS_PROGRAM: [&str; 5] = [
    "CARGO_PKG_",
    "CARGO_MANIFEST_",
    "CARGO_BIN_",
    "CARGO_CRATE_",
    "CARGO_PRIMARY_",
];

/// Cargo, as the one that runs this.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = command(program, arguments);
    for (name, _) in std::env::vars_os() {
        let is_of_this_program = name.to_str().is_some_and(|name| {
            OF_THIS_PROGRAM
                .iter()
                .any(|prefix| name.starts_with(prefix))
        });
        if is_of_this_program {
            command.env_remove(name);
        }
    }
    command
}

/// Where Cargo puts what it builds.
pub(crate) fn target() -> Result<PathBuf> {
    let said = capture(&mut cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
    ]))?;
    let metadata: serde_json::Value = serde_json::from_str(&said)?;
    let target = metadata["target_directory"].as_str();
    Ok(target
        .context("cargo metadata names no target directory")?
        .into())
}

/// Runs a command to its end; an error when it fails.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = format!("{command:?}");
    let status = command
        .status()
        .with_context(|| format!("failed to start {text}"))?;
    if !status.success() {
        bail!("{text} failed: {status}");
    }
    Ok(())
}

/// Runs a command to its end and gives what it printed; an error with its error output when it fails.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let text = format!("{command:?}");
    let output = command
        .output()
        .with_context(|| format!("failed to start {text}"))?;
    if !output.status.success() {
        bail!(
            "{text} failed: {}\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// True when a program answers.
pub(crate) fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}
