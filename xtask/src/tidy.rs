//! Rules of the code base that the compiler can't check.

mod imports;
mod licences;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::shell::{capture, cargo, command, root, say};

/// Crates of the workspace that may use `anyhow`: those at the outer edge.
const ANYHOW_FOLDERS: [&str; 5] = ["cli/", "xtask/", "tests/", "bench/", "crates/testkit/"];

/// How many of the longest files are shown on every run, so that growth is noticed.
const LONGEST_SHOWN: usize = 8;

/// Checks everything and shows the longest files.
pub(crate) fn run() -> Result<()> {
    let files = tracked_files()?;
    let metadata = serde_json::from_str(&capture(&mut cargo(&[
        "metadata",
        "--format-version",
        "1",
        "--locked",
    ]))?)?;
    let mut findings = Vec::new();
    findings.extend(imports::check(&metadata));
    findings.extend(licences::check(&metadata));
    findings.extend(manifests(&files));
    findings.extend(sources(&files));
    findings.extend(texts(&files));
    findings.extend(architecture());
    findings.extend(invariants(&files));
    findings.extend(named_tests(&files));
    show_longest(&files);
    if !findings.is_empty() {
        bail!("{} findings:\n{}", findings.len(), findings.join("\n"));
    }
    say("tidy: nothing found");
    Ok(())
}

fn tracked_files() -> Result<Vec<PathBuf>> {
    let listed = capture(&mut command("git", &["ls-files"]))?;
    Ok(listed
        .lines()
        .map(PathBuf::from)
        .filter(|path| root().join(path).is_file())
        .collect())
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// Versions live once, and every member takes the workspace's lints.
fn manifests(files: &[PathBuf]) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files
        .iter()
        .filter(|path| path.ends_with("Cargo.toml") && path.components().count() > 1)
    {
        let text = read(path);
        let shown = path.display();
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{shown}: the workspace's lints are missing"));
        }
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or_default();
        for line in dependencies
            .lines()
            .filter(|line| line.contains("version = ") || line.contains(" = \""))
        {
            let is_target =
                line.starts_with("name") || line.starts_with("path") || line.starts_with("harness");
            if !is_target {
                findings.push(format!(
                    "{shown}: {line:?}: versions belong in the workspace's Cargo.toml"
                ));
            }
        }
    }
    findings
}

/// Every source says what it is for; no `mod.rs`; `anyhow` only at the edges.
fn sources(files: &[PathBuf]) -> Vec<String> {
    let mut findings = Vec::new();
    for path in files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        let text = read(path);
        let shown = path.display().to_string();
        if !text.starts_with("//!") {
            findings.push(format!(
                "{shown}: begins without a `//!` line that says what it is for"
            ));
        }
        if path.ends_with("mod.rs") {
            findings.push(format!("{shown}: use `name.rs` beside a folder `name`"));
        }
        if text.contains("anyhow::")
            && !ANYHOW_FOLDERS
                .iter()
                .any(|folder| shown.starts_with(folder))
        {
            findings.push(format!(
                "{shown}: anyhow belongs to the outer edge; use the crate's error enum"
            ));
        }
    }
    findings
}

/// No text names a place of one machine.
fn texts(files: &[PathBuf]) -> Vec<String> {
    let needles = [
        ["/wo", "rk/"].concat(),
        ["/ro", "ot/"].concat(),
        ["/home", "/"].concat(),
    ];
    let mut findings = Vec::new();
    for path in files.iter().filter(|path| !path.ends_with("Cargo.lock")) {
        for (number, line) in read(path).lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle.as_str())) {
                findings.push(format!(
                    "{}:{}: a path of one machine",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    findings
}

/// ARCHITECTURE.md names every member, and each path that it names exists.
fn architecture() -> Vec<String> {
    let text = read(Path::new("ARCHITECTURE.md"));
    let manifest = read(Path::new("Cargo.toml"));
    let members = manifest
        .split("members = [")
        .nth(1)
        .and_then(|rest| rest.split(']').next())
        .unwrap_or_default();
    let mut findings = Vec::new();
    for member in members.split('"').skip(1).step_by(2) {
        if !text.contains(&format!("`{member}/`")) {
            findings.push(format!(
                "ARCHITECTURE.md: the member `{member}/` is missing"
            ));
        }
    }
    for quoted in text.split('`').skip(1).step_by(2) {
        let is_path = quoted.contains('/')
            && !quoted.starts_with('/')
            && quoted
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "/._-".contains(letter));
        if is_path && !root().join(quoted).exists() {
            findings.push(format!("ARCHITECTURE.md: `{quoted}` does not exist"));
        }
    }
    findings
}

/// Every invariant of the registry is cited by a test.
fn invariants(files: &[PathBuf]) -> Vec<String> {
    let registry = Path::new("crates/domain/src/invariants.rs");
    let tests: Vec<String> = files
        .iter()
        .filter(|path| path.as_path() != registry)
        .map(|path| read(path))
        .filter(|text| text.contains("#[test]") || text.contains("#[tokio::test]"))
        .collect();
    read(registry)
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("(\"")?
                .split('"')
                .next()
                .map(str::to_owned)
        })
        .filter(|name| !tests.iter().any(|text| text.contains(name.as_str())))
        .map(|name| format!("{}: no test cites {name}", registry.display()))
        .collect()
}

/// Pages that say which tests show something.
const PAGES_OF_TESTS: [&str; 2] = ["docs/guarantees.md", "docs/operator-requirements.md"];

/// Every test that those pages name is there.
fn named_tests(files: &[PathBuf]) -> Vec<String> {
    let sources: Vec<String> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| read(path))
        .collect();
    let is_there = |name: &str| {
        let definition = format!("fn {name}(");
        sources.iter().any(|source| source.contains(&definition))
    };
    let mut findings = Vec::new();
    for page in PAGES_OF_TESTS {
        let text = read(Path::new(page));
        // What stands between backticks and looks like a test's name: words, and no path.
        let quoted = text.split('`').skip(1).step_by(2);
        let names = quoted
            .filter(|name| name.matches('_').count() > 1)
            .filter(|name| {
                name.bytes()
                    .all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
            });
        for name in names.filter(|name| !is_there(name)) {
            findings.push(format!("{page}: there is no test {name}"));
        }
    }
    findings
}

fn show_longest(files: &[PathBuf]) {
    let mut lengths: Vec<(usize, &PathBuf)> = files
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .map(|path| (production_lines(&read(path)), path))
        .collect();
    lengths.sort_by(|left, right| right.cmp(left));
    say("longest files (lines without inline tests; aim under 400):");
    for (lines, path) in lengths.iter().take(LONGEST_SHOWN) {
        say(&format!("  {lines:5} {}", path.display()));
    }
}

fn production_lines(text: &str) -> usize {
    text.lines()
        .take_while(|line| line.trim() != "#[cfg(test)]")
        .count()
}
