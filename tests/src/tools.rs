//! Where the tools are that `cargo xtask test` installed.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The path in `variable`; an error that says how to get it.
pub fn tool(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run the tests with `cargo xtask test`, which installs what they need"))
}

/// The binary under test: `GAMEPIPE_BIN`, or the one that was built beside this test.
pub fn gamepipe() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GAMEPIPE_BIN") {
        return Ok(PathBuf::from(path));
    }
    let test = std::env::current_exe()?;
    let folder = test
        .parent()
        .and_then(std::path::Path::parent)
        .context("the test binary lies in no folder")?;
    let binary = folder.join("gamepipe");
    anyhow::ensure!(
        binary.exists(),
        "{} does not exist: run `cargo build --release` first",
        binary.display()
    );
    Ok(binary)
}
