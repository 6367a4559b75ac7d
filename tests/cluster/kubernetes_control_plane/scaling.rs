//! A pipeline that grows, under the real operator on a real API server: volumes, brokers, and pods that an autoscaler counts.

use anyhow::{Result, ensure};
use gamepipe_tests::cluster::Cluster;

use super::rights::{field, kubectl, wait_until_ready};

fn patch(cluster: &Cluster, patch: &str) -> Result<()> {
    let by = ["patch", "gp", "arena", "--type=merge", "-p", patch];
    kubectl(cluster, &by)?;
    Ok(())
}

/// Volumes are as large as asked for now, and their StatefulSet is another one around the same pod.
pub(super) fn volumes_grow_around_their_pods(cluster: &Cluster) -> Result<()> {
    let uid = |object: &str| field(cluster, object, ".metadata.uid");
    let before = (uid("statefulset/arena-redis")?, uid("pod/arena-redis-0")?);
    patch(
        cluster,
        r#"{"spec": {"redis": {"managed": {"storage": {"size": "3Gi"}}}}}"#,
    )?;
    cluster.wait("the volume to grow", |cluster| {
        let path = ".spec.resources.requests.storage";
        let asked = field(cluster, "pvc/data-arena-redis-0", path)?;
        ensure!(asked == "3Gi", "{asked}");
        let path = ".spec.volumeClaimTemplates[0].spec.resources.requests.storage";
        let template = field(cluster, "statefulset/arena-redis", path)?;
        ensure!(template == "3Gi", "the next one would have {template}");
        Ok(())
    })?;
    wait_until_ready(cluster)?;
    let after = (uid("statefulset/arena-redis")?, uid("pod/arena-redis-0")?);
    ensure!(after.0 != before.0, "its template can't have been changed");
    ensure!(after.1 == before.1, "the pod went with its StatefulSet");
    let shrinks = patch(
        cluster,
        r#"{"spec": {"redis": {"managed": {"storage": {"size": "1Gi"}}}}}"#,
    );
    let said = shrinks.err().map(|error| format!("{error:#}"));
    ensure!(
        said.as_ref().is_some_and(|said| said.contains("shrink")),
        "{said:?}"
    );
    Ok(())
}

/// A second broker comes to another zone than the first, and each is told its own.
pub(super) fn brokers_are_spread_over_zones(cluster: &Cluster) -> Result<()> {
    patch(
        cluster,
        r#"{"spec": {"kafka": {"managed": {"brokers": 2}}}}"#,
    )?;
    wait_until_ready(cluster)?;
    let zone = |pod: &str| {
        field(
            cluster,
            pod,
            r".metadata.labels.topology\.kubernetes\.io/zone",
        )
    };
    let zones = [zone("pod/arena-kafka-0")?, zone("pod/arena-kafka-1")?];
    ensure!(
        zones.iter().all(|zone| zone.starts_with("zone-")) && zones[0] != zones[1],
        "{zones:?}"
    );
    Ok(())
}

/// The operator makes the autoscaler and leaves the number of pods to whoever scales.
pub(super) fn an_autoscaler_owns_the_number_of_pods(cluster: &Cluster) -> Result<()> {
    patch(
        cluster,
        r#"{"spec": {"api": {"replicas": null, "autoscaling": {"minReplicas": 1, "maxReplicas": 4}}}}"#,
    )?;
    wait_until_ready(cluster)?;
    let target = field(cluster, "hpa/arena-api", ".spec.scaleTargetRef.name")?;
    ensure!(target == "arena-api", "it scales {target}");
    // As the autoscaler does it.
    kubectl(cluster, &["scale", "deployment/arena-api", "--replicas=3"])?;
    cluster.wait("the operator to see three pods", |cluster| {
        let path = r#".status.components[?(@.name=="api")].ready"#;
        let ready = field(cluster, "gp/arena", path)?;
        ensure!(ready == "3", "{ready}");
        Ok(())
    })?;
    // A pass that changes the same Deployment: its pods mount the settings.
    patch(
        cluster,
        r#"{"spec": {"settings": {"api": {"maxBatchEvents": 500}}}}"#,
    )?;
    wait_until_ready(cluster)?;
    let replicas = field(cluster, "deployment/arena-api", ".spec.replicas")?;
    ensure!(replicas == "3", "{replicas} pods are wanted");
    Ok(())
}
