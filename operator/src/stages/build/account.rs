//! Service accounts: one for each kind of process, so that a cloud can give streamers and SQL an identity. None has a token: nothing here speaks to
//! the Kubernetes API.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ServiceAccount;

use super::labels::meta;
use super::pod::some_map;
use crate::stages::children::Child;
use crate::stages::component::Component;
use crate::stages::validated::ValidatedPipeline;

/// The accounts that the pods name.
pub(super) fn build(pipeline: &ValidatedPipeline) -> Vec<Child> {
    let spec = &pipeline.spec;
    let identity = spec
        .lake
        .s3
        .as_ref()
        .map(|s3| s3.service_account_annotations.clone());
    let mut accounts = vec![
        (Component::Api, BTreeMap::new()),
        (Component::Streamer, identity.clone().unwrap_or_default()),
        (Component::Sql, identity.unwrap_or_default()),
    ];
    if spec.kafka.managed.is_some() {
        accounts.push((Component::Kafka, BTreeMap::new()));
    }
    if spec.redis.managed.is_some() {
        accounts.push((Component::Redis, BTreeMap::new()));
    }
    accounts
        .into_iter()
        .map(|(component, annotations)| {
            let mut metadata = meta(pipeline, component, component.as_str());
            metadata.annotations = some_map(annotations);
            ServiceAccount {
                metadata,
                automount_service_account_token: Some(false),
                ..ServiceAccount::default()
            }
            .into()
        })
        .collect()
}
