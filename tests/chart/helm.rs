//! Helm, and what it renders of the chart.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, ensure};
use gamepipe_tests::tools::tool;

use crate::documents::{Document, documents};

/// The namespace and the name of the release that tests render.
pub(crate) const RELEASE: &str = "gamepipe";

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    root().join("charts/gamepipe")
}

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap_or(Path::new("."))
}

/// `GAMEPIPE_TEST_HELM`, or the one that is built with Kubernetes.
fn program() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("GAMEPIPE_TEST_HELM") {
        return Ok(PathBuf::from(path));
    }
    Ok(tool("GAMEPIPE_TEST_KUBERNETES")?.join("helm"))
}

/// Runs Helm with these values (YAML).
fn helm(arguments: &[&str], values: &str) -> Result<Output> {
    let mut child = Command::new(program()?)
        .args(arguments)
        .args(["--namespace", RELEASE, "--values", "-"])
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("failed to start Helm")?;
    let mut input = child.stdin.take().context("Helm has no standard input")?;
    input.write_all(values.as_bytes())?;
    drop(input);
    Ok(child.wait_with_output()?)
}

/// What Helm prints of the chart with these values.
pub(crate) fn template(values: &str, flags: &[&str]) -> Result<String> {
    let arguments = [&["template", RELEASE, "charts/gamepipe"], flags].concat();
    let output = helm(&arguments, values)?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "values {values}: {errors}");
    Ok(String::from_utf8(output.stdout)?)
}

/// The documents of the chart with these values.
pub(crate) fn render(values: &str) -> Result<Vec<Document>> {
    documents(&template(values, &[])?)
}

/// Why Helm refuses these values.
pub(crate) fn refusal(values: &str) -> Result<String> {
    let output = helm(&["template", RELEASE, "charts/gamepipe"], values)?;
    ensure!(!output.status.success(), "these values are taken: {values}");
    Ok(String::from_utf8(output.stderr)?)
}

/// What `helm lint --strict` says of the chart with these values.
pub(crate) fn lint(values: &str) -> Result<()> {
    let output = helm(&["lint", "--strict", "charts/gamepipe"], values)?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "values {values}: {said}");
    Ok(())
}
