//! Every document that the chart renders, against the schemas of Kubernetes.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use gamepipe_tests::tools::tool;
use serde_json::{Value, json};

use crate::documents::documents;
use crate::helm::{render, root};
use crate::kubernetes_rendering::everything;

/// The oldest Kubernetes that the chart takes, and the newest that there are schemas of.
const VERSIONS: [&str; 2] = ["1.30", "1.37"];

/// Runs the check on these objects; gives how many there were schemas for.
fn validate(objects: &[Value]) -> Result<u64> {
    let script = root().join("tests/chart/validate.py");
    let mut child = Command::new(tool("GAMEPIPE_TEST_PYTHON")?)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().context("Python has no standard input")?;
    input.write_all(&serde_json::to_vec(
        &json!({"versions": VERSIONS, "objects": objects}),
    )?)?;
    drop(input);
    let output = child.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}");
    let report: Value =
        serde_json::from_slice(&output.stdout).with_context(|| said.into_owned())?;
    let problems = &report["problems"];
    ensure!(*problems == json!([]), "{problems:#}");
    report["checked"].as_u64().context("nothing was counted")
}

/// All but the kinds of Prometheus Operator, whose schemas are not Kubernetes'.
fn of_kubernetes(text: &Value) -> bool {
    text["apiVersion"] != "monitoring.coreos.com/v1"
}

#[test]
fn python_finds_every_document_valid() -> Result<()> {
    for values in ["", "watchAllNamespaces: true", "replicas: 3", &everything()] {
        let rendered = render(values)?.into_iter().map(|document| document.value);
        let objects: Vec<Value> = rendered.filter(of_kubernetes).collect();
        assert!(objects.len() >= 8, "{}", objects.len());
        let expected = objects.len() * VERSIONS.len();
        assert_eq!(validate(&objects)?, expected as u64);
    }
    Ok(())
}

#[test]
fn python_finds_every_manifest_valid() -> Result<()> {
    let text = std::fs::read_to_string(root().join("manifests/install.yaml"))?;
    let objects: Vec<Value> = documents(&text)?
        .into_iter()
        .map(|document| document.value)
        .collect();
    assert_eq!(validate(&objects)?, (objects.len() * VERSIONS.len()) as u64);
    Ok(())
}

#[test]
fn python_refuses_a_field_that_is_not_there() -> Result<()> {
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"port": 1}});
    let problem = validate(&[service]).err().map(|error| error.to_string());
    assert!(problem.is_some_and(|problem| problem.contains("port")));
    Ok(())
}
