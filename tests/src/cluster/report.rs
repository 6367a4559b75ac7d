//! What a cluster says of itself when a test fails.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Cluster;

/// Of how many pods at most a report has the logs: simulated nodes have thousands, and none of them says anything.
const PODS_REPORTED: usize = 40;
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
        for (name, text) in self.pods_logs() {
            let end = last_lines(&text, LINES_REPORTED);
            report.push_str(&format!("--- {name}\n{end}\n"));
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
        for (name, text) in self.pods_logs() {
            std::fs::write(kept.join(name), text)?;
        }
        Ok(kept)
    }

    /// What pods have said, by `NAMESPACE_POD.log`; with `.before` for a container that was there before the present one.
    fn pods_logs(&self) -> Vec<(String, String)> {
        let names = "{range .items[*]}{.metadata.namespace} {.metadata.name}{\"\\n\"}{end}";
        let listed = ["get", "pods", "--all-namespaces", "-o"];
        let jsonpath = format!("jsonpath={names}");
        let listed = self.kubectl(&[&listed[..], &[&jsonpath]].concat());
        let mut logs = Vec::new();
        for line in listed.unwrap_or_default().lines().take(PODS_REPORTED) {
            let Some((namespace, pod)) = line.split_once(' ') else {
                continue;
            };
            for (which, ending) in [("--previous=false", ""), ("--previous=true", ".before")] {
                let one = [
                    "logs",
                    "--all-containers",
                    "--namespace",
                    namespace,
                    pod,
                    which,
                ];
                if let Ok(text) = self.kubectl(&one) {
                    logs.push((format!("{namespace}_{pod}.log{ending}"), text));
                }
            }
        }
        logs
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
