//! The lake's settings.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the lake is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LakeConfig {
    /// A directory (also one that several machines share), or a bucket: `s3://bucket/prefix`.
    pub path: String,
    /// How to reach the bucket.
    pub s3: S3Config,
}

/// An S3-compatible object store. It must honour conditional puts (`If-None-Match: *`); one that does not is refused at start.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct S3Config {
    /// The store's address, such as `http://127.0.0.1:9000`; empty: AWS, by its region.
    pub endpoint: String,
    /// The region.
    pub region: String,
    /// The access key's id; empty with an empty secret: the identity of the workload (its token file, container or instance).
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
    /// Allow an address without TLS.
    pub allow_http: bool,
    /// The bucket's name is part of the host's name rather than of the path.
    pub virtual_hosted: bool,
    /// How long a request may take before it is given up, in milliseconds. Its outcome is open then.
    pub timeout_ms: u64,
}

impl Default for S3Config {
    fn default() -> Self {
        Self {
            endpoint: String::new(),
            region: "us-east-1".to_owned(),
            access_key_id: String::new(),
            secret_access_key: String::new(),
            allow_http: false,
            virtual_hosted: false,
            timeout_ms: 30_000,
        }
    }
}

impl fmt::Debug for S3Config {
    /// Without the key.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("S3Config")
            .field("endpoint", &self.endpoint)
            .field("region", &self.region)
            .field("allow_http", &self.allow_http)
            .field("virtual_hosted", &self.virtual_hosted)
            .finish_non_exhaustive()
    }
}
