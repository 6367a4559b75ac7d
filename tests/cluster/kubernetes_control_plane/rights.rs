//! One pipeline under the real operator, which has the rights of the chart's Role and no others.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use gamepipe_tests::cluster::Cluster;
use serde_json::Value;

use super::operator::{
    HOME, MANAGER, NAME, Operator, gamepipe_says, install_chart, provide_volumes, root,
};
use super::scaling;

/// The namespace that the operator works in: the only one that it has a Role in, but for its Lease at home.
pub(super) const PLACE: &str = "games";

/// One object of each kind that can be made anew at once.
const DELETED: [(&str, &str); 7] = [
    ("service", "arena-api"),
    ("configmap", "arena-api"),
    ("deployment", "arena-sql"),
    ("statefulset", "arena-redis"),
    ("networkpolicy", "arena-kafka"),
    ("poddisruptionbudget", "arena-streamer"),
    ("serviceaccount", "arena-streamer"),
];

pub(super) fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    cluster.kubectl(&[&["--namespace", PLACE], arguments].concat())
}

/// A field of an object, by JSON path.
pub(super) fn field(cluster: &Cluster, object: &str, path: &str) -> Result<String> {
    let path = format!("jsonpath={{{path}}}");
    kubectl(cluster, &["get", object, "-o", &path])
}

fn sample() -> std::path::PathBuf {
    root().join("manifests/samples/smallest.yaml")
}

/// Waits until the pipeline says that all is ready, about the spec that it has.
pub(super) fn wait_until_ready(cluster: &Cluster) -> Result<()> {
    cluster.wait("the pipeline to be ready", |cluster| {
        let state = field(
            cluster,
            "gp/arena",
            r#".metadata.generation}={.status.observedGeneration} {.status.conditions[?(@.type=="Ready")].status} {.status.conditions"#,
        )?;
        let mut words = state.split_whitespace();
        let seen = words.next().and_then(|word| word.split_once('='));
        ensure!(
            seen.is_some_and(|(newest, seen)| newest == seen) && words.next() == Some("True"),
            "{state}"
        );
        Ok(())
    })
}

#[test]
fn a_pipeline_comes_up_with_the_rights_of_the_chart_and_is_put_right_again() -> Result<()> {
    Cluster::control_plane()?.explained(|cluster| {
        cluster.simulate(2)?;
        provide_volumes(cluster, 5)?;
        cluster.kubectl(&["create", "namespace", PLACE])?;
        let watched = format!("watchNamespaces={{{PLACE}}}");
        install_chart(cluster, &[&watched, "leaderElection.enabled=true"])?;
        let operator = Operator::start(cluster)?;
        cluster.apply_in(PLACE, &gamepipe_says(&["game", "render", "arena"])?)?;
        cluster.apply_in(PLACE, &std::fs::read_to_string(sample())?)?;
        wait_until_ready(cluster)?;
        everything_is_there(cluster)?;
        says_how_it_is(cluster)?;
        what_is_deleted_comes_back(cluster)?;
        what_is_edited_is_put_right(cluster)?;
        wait_until_ready(cluster)?;
        scaling::volumes_grow_around_their_pods(cluster)?;
        scaling::brokers_are_spread_over_zones(cluster)?;
        scaling::an_autoscaler_owns_the_number_of_pods(cluster)?;
        operator.check_rights()?;
        let counts = operator.counts()?;
        ensure!(
            counts.writes() > 0 && counts.requests(&["watch"], "2") > 0,
            "{}",
            counts.requests_shown()
        );
        gives_its_lease_back(cluster, operator)?;
        what_it_owned_goes_with_it(cluster)
    })
}

/// Every object that `gamepipe operator render` shows is in the cluster, and the operator owns its fields.
fn everything_is_there(cluster: &Cluster) -> Result<()> {
    let sample = sample().display().to_string();
    // As it is stored: an API server writes 1.0 as 1, which is another version of a definition.
    let folder = tempfile::tempdir()?;
    let game = kubectl(cluster, &["get", "game", "arena", "-o", "json"])?;
    let game = written(folder.path(), &game)?;
    let rendered = gamepipe_says(&["operator", "render", "-f", &sample, "-f", &game])?;
    let mut count = 0;
    for document in rendered.split("---\n") {
        let object: Value = serde_saphyr::from_str(document)?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (kind, name) = (text(&object["kind"]), text(&object["metadata"]["name"]));
        let target = format!("{kind}/{name}");
        let managers = field(cluster, &target, ".metadata.managedFields[*].manager")?;
        let applied = field(
            cluster,
            &target,
            &format!(r#".metadata.managedFields[?(@.manager=="{MANAGER}")].operation"#),
        )?;
        // A Secret is made once, never applied.
        let how = if kind == "Secret" { "Update" } else { "Apply" };
        ensure!(applied == how, "{target}: {applied} by {managers}");
        count += 1;
    }
    ensure!(count > 30, "{count} objects were rendered");
    Ok(())
}

/// The status says of every component that it is ready, and what can't be known on simulated nodes it does not claim to know.
fn says_how_it_is(cluster: &Cluster) -> Result<()> {
    let text = kubectl(cluster, &["get", "gp", "arena", "-o", "json"])?;
    let pipeline: Value = serde_json::from_str(&text)?;
    let status = &pipeline["status"];
    let conditions: BTreeMap<&str, (&str, &str)> = status["conditions"]
        .as_array()
        .context("no conditions")?
        .iter()
        .filter_map(|condition| {
            let word = |name: &str| condition[name].as_str();
            Some((word("type")?, (word("status")?, word("reason")?)))
        })
        .collect();
    let expected = [
        ("Ready", ("True", "AllReady")),
        ("Progressing", ("False", "Idle")),
        ("Degraded", ("False", "Healthy")),
        ("SpecValid", ("True", "Accepted")),
        ("Paused", ("False", "NotPaused")),
    ];
    for (kind, state) in expected {
        ensure!(
            conditions.get(kind) == Some(&state),
            "{kind}: {conditions:?}"
        );
    }
    for kind in [
        "KafkaReady",
        "RedisReady",
        "ApiReady",
        "StreamerReady",
        "SqlReady",
    ] {
        let state = conditions.get(kind).map(|(status, _)| *status);
        ensure!(state == Some("True"), "{kind}: {conditions:?}");
    }
    let components = status["components"].as_array().context("no components")?;
    ensure!(
        components.len() == 6
            && components
                .iter()
                .all(|component| component["ready"] == 1 && component["desired"] == 1),
        "{components:?}"
    );
    // No streamer answers there.
    ensure!(status["lag"] == "unknown", "{}", status["lag"]);
    let table = kubectl(cluster, &["get", "gp"])?;
    let row = table.lines().nth(1).context("no row")?;
    let words: Vec<&str> = row.split_whitespace().collect();
    ensure!(words[..3] == ["arena", "True", "AllReady"], "{table}");
    let game = field(cluster, "game/arena", ".status.conditions[0].status")?;
    ensure!(game == "True", "the Game's status: {game}");
    Ok(())
}

fn what_is_deleted_comes_back(cluster: &Cluster) -> Result<()> {
    for (kind, name) in DELETED {
        let target = format!("{kind}/{name}");
        let before = field(cluster, &target, ".metadata.uid")?;
        kubectl(cluster, &["delete", &target, "--wait=false"])?;
        cluster.wait(&format!("{target} to come back"), |cluster| {
            let now = field(cluster, &target, ".metadata.uid")?;
            ensure!(now != before, "it is still there");
            Ok(())
        })?;
    }
    wait_until_ready(cluster)
}

/// Fields that somebody sets and takes into their own hands are the operator's again; what is added beside them stays.
fn what_is_edited_is_put_right(cluster: &Cluster) -> Result<()> {
    let image = ".spec.template.spec.containers[0].image";
    let before = field(cluster, "deployment/arena-api", image)?;
    let taken = format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: arena-api, namespace: {PLACE}, labels: {{team: blue}}}}
spec: {{template: {{spec: {{containers: [{{name: api, image: 'elsewhere/it:1'}}]}}}}}}
"
    );
    let folder = tempfile::tempdir()?;
    let path = written(folder.path(), &taken)?;
    let by = ["apply", "--server-side", "--force-conflicts"];
    let who = ["--field-manager=somebody", "-f", &path];
    kubectl(cluster, &[&by[..], &who].concat())?;
    cluster.wait("the image to be put right", |cluster| {
        let now = field(cluster, "deployment/arena-api", image)?;
        ensure!(now == before, "{now}");
        Ok(())
    })?;
    let label = field(cluster, "deployment/arena-api", ".metadata.labels.team")?;
    ensure!(label == "blue", "what was added is gone: {label:?}");
    let fields = field(
        cluster,
        "deployment/arena-api",
        r#".metadata.managedFields[?(@.manager=="somebody")].fieldsV1"#,
    )?;
    ensure!(
        fields.contains("f:team") && !fields.contains("f:image\""),
        "somebody still owns the image: {fields}"
    );
    Ok(())
}

fn written(folder: &Path, text: &str) -> Result<String> {
    let path = folder.join("manifest.yaml");
    std::fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// It holds the Lease of the chart's name, and nobody does when it has ended.
fn gives_its_lease_back(cluster: &Cluster, operator: Operator) -> Result<()> {
    let holder = || {
        let lease = format!("lease/{NAME}");
        let path = "jsonpath={.spec.holderIdentity}";
        cluster.kubectl(&["get", &lease, "--namespace", HOME, "-o", path])
    };
    let held = holder()?;
    ensure!(held == format!("{NAME}-0"), "the Lease is held by {held:?}");
    operator.stop()?;
    let held = holder()?;
    ensure!(held.is_empty(), "the Lease is still held by {held:?}");
    Ok(())
}

/// What the pipeline owns is collected with it, without the operator; volumes and passwords stay.
fn what_it_owned_goes_with_it(cluster: &Cluster) -> Result<()> {
    kubectl(cluster, &["delete", "gp", "arena"])?;
    let kinds = "deployments,statefulsets,services,configmaps,networkpolicies,serviceaccounts,poddisruptionbudgets";
    let selector = format!("app.kubernetes.io/managed-by={NAME}");
    cluster.wait("the children to be collected", |cluster| {
        let left = kubectl(cluster, &["get", kinds, "-l", &selector, "-o", "name"])?;
        ensure!(left.is_empty(), "{left}");
        Ok(())
    })?;
    let kept = kubectl(cluster, &["get", "pvc,secrets", "-o", "name"])?;
    for name in ["arena-lake", "arena-kafka", "arena-redis"] {
        ensure!(kept.contains(name), "{name} is gone: {kept}");
    }
    Ok(())
}
