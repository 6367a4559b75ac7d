//! The Secrets that a spec names: which keys they need, and whether they have them.

use std::collections::BTreeMap;

use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::status::Reason;
use crate::stages::observed::Observed;
use crate::stages::validated::Finding;

/// A Secret that a spec names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretNeed {
    /// Where the spec names it.
    pub path: &'static str,
    /// Its name.
    pub name: String,
    /// The keys that it must have.
    pub required: &'static [&'static str],
    /// Keys that are used when they are there.
    pub optional: &'static [&'static str],
}

/// All Secrets that a spec names.
pub fn secret_needs(spec: &GamePipelineSpec) -> Vec<SecretNeed> {
    let external = spec.kafka.external.as_ref();
    let managed = spec.kafka.managed.as_ref();
    let named = [
        (
            "spec.kafka.managed.tlsSecret",
            managed.and_then(|kafka| kafka.tls_secret.as_ref()),
            &["tls.crt", "tls.key", "ca.crt"][..],
            &[][..],
        ),
        (
            "spec.kafka.external.credentialsSecret",
            external.and_then(|kafka| kafka.credentials_secret.as_ref()),
            &["username", "password"][..],
            &[][..],
        ),
        (
            "spec.kafka.external.caSecret",
            external.and_then(|kafka| kafka.ca_secret.as_ref()),
            &["ca.crt"],
            &[],
        ),
        (
            "spec.kafka.external.certificateSecret",
            external.and_then(|kafka| kafka.certificate_secret.as_ref()),
            &["tls.crt", "tls.key"],
            &[],
        ),
        (
            "spec.redis.external.urlSecret",
            spec.redis.external.as_ref().map(|redis| &redis.url_secret),
            &["url"],
            &["password"],
        ),
        (
            "spec.lake.s3.credentialsSecret",
            spec.lake
                .s3
                .as_ref()
                .and_then(|s3| s3.credentials_secret.as_ref()),
            &["accessKeyId", "secretAccessKey"],
            &[],
        ),
    ];
    named
        .into_iter()
        .filter_map(|(path, name, required, optional)| {
            Some(SecretNeed {
                path,
                name: name?.clone(),
                required,
                optional,
            })
        })
        .collect()
}

/// The hashes of the values in use, by Secret and key.
pub(super) fn check(
    spec: &GamePipelineSpec,
    observed: &Observed,
    findings: &mut Vec<Finding>,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut hashes: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for need in secret_needs(spec) {
        let keys = need.required.join(" and ");
        let Some(facts) = observed.secrets.get(&need.name) else {
            findings.push(Finding::new(
                Reason::SecretNotFound,
                need.path,
                format!(
                    "there is no Secret {:?} in this namespace; make one with the key{} {keys}",
                    need.name,
                    plural(need.required)
                ),
            ));
            continue;
        };
        let used = hashes.entry(need.name.clone()).or_default();
        for key in need.required.iter().chain(need.optional) {
            match facts.keys.get(*key) {
                Some(hash) => drop(used.insert((*key).to_owned(), hash.clone())),
                None if need.required.contains(key) => findings.push(Finding::new(
                    Reason::SecretKeyMissing,
                    need.path,
                    format!(
                        "the Secret {:?} has no key {key:?}; it needs {keys}",
                        need.name
                    ),
                )),
                None => {}
            }
        }
    }
    hashes
}

fn plural(keys: &[&str]) -> &'static str {
    if keys.len() == 1 { "" } else { "s" }
}
