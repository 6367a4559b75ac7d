//! Secrets whose values the operator makes: once, with `create`. One that is there is read and never written.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::core::{ApiResource, ResourceExt};
use serde_json::Value;

use crate::crd::status::Reason;
use crate::stages::failure::{Failure, Remedy};
use crate::stages::generated::{GeneratedSecret, Generator, Ownership};
use crate::stages::namespace::{Namespace, unreadable};

/// Sees to it that the Secret is there, and gives the id of the Kafka cluster if it holds one.
pub(super) async fn ensure(
    namespace: &Namespace,
    owner: Option<&OwnerReference>,
    wanted: &GeneratedSecret,
) -> Result<Option<String>, Failure> {
    let kind = ApiResource::erase::<Secret>(&());
    let values = match namespace.get(&kind, &wanted.name).await? {
        Some(there) => check(owner, wanted, there)?,
        None => {
            let (secret, values) = made(namespace, owner, wanted)?;
            if !namespace.create(&kind, &wanted.name, secret).await? {
                let message = format!(
                    "the Secret {} was made by somebody else a moment ago; it is read next",
                    wanted.name
                );
                return Err(Failure::new(Reason::ApiUnavailable, Remedy::Retry, message));
            }
            tracing::info!(
                namespace = namespace.name(),
                secret = wanted.name,
                "made a Secret"
            );
            values
        }
    };
    let id = wanted
        .keys
        .iter()
        .find(|(_, generator)| matches!(generator, Generator::KafkaClusterId { .. }));
    Ok(id.and_then(|(key, _)| values.get(*key).cloned()))
}

/// The values of a Secret that is there, if it can be the one that is wanted.
fn check(
    owner: Option<&OwnerReference>,
    wanted: &GeneratedSecret,
    there: Value,
) -> Result<BTreeMap<String, String>, Failure> {
    let name = &wanted.name;
    let secret: Secret = serde_json::from_value(there)
        .map_err(|error| unreadable(&format!("read Secret {name}"), &error))?;
    let others = |reference: &OwnerReference| owner.is_none_or(|owner| owner.uid != reference.uid);
    if secret.metadata.deletion_timestamp.is_some() || secret.owner_references().iter().any(others)
    {
        let message = format!(
            "the Secret {name} belongs to an object that is gone and will be deleted with it; then it is made anew"
        );
        return Err(Failure::new(Reason::ApiUnavailable, Remedy::Retry, message));
    }
    let data = secret.data.unwrap_or_default();
    let values: BTreeMap<String, String> = data
        .into_iter()
        .map(|(key, value)| (key, String::from_utf8_lossy(&value.0).into_owned()))
        .collect();
    let missing: Vec<&str> = wanted
        .keys
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| !values.contains_key(*key))
        .collect();
    if missing.is_empty() {
        return Ok(values);
    }
    let message = format!(
        "the Secret {name} lacks {}, and the operator changes no Secret that is there: add what it held before; only if nothing was stored with it \
         yet, delete the Secret and a new one is made",
        missing.join(", ")
    );
    Err(Failure::new(
        Reason::SecretKeyMissing,
        Remedy::Change,
        message,
    ))
}

/// The Secret with new values.
fn made(
    namespace: &Namespace,
    owner: Option<&OwnerReference>,
    wanted: &GeneratedSecret,
) -> Result<(Value, BTreeMap<String, String>), Failure> {
    let mut without = false;
    let values = wanted.missing(&BTreeMap::new(), &mut |bytes| {
        without |= getrandom::fill(bytes).is_err()
    });
    if without {
        let message =
            "the operating system gives no random numbers, without which no password can be made";
        return Err(Failure::new(Reason::ApiUnavailable, Remedy::Retry, message));
    }
    let owner = owner.filter(|_| wanted.ownership == Ownership::Owned);
    let data = values
        .iter()
        .map(|(key, value)| (key.clone(), ByteString(value.clone().into_bytes())));
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(wanted.name.clone()),
            namespace: Some(namespace.name().to_owned()),
            labels: Some(wanted.labels.clone()),
            owner_references: owner.map(|owner| vec![owner.clone()]),
            ..ObjectMeta::default()
        },
        data: Some(data.collect()),
        ..Secret::default()
    };
    let json = serde_json::to_value(&secret)
        .map_err(|error| unreadable(&format!("make Secret {}", wanted.name), &error))?;
    Ok((json, values))
}
