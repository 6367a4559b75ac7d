//! Who imports whom: the table of the design, and which crate owns which heavy library.

use serde_json::Value;

/// Member -> the members it may use outside tests. What is not listed may see everything (cli, tests, bench, xtask).
const ALLOWED: [(&str, &[&str]); 11] = [
    ("gamepipe-domain", &[]),
    ("gamepipe-service", &[]),
    ("gamepipe-config", &["gamepipe-domain"]),
    ("gamepipe-state", BOTTOM),
    ("gamepipe-eventlog", BOTTOM),
    ("gamepipe-lake", BOTTOM),
    (
        "gamepipe-api",
        &[
            "gamepipe-domain",
            "gamepipe-config",
            "gamepipe-service",
            "gamepipe-state",
            "gamepipe-eventlog",
        ],
    ),
    (
        "gamepipe-streamer",
        &[
            "gamepipe-domain",
            "gamepipe-config",
            "gamepipe-service",
            "gamepipe-eventlog",
            "gamepipe-lake",
        ],
    ),
    (
        "gamepipe-sql",
        &[
            "gamepipe-domain",
            "gamepipe-config",
            "gamepipe-service",
            "gamepipe-lake",
        ],
    ),
    ("gamepipe-operator", BOTTOM),
    (
        "gamepipe-testkit",
        &[
            "gamepipe-domain",
            "gamepipe-config",
            "gamepipe-service",
            "gamepipe-state",
            "gamepipe-eventlog",
            "gamepipe-lake",
        ],
    ),
];

/// What adapters may use, and the operator, which meets the other processes in the settings that it writes for them.
const BOTTOM: &[&str] = &["gamepipe-domain", "gamepipe-config", "gamepipe-service"];

/// Library -> the members that may use it outside tests.
const OWNERS: [(&str, &[&str]); 12] = [
    ("fjall", &["gamepipe-state", "gamepipe-eventlog"]),
    ("rdkafka", &["gamepipe-eventlog"]),
    ("redis", &["gamepipe-state"]),
    ("deltalake", &["gamepipe-lake"]),
    ("datafusion", &["gamepipe-lake", "gamepipe-sql"]),
    (
        "axum",
        &["gamepipe-api", "gamepipe-sql", "gamepipe-service"],
    ),
    ("clap", &["gamepipe"]),
    ("cel", &["gamepipe-domain"]),
    ("saphyr-parser", &["gamepipe-domain"]),
    ("kube", &["gamepipe-operator"]),
    ("k8s-openapi", &["gamepipe-operator"]),
    ("serde-saphyr", &["gamepipe-operator"]),
];

/// The domain is pure: nothing that does I/O, reads a clock or runs tasks.
const NEVER_IN_DOMAIN: [&str; 5] = ["tokio", "tracing", "getrandom", "arrow", "futures"];

/// Compares what `cargo metadata` says with the tables.
pub(crate) fn check(metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let members = metadata["workspace_members"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        if !members.contains(&package["id"]) {
            continue;
        }
        let name = package["name"].as_str().unwrap_or_default();
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            if dependency["kind"] != Value::Null {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            findings.extend(edge(name, used));
        }
    }
    findings
}

fn edge(name: &str, used: &str) -> Option<String> {
    let allowed = ALLOWED
        .iter()
        .find(|(member, _)| *member == name)
        .map(|(_, allowed)| *allowed);
    if used.starts_with("gamepipe") && allowed.is_some_and(|allowed| !allowed.contains(&used)) {
        return Some(format!("{name}: must not import {used}"));
    }
    let owners = OWNERS
        .iter()
        .find(|(library, _)| *library == used)
        .map(|(_, owners)| *owners);
    if owners.is_some_and(|owners| !owners.contains(&name)) {
        return Some(format!(
            "{name}: must not use {used}, which belongs to {}",
            owners.unwrap_or_default().join(", ")
        ));
    }
    if name == "gamepipe-domain" && NEVER_IN_DOMAIN.contains(&used) {
        return Some(format!("{name}: is pure and must not use {used}"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::edge;

    #[test]
    fn a_process_that_imports_another_is_found() {
        assert!(edge("gamepipe-sql", "gamepipe-api").is_some());
        assert!(edge("gamepipe-operator", "gamepipe-lake").is_some());
        assert!(edge("gamepipe-api", "gamepipe-state").is_none());
        assert!(edge("gamepipe", "gamepipe-api").is_none());
    }

    #[test]
    fn a_library_outside_its_owner_is_found() {
        assert!(edge("gamepipe-api", "fjall").is_some());
        assert!(edge("gamepipe-domain", "tokio").is_some());
        assert!(edge("gamepipe-api", "kube").is_some());
        assert!(edge("gamepipe-state", "fjall").is_none());
    }
}
