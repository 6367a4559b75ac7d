//! What the operator may do, against what it does: the calls that its own tests recorded on a fake API server.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::documents::Document;
use crate::helm::{render, root};

/// The snapshot of the calls that the operator made in its tests: a line for each, such as `core services patch`.
const CALLS: &str =
    "operator/tests/it/snapshots/it__rights__the_operator_asks_for_what_is_listed_and_no_more.snap";

/// Rights that no call shows: why the operator needs them.
const UNSEEN: [&str; 2] = [
    // To say on an object that this version can't read that it can't.
    "gamepipe.dev gamepipelines get",
    // Asked for by a check of owner references that some clusters have.
    "gamepipe.dev gamepipelines/finalizers update",
];

/// The rules of a Role as lines like those of [`CALLS`].
fn rights(document: &Document) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    for rule in document.value["rules"].as_array().into_iter().flatten() {
        for group in texts(&rule["apiGroups"]) {
            let group = if group.is_empty() { "core" } else { &group };
            for resource in texts(&rule["resources"]) {
                for verb in texts(&rule["verbs"]) {
                    found.insert(format!("{group} {resource} {verb}"));
                }
            }
        }
    }
    found
}

/// The rights of the operator in one namespace that it watches, the Lease included.
fn granted(values: &str, kind: &str, namespace: Option<&str>) -> Result<BTreeSet<String>> {
    let rendered = render(values)?;
    let is_it = |document: &&Document| {
        let metadata = &document.value["metadata"];
        let is_aggregate = document.text.contains("aggregate-to-");
        document.kind() == kind && metadata["namespace"].as_str() == namespace && !is_aggregate
    };
    Ok(rendered.iter().filter(is_it).flat_map(rights).collect())
}

#[test]
fn the_operator_may_do_what_it_does_and_nothing_else() -> Result<()> {
    let text = std::fs::read_to_string(root().join(CALLS)).with_context(|| CALLS.to_owned())?;
    let (_, calls) = text.split_once("\n---\n").context("no snapshot")?;
    let mut needed: BTreeSet<String> = calls.lines().map(str::to_owned).collect();
    // What is applied and not there yet is created, and the API server asks for the right to do so.
    let applied: Vec<String> = needed
        .iter()
        .filter(|line| {
            !line.contains('/') && !line.contains(" events ") && !line.contains(" leases ")
        })
        .filter_map(|line| line.strip_suffix(" patch"))
        .map(|line| format!("{line} create"))
        .collect();
    needed.extend(applied);
    needed.extend(UNSEEN.map(str::to_owned));
    let granted = granted("leaderElection: {enabled: true}", "Role", Some("gamepipe"))?;
    let lacks: Vec<&String> = needed.difference(&granted).collect();
    assert!(lacks.is_empty(), "the Role does not allow: {lacks:?}");
    let unused: Vec<&String> = granted.difference(&needed).collect();
    assert!(
        unused.is_empty(),
        "the Role allows what is never done: {unused:?}"
    );
    Ok(())
}

#[test]
fn rights_are_the_same_in_every_namespace_and_in_all() -> Result<()> {
    let usual = granted("", "Role", Some("gamepipe"))?;
    assert!(!usual.is_empty());
    let two = "watchNamespaces: [games, staging]";
    for namespace in ["games", "staging"] {
        assert_eq!(granted(two, "Role", Some(namespace))?, usual);
    }
    assert!(granted(two, "Role", Some("gamepipe"))?.is_empty());
    assert!(granted(two, "ClusterRole", None)?.is_empty());
    let all = "watchAllNamespaces: true";
    assert_eq!(granted(all, "ClusterRole", None)?, usual);
    assert!(granted(all, "Role", Some("gamepipe"))?.is_empty());
    Ok(())
}

#[test]
fn every_binding_is_of_a_role_that_is_there_to_the_account_that_is_there() -> Result<()> {
    for values in [
        "watchNamespaces: [games, staging]\nreplicas: 2",
        "watchAllNamespaces: true\nreplicas: 2",
    ] {
        let rendered = render(values)?;
        let mut bindings = 0;
        for document in &rendered {
            let Some(kind) = document.kind().strip_suffix("Binding") else {
                continue;
            };
            let name = &document.value["roleRef"]["name"];
            let namespace = &document.value["metadata"]["namespace"];
            let is_its_role = |role: &&Document| {
                role.kind() == kind
                    && role.value["metadata"]["name"] == *name
                    && role.value["metadata"]["namespace"] == *namespace
            };
            assert_eq!(
                rendered.iter().filter(is_its_role).count(),
                1,
                "{}",
                document.title()
            );
            assert_eq!(document.value["subjects"][0]["name"], "gamepipe-operator");
            assert_eq!(document.value["subjects"][0]["namespace"], "gamepipe");
            bindings += 1;
        }
        assert!(bindings >= 2, "{bindings}");
    }
    Ok(())
}

#[test]
fn nothing_is_granted_wholesale() -> Result<()> {
    for values in ["", "watchAllNamespaces: true\nreplicas: 2"] {
        let rendered = render(values)?;
        for right in rendered.iter().flat_map(rights) {
            assert!(!right.contains('*'), "{right}");
            let is_secret = right.starts_with("core secrets ");
            assert!(
                !is_secret || right.ends_with(" get") || right.ends_with(" create"),
                "{right}"
            );
            let is_volume = right.starts_with("core persistentvolumeclaims ");
            assert!(!is_volume || !right.contains("delete"), "{right}");
        }
    }
    Ok(())
}

#[test]
fn every_rule_says_why() -> Result<()> {
    let text = std::fs::read_to_string(root().join("charts/gamepipe/templates/_rules.tpl"))?;
    let mut before = "";
    let mut rules = 0;
    // Rules that belong together share the comment above the first.
    let mut explained = false;
    for line in text.lines() {
        if line.starts_with('#') {
            explained = true;
        } else if line.starts_with("{{") {
            explained = false;
        }
        if line.starts_with("- apiGroups") {
            assert!(explained, "{line} after {before}");
            rules += 1;
        }
        before = line;
    }
    assert!(rules > 8, "{rules}");
    Ok(())
}
