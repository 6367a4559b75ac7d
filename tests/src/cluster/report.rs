//! What a cluster says of itself when a test fails.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Cluster;

/// How many lines of each log a report has.
const LINES_REPORTED: usize = 12;

impl Cluster {
    /// What may explain a failure: pods, events, and the end of every log. All logs are kept where it says.
    pub fn report(&self) -> String {
        let mut report = String::new();
        if let Err(error) = self.ask_api() {
            report.push_str(&format!("--- the API server does not answer: {error:#}\n"));
        } else {
            for what in ["pods", "events"] {
                let get = [
                    "get",
                    what,
                    "--all-namespaces",
                    "--sort-by=.metadata.creationTimestamp",
                    "-o",
                    "wide",
                ];
                let said = self
                    .kubectl(&get)
                    .unwrap_or_else(|error| format!("{error:#}"));
                report.push_str(&format!("--- {what}\n{}\n", last_lines(&said, 40)));
            }
        }
        for path in files(&self.folder.join("log")) {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let end = last_lines(&text, LINES_REPORTED);
            report.push_str(&format!("--- {}\n{end}\n", path.display()));
        }
        match self.keep_logs() {
            Ok(kept) => report.push_str(&format!("--- all logs are kept in {}", kept.display())),
            Err(error) => report.push_str(&format!("--- the logs can't be kept: {error:#}")),
        }
        report
    }

    fn keep_logs(&self) -> Result<PathBuf> {
        let kept = tempfile::Builder::new()
            .prefix("kube-logs-")
            .tempdir()?
            .keep();
        for path in files(&self.folder.join("log")) {
            std::fs::copy(&path, kept.join(path.file_name().unwrap_or_default()))?;
        }
        Ok(kept)
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}
