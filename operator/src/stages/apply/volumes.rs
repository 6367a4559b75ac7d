//! Fields of a StatefulSet that can't be changed on one that is there. Larger volumes are the only change of them that is carried out: the claims
//! grow, and the StatefulSet is made anew around its pods.

use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::core::{ApiResource, ResourceExt};
use serde_json::{Value, json};

use super::Note;
use crate::crd::amount::parse;
use crate::crd::status::Reason;
use crate::stages::failure::{Failure, Remedy};
use crate::stages::namespace::{Dependents, Namespace};

/// What of a StatefulSet can't be changed. The API server's own list is the other way round: what can.
const FIXED: [&str; 4] = [
    "spec.podManagementPolicy",
    "spec.selector",
    "spec.serviceName",
    "spec.volumeClaimTemplates",
];

/// What the differences between a StatefulSet and its intent ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Fields that can be changed.
    Apply,
    /// Volumes, and perhaps other fields that can be changed. These are the paths.
    Volumes(Vec<String>),
    /// These paths can't be changed.
    Impossible(Vec<String>),
}

/// Sorts the paths that differ.
pub(super) fn change(differences: &[String]) -> Change {
    let fixed: Vec<String> = differences
        .iter()
        .filter(|path| FIXED.iter().any(|fixed| path.starts_with(fixed)))
        .cloned()
        .collect();
    if fixed.is_empty() {
        return Change::Apply;
    }
    let is_size = |path: &String| {
        path.starts_with("spec.volumeClaimTemplates[") && path.ends_with(".requests.storage")
    };
    if fixed.iter().all(is_size) {
        Change::Volumes(fixed)
    } else {
        Change::Impossible(fixed)
    }
}

/// That fields can't be changed.
pub(super) fn impossible(name: &str, paths: &[String]) -> Failure {
    let message = format!(
        "{} of the StatefulSet {name} can't be changed on one that is there: put the spec back as it was, or, if its pods may be away for a moment, \
         `kubectl delete statefulset {name} --cascade=orphan` and it is made anew around them",
        paths.join(", ")
    );
    Failure::new(Reason::ImmutableField, Remedy::Change, message)
}

/// Grows the claims of a StatefulSet's pods, then deletes the StatefulSet and leaves its pods; the next pass makes it anew with the larger template.
pub(super) async fn grow(
    namespace: &Namespace,
    wanted: &StatefulSet,
    live: &StatefulSet,
    paths: &[String],
) -> Result<Note, Failure> {
    let name = wanted.name_any();
    let pods = live
        .spec
        .replicas
        .unwrap_or(1)
        .max(wanted.spec.replicas.unwrap_or(1));
    for template in wanted.spec.volume_claim_templates.iter().flatten() {
        let Some(size) = size_of(template) else {
            continue;
        };
        for ordinal in 0..pods {
            let claim = format!("{}-{name}-{ordinal}", template.name_any());
            grow_claim(namespace, &claim, size).await?;
        }
    }
    let kind = ApiResource::erase::<StatefulSet>(&());
    let uid = live.metadata.uid.as_deref().unwrap_or_default();
    namespace
        .delete(&kind, &name, uid, Dependents::Kept)
        .await?;
    Ok(Note {
        reason: "StatefulSetRecreated",
        message: format!(
            "{} can't be changed in place: the claims were grown, and the StatefulSet {name} is made anew around its pods",
            paths.join(", ")
        ),
    })
}

/// Grows a claim, if there is one and it is smaller. A claim never shrinks, whatever is asked for.
pub(super) async fn grow_claim(
    namespace: &Namespace,
    name: &str,
    size: &str,
) -> Result<(), Failure> {
    let kind = ApiResource::erase::<PersistentVolumeClaim>(&());
    let Some(claim) = namespace.get(&kind, name).await? else {
        return Ok(());
    };
    let there = claim["spec"]["resources"]["requests"]["storage"]
        .as_str()
        .and_then(parse);
    if there >= parse(size) {
        return Ok(());
    }
    let larger: Value = json!({"spec": {"resources": {"requests": {"storage": size}}}});
    namespace.merge(&kind, name, &larger).await
}

fn size_of(claim: &PersistentVolumeClaim) -> Option<&str> {
    let resources = claim.spec.as_ref()?.resources.as_ref()?;
    Some(resources.requests.as_ref()?.get("storage")?.0.as_str())
}

#[cfg(test)]
mod tests {
    use super::{Change, change};

    #[test]
    fn only_the_size_of_a_volume_can_be_changed_among_what_is_fixed() {
        let paths = |paths: &[&str]| {
            paths
                .iter()
                .map(|path| (*path).to_owned())
                .collect::<Vec<_>>()
        };
        let size = "spec.volumeClaimTemplates[0].spec.resources.requests.storage";
        let class = "spec.volumeClaimTemplates[0].spec.storageClassName";
        assert_eq!(change(&paths(&["spec.replicas"])), Change::Apply);
        assert_eq!(
            change(&paths(&["spec.replicas", size])),
            Change::Volumes(paths(&[size]))
        );
        assert_eq!(
            change(&paths(&[size, class])),
            Change::Impossible(paths(&[size, class]))
        );
        assert_eq!(
            change(&paths(&["spec.serviceName"])),
            Change::Impossible(paths(&["spec.serviceName"]))
        );
    }
}
