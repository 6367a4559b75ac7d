//! Virtual environments of Python, in the cache.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{answers, cache, command, run, say};

/// The Python of the environment `name` with these packages; made anew when the list changes.
pub(super) fn environment(name: &str, packages: &[&str]) -> Result<PathBuf> {
    if !answers("python3", "--version") {
        bail!("python3 is not installed");
    }
    let folder = cache()?.join(name);
    let python = folder.join("bin/python");
    let stamp = folder.join("packages.txt");
    let wanted = packages.join("\n");
    if std::fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) && python.exists() {
        return Ok(python);
    }
    say(&format!("making the Python environment `{name}` (once)"));
    let folder_text = folder
        .to_str()
        .context("the cache folder's name is not UTF-8")?;
    run(&mut command(
        "python3",
        &["-m", "venv", "--clear", folder_text],
    ))?;
    let mut arguments = vec![
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    arguments.extend(packages);
    run(&mut command(&python, &arguments))?;
    std::fs::write(&stamp, wanted)?;
    Ok(python)
}
