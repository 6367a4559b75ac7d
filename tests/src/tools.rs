//! Where the tools are that `cargo xtask test` installed.

use std::path::PathBuf;

use anyhow::{Context, Result};

/// The path in `variable`; an error that says how to get it.
pub fn tool(variable: &str) -> Result<PathBuf> {
    std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run the tests with `cargo xtask test`, which installs what they need"))
}

/// The binary under test: `GAMEPIPE_BIN`, or the one that was built with this test (whose folder is one below) or this bench.
pub fn gamepipe() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GAMEPIPE_BIN") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe()?;
    let built = own
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join("gamepipe"))
        .find(|binary| binary.is_file());
    built.with_context(|| {
        format!(
            "there is no binary `gamepipe` beside {} or one folder above: run `cargo build --release` first",
            own.display()
        )
    })
}
