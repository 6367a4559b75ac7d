//! What dies while players play: pods, children, the operator in the midst of a rollout.

use anyhow::{Result, ensure};
use gamepipe_tests::load::StubbornCrowd;
use serde_json::Value;

use super::handle::Pipeline;
use super::readme;

/// Pods that are killed, one after another: what keeps state, what lands it, what serves it.
const VICTIMS: [&str; 6] = [
    "redis",
    "kafka",
    "kafka-controller",
    "streamer",
    "api",
    "sql",
];

/// Children that somebody deletes by hand. A workload's pods go with it.
const DELETED: [(&str, &str); 4] = [
    ("service", "api"),
    ("configmap", "streamer"),
    ("networkpolicy", "redis"),
    ("deployment", "streamer"),
];

/// Kills without a word, as a node that dies does.
const AT_ONCE: [&str; 2] = ["--grace-period=0", "--force"];

fn selector(arena: &Pipeline<'_>, component: &str) -> String {
    format!(
        "app.kubernetes.io/instance={},app.kubernetes.io/component={component}",
        arena.name()
    )
}

/// The pods of a component: which they are, and whether they are ready.
fn pods(arena: &Pipeline<'_>, component: &str) -> Result<Vec<(String, bool)>> {
    let of = selector(arena, component);
    let text = arena.kubectl(&["get", "pods", "--selector", &of, "-o", "json"])?;
    let found: Value = serde_json::from_str(&text)?;
    let pod = |pod: &Value| {
        let conditions = pod["status"]["conditions"].as_array();
        let is_ready = conditions
            .into_iter()
            .flatten()
            .any(|condition| condition["type"] == "Ready" && condition["status"] == "True");
        let uid = pod["metadata"]["uid"].as_str().unwrap_or_default();
        (uid.to_owned(), is_ready)
    };
    Ok(found["items"]
        .as_array()
        .into_iter()
        .flatten()
        .map(pod)
        .collect())
}

pub(super) fn happen(arena: &Pipeline<'_>, crowd: &StubbornCrowd) -> Result<()> {
    for victim in VICTIMS {
        arena.through(&format!("{victim} is killed"), crowd, || {
            let before = pods(arena, victim)?;
            let of = selector(arena, victim);
            let delete = ["delete", "pod", "--selector", &of];
            arena.kubectl(&[&delete[..], &AT_ONCE].concat())?;
            arena.cluster().wait(&format!("another {victim}"), |_| {
                let after = pods(arena, victim)?;
                let is_new =
                    |pod: &(String, bool)| pod.1 && !before.iter().any(|(uid, _)| *uid == pod.0);
                ensure!(
                    after.len() == before.len() && after.iter().all(is_new),
                    "{after:?}"
                );
                Ok(())
            })
        })?;
    }
    for (kind, component) in DELETED {
        arena.through(&format!("the {kind} {component} is deleted"), crowd, || {
            let uid = arena.child(kind, component)?["metadata"]["uid"].clone();
            let name = format!("{}-{component}", arena.name());
            arena.kubectl(&["delete", kind, &name])?;
            arena
                .cluster()
                .wait(&format!("a new {kind} {component}"), |_| {
                    let new = arena.child(kind, component)?;
                    ensure!(new["metadata"]["uid"] != uid, "it is the old one");
                    let is_up = new["spec"]["replicas"] == new["status"]["readyReplicas"];
                    ensure!(kind != "deployment" || is_up, "no pods yet");
                    Ok(())
                })
        })?;
    }
    Ok(())
}

/// The operator is killed while it rolls a change out, and is replaced by a new version of its chart.
pub(super) fn with_the_operator(
    arena: &Pipeline<'_>,
    readme: &readme::Section<'_>,
    crowd: &StubbornCrowd,
) -> Result<()> {
    arena.through("the operator is killed in a rollout", crowd, || {
        arena.patch(
            "{\"spec\": {\"api\": {\"replicas\": 2}, \"streamer\": {\"commitInterval\": \"3s\"}}}",
        )?;
        arena.wait_for_reason("RollingOut")?;
        let of = "app.kubernetes.io/name=gamepipe-operator";
        let delete = ["delete", "pod", "--selector", of];
        arena.kubectl(&[&delete[..], &AT_ONCE].concat())?;
        Ok(())
    })?;
    let ready = arena.child("deployment", "api")?["status"]["readyReplicas"].clone();
    ensure!(ready == 2, "two API pods were asked for: {ready}");
    arena.through("the chart is upgraded", crowd, || {
        readme.upgrade("operator.resyncSeconds=60")
    })
}
