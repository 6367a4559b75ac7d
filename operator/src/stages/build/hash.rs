//! What a pod mounts or has in its environment, and the hash of it. A pod is replaced when, and only when, that changes.

use std::collections::BTreeMap;

use crate::stages::component::sha256_hex;
use crate::stages::validated::ValidatedPipeline;

/// How many digits of the hash stand in the annotation: enough that no two contents of a pipeline meet.
const DIGITS: usize = 16;

/// Contents by a name of their own.
#[derive(Debug, Default)]
pub(super) struct Mounted(BTreeMap<String, String>);

impl Mounted {
    /// Every file of a ConfigMap that is mounted.
    pub(super) fn files(&mut self, map: &str, data: &BTreeMap<String, String>) {
        for (file, text) in data {
            self.0.insert(format!("{map}/{file}"), text.clone());
        }
    }

    /// A value of a user's Secret, by the hash of it.
    pub(super) fn secret(&mut self, pipeline: &ValidatedPipeline, secret: &str, key: &str) {
        let known = pipeline.secrets.get(secret).and_then(|keys| keys.get(key));
        if let Some(hash) = known {
            self.0
                .insert(format!("secret {secret}/{key}"), hash.clone());
        }
    }

    /// The hash of all of it.
    pub(super) fn hash(&self) -> String {
        // JSON of a map of texts is one to one, so no two contents give the same bytes.
        let bytes = serde_json::to_vec(&self.0).unwrap_or_default();
        let mut hash = sha256_hex(&bytes);
        hash.truncate(DIGITS);
        hash
    }
}
