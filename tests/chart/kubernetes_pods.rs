//! What the chart's pods may do: what the Pod Security Standard `restricted` asks for, and a little more.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::helm::render;
use crate::kubernetes_rendering::everything;

fn check(pod: &Value) {
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    assert_ne!(security["runAsUser"], 0);
    for field in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
        assert!(pod[field].is_null(), "{field}");
    }
    let containers = pod["containers"].as_array().into_iter().flatten();
    for container in containers {
        let security = &container["securityContext"];
        assert_eq!(security["allowPrivilegeEscalation"], false);
        assert_eq!(security["readOnlyRootFilesystem"], true);
        assert_eq!(security["capabilities"], json!({"drop": ["ALL"]}));
        assert!(security["privileged"].is_null());
        assert!(container["resources"]["limits"]["memory"].is_string());
        assert!(
            container["resources"]["requests"]["cpu"].is_number()
                || container["resources"]["requests"]["cpu"].is_string()
        );
    }
}

#[test]
fn pods_have_no_privileges() -> Result<()> {
    for values in [String::new(), everything()] {
        let rendered = render(&values)?;
        let pods: Vec<&Value> = rendered
            .iter()
            .filter_map(|document| document.pod())
            .collect();
        assert_eq!(pods.len(), 2, "the operator and the test of the release");
        pods.into_iter().for_each(check);
    }
    Ok(())
}

#[test]
fn only_the_operator_gets_a_token() -> Result<()> {
    for document in render("")? {
        let mounts = match document.kind() {
            "ServiceAccount" => &document.value["automountServiceAccountToken"],
            "Pod" | "Deployment" => {
                &document.pod().context("no pod")?["automountServiceAccountToken"]
            }
            _ => continue,
        };
        assert_eq!(
            *mounts,
            document.kind() == "Deployment",
            "{}",
            document.title()
        );
    }
    Ok(())
}

#[test]
fn several_operators_elect_one_and_stay_apart() -> Result<()> {
    for (replicas, elects) in [(1, false), (2, true)] {
        let rendered = render(&format!("replicas: {replicas}"))?;
        let deployment = rendered
            .iter()
            .find(|document| document.kind() == "Deployment")
            .context("no Deployment")?;
        let strategy = &deployment.value["spec"]["strategy"]["type"];
        assert_eq!(strategy == "RollingUpdate", elects);
        let has_kind = |kind: &str| rendered.iter().any(|document| document.kind() == kind);
        assert_eq!(has_kind("PodDisruptionBudget"), elects);
        let lease = rendered
            .iter()
            .any(|document| document.text.contains("coordination.k8s.io"));
        assert_eq!(lease, elects);
        let pod = deployment.pod().context("no pod")?;
        assert_eq!(
            pod["topologySpreadConstraints"].as_array().map(Vec::len),
            Some(2)
        );
    }
    Ok(())
}

#[test]
fn a_digest_is_stronger_than_a_tag() -> Result<()> {
    let digest = format!("sha256:{:064x}", 7);
    let rendered = render(&format!("image: {{tag: latest, digest: '{digest}'}}"))?;
    let expected = format!("ghcr.io/gamepipe/gamepipe@{digest}");
    for pod in rendered.iter().filter_map(|document| document.pod()) {
        assert_eq!(pod["containers"][0]["image"], expected.as_str());
    }
    Ok(())
}
