//! What an operator needs of a control plane, and what gamepipe's does on one.

mod fleet;
mod operator;
mod resources;
mod rights;
mod scaling;

use std::fmt::Debug;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::cluster::{Cluster, Part};

const FLEETS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: fleets.tests.gamepipe.dev}
spec:
  group: tests.gamepipe.dev
  scope: Namespaced
  names: {kind: Fleet, plural: fleets, singular: fleet}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.ships, statusReplicasPath: .status.ships}
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            required: [ships]
            x-kubernetes-validations: [{rule: self.ships <= self.limit, message: more ships than the limit}]
            properties:
              ships: {type: integer, minimum: 0}
              limit: {type: integer, default: 10}
              flag:
                type: string
                default: red
                x-kubernetes-validations: [{rule: self == oldSelf, message: a flag is for ever}]
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

const NO_SECRETS_IN_CONFIG_MAPS: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: tests}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [configmaps]}]
  validations: [{expression: \"!has(object.data) || !('password' in object.data)\", message: no passwords here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: tests}
spec:
  policyName: tests
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: default}}}
";

fn fleet(spec: &str) -> String {
    format!("apiVersion: tests.gamepipe.dev/v1\nkind: Fleet\nmetadata: {{name: f}}\nspec: {spec}\n")
}

fn refused<T: Debug>(answer: Result<T>, reason: &str) -> Result<()> {
    let said = format!("{:#}", answer.err().context("it was accepted")?);
    ensure!(said.contains(reason), "refused for another reason: {said}");
    Ok(())
}

#[test]
fn it_has_custom_resources_with_rules_and_an_admission_policy() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        cluster.apply(FLEETS)?;
        cluster.wait("the new kind", |cluster| {
            cluster.apply(&fleet("{ships: 3}"))
        })?;
        let limit = cluster.kubectl(&["get", "fleet", "f", "-o", "jsonpath={.spec.limit}"])?;
        ensure!(limit == "10", "the schema's default: {limit}");
        refused(
            cluster.apply(&fleet("{ships: 30}")),
            "more ships than the limit",
        )?;
        refused(
            cluster.apply(&fleet("{ships: 3, flag: blue}")),
            "a flag is for ever",
        )?;
        cluster.kubectl(&["scale", "fleet", "f", "--replicas=5"])?;
        let patch = "{\"status\": {\"ships\": 5}}";
        cluster.kubectl(&[
            "patch",
            "fleet",
            "f",
            "--subresource=status",
            "--type=merge",
            "-p",
            patch,
        ])?;
        let scaled = cluster.kubectl(&[
            "get",
            "fleet",
            "f",
            "-o",
            "jsonpath={.spec.ships} {.status.ships}",
        ])?;
        ensure!(
            scaled == "5 5",
            "the scale and status subresources: {scaled}"
        );

        cluster.apply(NO_SECRETS_IN_CONFIG_MAPS)?;
        let with_password = [
            "create",
            "configmap",
            "c",
            "--from-literal=password=1",
            "--dry-run=server",
        ];
        cluster.wait("the policy", |cluster| {
            refused(cluster.kubectl(&with_password), "no passwords here")
        })?;
        cluster.kubectl(&["create", "configmap", "c", "--from-literal=name=1"])?;
        Ok(())
    })
}

#[test]
fn it_checks_rights_runs_controllers_and_survives_a_lost_api_server() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        cluster.kubectl(&["create", "serviceaccount", "limited"])?;
        cluster.kubectl(&[
            "create",
            "role",
            "limited",
            "--verb=get,list",
            "--resource=configmaps",
        ])?;
        cluster.kubectl(&[
            "create",
            "rolebinding",
            "limited",
            "--role=limited",
            "--serviceaccount=default:limited",
        ])?;
        let token = cluster.kubectl(&["create", "token", "limited"])?;
        let token = format!("--token={}", token.trim());
        as_limited(cluster, &token, "configmaps")?;
        refused(as_limited(cluster, &token, "secrets"), "forbidden")?;

        cluster.kubectl(&[
            "create",
            "deployment",
            "d",
            "--image=localhost/none",
            "--replicas=2",
        ])?;
        two_pods(cluster)?;
        cluster.stop_part(Part::ApiServer)?;
        cluster.start_part(Part::ApiServer)?;
        cluster.wait_for_api()?;
        cluster.kubectl(&["delete", "pods", "--all", "--wait=false"])?;
        two_pods(cluster)?;
        cluster.kubectl(&["create", "namespace", "gone"])?;
        cluster.kubectl(&["delete", "namespace", "gone", "--timeout=60s"])?;
        Ok(())
    })
}

/// Asks as nobody but the bearer of a token.
fn as_limited(cluster: &Cluster, token: &str, resource: &str) -> Result<String> {
    let address = format!("--server=https://{}", cluster.reach("127.0.0.1:6443")?);
    let nobody = "--kubeconfig=/dev/null";
    cluster.kubectl(&[
        "get",
        resource,
        nobody,
        &address,
        "--insecure-skip-tls-verify",
        token,
    ])
}

fn two_pods(cluster: &Cluster) -> Result<()> {
    cluster.wait("two pods", |cluster| {
        let pods = cluster.kubectl(&["get", "pods", "-l", "app=d", "-o", "name"])?;
        ensure!(pods.lines().count() == 2, "{pods}");
        Ok(())
    })
}

#[test]
fn a_thousand_pods_run_on_simulated_nodes() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        cluster.simulate(10)?;
        cluster.kubectl(&[
            "create",
            "deployment",
            "many",
            "--image=none",
            "--replicas=1000",
        ])?;
        cluster.kubectl(&["rollout", "status", "deployment/many", "--timeout=300s"])?;
        let ready = cluster.kubectl(&[
            "get",
            "deployment",
            "many",
            "-o",
            "jsonpath={.status.readyReplicas}",
        ])?;
        ensure!(ready == "1000", "{ready}");
        Ok(())
    })
}

#[test]
fn two_clusters_know_nothing_of_each_other() -> Result<()> {
    let [one, other] = [Cluster::control_plane()?, Cluster::control_plane()?];
    one.kubectl(&["create", "namespace", "mine"])?;
    refused(other.kubectl(&["get", "namespace", "mine"]), "not found")
}

#[test]
fn helm_installs_upgrades_and_takes_away() -> Result<()> {
    let chart = tempfile::tempdir()?;
    std::fs::create_dir(chart.path().join("templates"))?;
    let about = "apiVersion: v2\nname: toy\nversion: 0.1.0\n";
    std::fs::write(chart.path().join("Chart.yaml"), about)?;
    std::fs::write(chart.path().join("values.yaml"), "mood: calm\n")?;
    let template = "apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}'}
data: {mood: '{{ .Values.mood }}'}
";
    std::fs::write(chart.path().join("templates/mood.yaml"), template)?;
    let chart = chart.path().display().to_string();
    Cluster::control_plane()?.explained(|cluster| {
        let mood = || cluster.kubectl(&["get", "configmap", "t", "-o", "jsonpath={.data.mood}"]);
        cluster.helm(&["install", "t", &chart])?;
        ensure!(mood()? == "calm");
        cluster.helm(&["upgrade", "t", &chart, "--set", "mood=wild"])?;
        ensure!(mood()? == "wild");
        cluster.helm(&["rollback", "t", "1"])?;
        ensure!(mood()? == "calm");
        cluster.helm(&["uninstall", "t", "--wait"])?;
        refused(mood(), "not found")
    })
}
