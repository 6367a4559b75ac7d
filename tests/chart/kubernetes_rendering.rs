//! What the chart renders. A snapshot of the default, and for other values only the lines that differ from it, so that each can be read.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::documents::{Document, documents};
use crate::helm::{RELEASE, chart, lint, render, root, template};

/// Values that differ from the default in one thing each, and in everything.
fn matrix() -> [(&'static str, String); 8] {
    let digest = |number: u32| format!("sha256:{number:064x}");
    [
        ("default", String::new()),
        ("all_namespaces", "watchAllNamespaces: true".to_owned()),
        (
            "two_namespaces",
            "watchNamespaces: [games, staging]".to_owned(),
        ),
        ("three_replicas", "replicas: 3".to_owned()),
        (
            "digests",
            format!(
                "image: {{digest: '{}'}}\ndefaultImages: {{kafka: {{digest: '{}'}}, redis: {{digest: '{}'}}}}",
                digest(1),
                digest(2),
                digest(3)
            ),
        ),
        (
            "monitoring",
            "monitoring: {serviceMonitor: {enabled: true}, podMonitor: {enabled: true}, prometheusRule: {enabled: true}, dashboards: {enabled: true}}"
                .to_owned(),
        ),
        (
            "bare",
            "crds: {install: false}\nrbac: {create: false, aggregate: false}\nserviceAccount: {create: false, name: mine}".to_owned(),
        ),
        ("everything", everything()),
    ]
}

/// Every value, none as it is by default.
pub(crate) fn everything() -> String {
    include_str!("values/everything.yaml").to_owned()
}

/// The documents as a snapshot shows them: without what is generated or kept in files of its own.
fn shown(documents: &[Document]) -> BTreeMap<String, String> {
    documents
        .iter()
        .map(|document| {
            let text = &document.text;
            let cut = match document.kind() {
                "CustomResourceDefinition" => text.find("\nspec:"),
                "ConfigMap" => text.find("\ndata:"),
                _ => None,
            };
            let text = match cut {
                Some(end) => format!("{}\n(and so on)\n", &text[..end]),
                None => text.clone(),
            };
            (document.title(), text)
        })
        .collect()
}

/// The lines that one text has and another has not, with `-` and `+` before them, in order.
fn difference(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.lines().collect(), new.lines().collect());
    // common[i][j]: how many lines old[i..] and new[j..] have in common at most.
    let mut common = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = if old[i] == new[j] {
                common[i + 1][j + 1] + 1
            } else {
                common[i + 1][j].max(common[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len() || (i < old.len() && common[i + 1][j] >= common[i][j + 1]) {
            text.push_str(&format!("-{}\n", old[i]));
            i += 1;
        } else {
            text.push_str(&format!("+{}\n", new[j]));
            j += 1;
        }
    }
    text
}

#[test]
fn a_difference_names_what_went_and_what_came() {
    assert_eq!(difference("a\nb\nc\n", "a\nx\nc\nd\n"), "-b\n+x\n+d\n");
    assert_eq!(difference("a\n", "a\n"), "");
}

#[test]
fn every_rendering_is_as_it_was_reviewed() -> Result<()> {
    let usual = shown(&render("")?);
    for (name, values) in matrix() {
        let rendered = shown(&render(&values)?);
        let mut text = String::new();
        for (title, document) in &rendered {
            match usual.get(title) {
                Some(_) if name == "default" => text.push_str(&format!("---\n{document}")),
                Some(before) if before == document => {}
                Some(before) => {
                    text.push_str(&format!("--- {title}\n{}", difference(before, document)));
                }
                None => text.push_str(&format!("--- new:\n{document}")),
            }
        }
        for title in usual.keys().filter(|title| !rendered.contains_key(*title)) {
            text.push_str(&format!("--- none: {title}\n"));
        }
        insta::assert_snapshot!(name, text);
    }
    Ok(())
}

#[test]
fn lint_finds_nothing() -> Result<()> {
    for (_, values) in matrix() {
        lint(&values)?;
    }
    Ok(())
}

#[test]
fn objects_of_optional_kinds_are_made_when_the_cluster_has_them() -> Result<()> {
    let values = "monitoring: {serviceMonitor: {enabled: auto}, podMonitor: {enabled: auto}, prometheusRule: {enabled: auto}}";
    let kinds = ["ServiceMonitor", "PodMonitor", "PrometheusRule"];
    let made = |text: &str| -> Result<usize> {
        let found = documents(text)?;
        Ok(found
            .iter()
            .filter(|document| kinds.contains(&document.kind()))
            .count())
    };
    assert_eq!(made(&template(values, &[])?)?, 0);
    let known = kinds.map(|kind| format!("--api-versions=monitoring.coreos.com/v1/{kind}"));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    assert_eq!(made(&template(values, &known)?)?, 3);
    Ok(())
}

#[test]
fn what_is_generated_is_rendered_to_the_byte() -> Result<()> {
    let rendered = render("")?;
    let files = std::fs::read_dir(chart().join("files/crds"))?;
    let mut seen = 0;
    for file in files {
        let text = std::fs::read_to_string(file?.path())?;
        let name = crate::documents::yaml(&text)?["metadata"]["name"].clone();
        let document = rendered
            .iter()
            .find(|document| document.value["metadata"]["name"] == name)
            .with_context(|| format!("{name} is not rendered"))?;
        let spec = |text: &str| {
            text.split_once("\nspec:\n")
                .map(|(_, spec)| spec.trim_end().to_owned())
        };
        assert!(spec(&text).is_some());
        assert_eq!(spec(&document.text), spec(&text), "{name}");
        seen += 1;
    }
    assert_eq!(
        seen, 2,
        "files/crds must hold the definitions of Game and GamePipeline"
    );
    Ok(())
}

#[test]
fn definitions_are_kept_unless_told_otherwise() -> Result<()> {
    for (values, kept) in [("", true), ("crds: {keep: false}", false)] {
        let rendered = render(values)?;
        let definitions = rendered
            .iter()
            .filter(|document| document.kind() == "CustomResourceDefinition");
        for definition in definitions {
            let policy = &definition.value["metadata"]["annotations"]["helm.sh/resource-policy"];
            assert_eq!(policy == "keep", kept, "{}", definition.title());
        }
    }
    Ok(())
}

/// What `kubectl apply` takes: the chart with its default values, without what only Helm reads.
fn install() -> Result<String> {
    let rendered = template("crds: {keep: false}", &["--skip-tests", "--no-hooks"])?;
    let is_of_helm = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("helm.sh/chart:")
            || line.starts_with("app.kubernetes.io/managed-by: Helm")
            || line.starts_with("# Source:")
    };
    let lines: Vec<&str> = rendered.lines().filter(|line| !is_of_helm(line)).collect();
    Ok(format!(
        "# The operator in the namespace {RELEASE}, which is also the one that it watches: `kubectl apply --server-side -f` this file.\n\
         # Generated from charts/gamepipe; for anything else than its defaults, use the chart.\n\
         apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {RELEASE}\n  labels:\n    \
         pod-security.kubernetes.io/enforce: restricted\n{}\n",
        lines.join("\n")
    ))
}

#[test]
fn install_manifest_is_the_chart_with_its_defaults() -> Result<()> {
    let path = root().join("manifests/install.yaml");
    let wanted = install()?;
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&path, &wanted)?;
    }
    let found = std::fs::read_to_string(&path)?;
    let stale = found != wanted;
    assert!(
        !stale,
        "{} is not current: run this test with INSTA_UPDATE=always",
        path.display()
    );
    Ok(())
}
