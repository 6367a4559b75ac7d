//! The lake on a volume, and what volumes have in common.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::StatefulSetPersistentVolumeClaimRetentionPolicy;
use k8s_openapi::api::core::v1::{
    Affinity, PersistentVolumeClaim, PersistentVolumeClaimSpec, PersistentVolumeClaimVolumeSource,
    PodAffinity, PodAffinityTerm, Volume, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::labels::{instance, labels, matching, shared};
use super::redis::ownership;
use crate::crd::lake::{AccessMode, LakeVolume};
use crate::crd::storage::Storage;
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// Where the roles see a lake that is on a volume.
pub(super) const PATH: &str = "/var/lib/gamepipe/lake";
/// The volume's name in pods.
pub(super) const VOLUME: &str = "lake";
/// The claim's suffix, and the component that it is labelled with.
const LAKE: &str = "lake";
/// On pods that mount a lake: which.
pub(super) const MOUNTS_LAKE: &str = "gamepipe.dev/mounts-lake";

/// The claim of a lake on a volume. It stays when the pipeline goes, unless the spec says otherwise.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Option<Child> {
    let volume = pipeline.spec.lake.volume.as_ref()?;
    let kept = ownership(volume.storage.retention.when_deleted);
    let claim = PersistentVolumeClaim {
        metadata: shared(pipeline, LAKE, LAKE, kept),
        spec: Some(claim_spec(&volume.storage, volume.access_mode.as_str())),
        ..PersistentVolumeClaim::default()
    };
    Some(claim.into())
}

/// The lake as a pod mounts it, when it is on a volume.
pub(super) fn volume(pipeline: &ValidatedPipeline, read_only: bool) -> Option<Volume> {
    pipeline.spec.lake.volume.as_ref()?;
    Some(Volume {
        name: VOLUME.to_owned(),
        persistent_volume_claim: Some(PersistentVolumeClaimVolumeSource {
            claim_name: pipeline.child(LAKE),
            read_only: read_only.then_some(true),
        }),
        ..Volume::default()
    })
}

/// A volume that one node alone may mount needs all its pods there: added to what the pods were told.
pub(super) fn together(
    pipeline: &ValidatedPipeline,
    affinity: Option<Affinity>,
) -> Option<Affinity> {
    let is_of_one_node = |volume: &LakeVolume| volume.access_mode == AccessMode::ReadWriteOnce;
    if !pipeline
        .spec
        .lake
        .volume
        .as_ref()
        .is_some_and(is_of_one_node)
    {
        return affinity;
    }
    let mut affinity = affinity.unwrap_or_default();
    let mut mounting = instance(pipeline);
    mounting.insert(MOUNTS_LAKE.to_owned(), "true".to_owned());
    affinity
        .pod_affinity
        .get_or_insert_with(PodAffinity::default)
        .required_during_scheduling_ignored_during_execution
        .get_or_insert_with(Vec::new)
        .push(PodAffinityTerm {
            label_selector: Some(matching(mounting)),
            topology_key: "kubernetes.io/hostname".to_owned(),
            ..PodAffinityTerm::default()
        });
    Some(affinity)
}

/// A claim of each pod of a StatefulSet. Its labels never change: they can't be changed on a StatefulSet that is there.
pub(super) fn claim(
    pipeline: &ValidatedPipeline,
    component: Component,
    name: &str,
    storage: &Storage,
    access_mode: &str,
) -> PersistentVolumeClaim {
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            labels: Some(
                labels(pipeline, component.as_str())
                    .into_iter()
                    .collect::<BTreeMap<_, _>>(),
            ),
            ..ObjectMeta::default()
        },
        spec: Some(claim_spec(storage, access_mode)),
        ..PersistentVolumeClaim::default()
    }
}

fn claim_spec(storage: &Storage, access_mode: &str) -> PersistentVolumeClaimSpec {
    let size = Quantity(storage.size.clone());
    PersistentVolumeClaimSpec {
        access_modes: Some(vec![access_mode.to_owned()]),
        resources: Some(VolumeResourceRequirements {
            requests: Some(BTreeMap::from([("storage".to_owned(), size)])),
            ..VolumeResourceRequirements::default()
        }),
        storage_class_name: storage.storage_class_name.clone(),
        ..PersistentVolumeClaimSpec::default()
    }
}

/// What Kubernetes does with the claims of a StatefulSet.
pub(super) fn retention(storage: &Storage) -> StatefulSetPersistentVolumeClaimRetentionPolicy {
    StatefulSetPersistentVolumeClaimRetentionPolicy {
        when_deleted: Some(storage.retention.when_deleted.as_str().to_owned()),
        when_scaled: Some(storage.retention.when_scaled.as_str().to_owned()),
    }
}
