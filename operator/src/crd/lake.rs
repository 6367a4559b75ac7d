//! `spec.lake`: where the tables are.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::storage::Storage;

/// The lake. Give `s3` or `volume`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.s3) != has(self.volume)")
    .message("give exactly one of s3 (a bucket) and volume (a volume that streamers and SQL share)"))]
#[x_kube(validation = Rule::new("has(self.s3) == has(oldSelf.s3)")
    .message("a lake can't move between a bucket and a volume: its tables would be left behind; make a new GamePipeline for the other"))]
pub struct LakeSpec {
    /// A bucket of an S3-compatible store that honours conditional puts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3Lake>,
    /// A volume that streamers and SQL share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<LakeVolume>,
}

/// A lake in a bucket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.endpoint.startsWith('http://') || self.allowHttp")
    .message("this endpoint has no TLS: use https://, or set allowHttp: true when the network is yours").field_path(".endpoint"))]
pub struct S3Lake {
    /// The bucket. Can't be changed.
    #[schemars(
        length(min = 3, max = 63),
        regex(pattern = "^[a-z0-9][a-z0-9.-]*[a-z0-9]$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the bucket can't be changed: the tables would be left behind; make a new GamePipeline for the other bucket"))]
    pub bucket: String,
    /// The folder in the bucket. Each pipeline needs its own. Can't be changed.
    #[schemars(
        length(min = 1, max = 512),
        regex(pattern = "^[a-zA-Z0-9_.-]+(/[a-zA-Z0-9_.-]+)*$")
    )]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("the prefix can't be changed: the tables would be left behind; make a new GamePipeline for the other prefix"))]
    pub prefix: String,
    /// The store's address, such as `https://minio.storage.svc:9000`; empty: AWS, by its region.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = "^(https?://[^\\s/]+)?$"))]
    pub endpoint: String,
    /// The region.
    #[serde(default = "S3Lake::region")]
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Allow an endpoint without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// The bucket's name is part of the host's name rather than of the path.
    #[serde(default)]
    pub virtual_hosted: bool,
    /// A Secret with the keys `accessKeyId` and `secretAccessKey`. Absent: the identity of the workload, see `serviceAccountAnnotations`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub credentials_secret: Option<String>,
    /// Annotations of the service accounts of streamers and SQL, with which a cloud gives them an identity, such as
    /// `eks.amazonaws.com/role-arn`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "super::pods::texts")]
    pub service_account_annotations: BTreeMap<String, String>,
}

impl S3Lake {
    fn region() -> String {
        "us-east-1".to_owned()
    }
}

/// A lake on a volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LakeVolume {
    /// The volume. `retention.whenDeleted` decides about the tables when the GamePipeline is deleted.
    pub storage: Storage,
    /// `ReadWriteMany` for pods on several nodes (NFS, CephFS, a cloud's file store); `ReadWriteOnce` keeps streamers and SQL on one node. Can't
    /// be changed.
    #[serde(default)]
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("accessMode can't be changed on a volume that is there; write the one that it has"))]
    pub access_mode: AccessMode,
}

/// Who may mount a volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// Pods on any number of nodes.
    #[default]
    ReadWriteMany,
    /// Pods on one node.
    ReadWriteOnce,
}

impl AccessMode {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadWriteMany => "ReadWriteMany",
            Self::ReadWriteOnce => "ReadWriteOnce",
        }
    }
}
