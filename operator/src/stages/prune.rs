//! Deletes what the operator made for a pipeline and what is no longer in its plan. Never a volume.

use std::collections::BTreeSet;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ResourceExt;

use super::children::Child;
use super::failure::Failure;
use super::namespace::{Dependents, Namespace};

/// The kinds that are never deleted: what is on them is the user's.
const KEPT: [&str; 1] = ["PersistentVolumeClaim"];

/// Which children there should be. Nothing can be left over while it stays the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan(BTreeSet<(&'static str, String)>);

impl Plan {
    /// These children and no others.
    pub fn of(children: &[Child]) -> Self {
        let named = children
            .iter()
            .map(|child| (child.kind(), child.name().to_owned()));
        Self(named.collect())
    }

    fn has(&self, kind: &str, name: &str) -> bool {
        self.0
            .iter()
            .any(|(known, known_name)| *known == kind && known_name == name)
    }
}

/// Deletes every owned object that is not in the plan. Gives how many.
///
/// # Errors
/// The first call that failed; what was deleted before it stays deleted.
pub async fn prune(
    namespace: &Namespace,
    pipeline: &str,
    owner: &OwnerReference,
    plan: &Plan,
) -> Result<usize, Failure> {
    let mut deleted = 0;
    for kind in Child::kinds() {
        if KEPT.contains(&kind.kind.as_str()) {
            continue;
        }
        for object in namespace.list_metadata(&kind, pipeline).await?.items {
            let name = object.name_any();
            let is_planned = plan.has(&kind.kind, &name);
            let is_ours = object
                .owner_references()
                .iter()
                .any(|reference| reference.uid == owner.uid);
            if is_planned || !is_ours || object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let uid = object.metadata.uid.as_deref().unwrap_or_default();
            namespace
                .delete(&kind, &name, uid, Dependents::Deleted)
                .await?;
            tracing::info!(
                namespace = namespace.name(),
                pipeline,
                kind = kind.kind,
                name,
                "deleted what is no longer wanted"
            );
            deleted += 1;
        }
    }
    Ok(deleted)
}
