//! Volumes of the components that keep data.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A volume for each pod, or one that pods share.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0")
    .message("a volume can't shrink: write the size that it has, or more").field_path(".size"))]
#[x_kube(validation = Rule::new("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)")
    .message("volumes can't move to another storage class: write storageClassName as it was; to move, make a new pipeline and replay into it"))]
pub struct Storage {
    /// How large, such as `20Gi`. May grow later where the storage class allows it; never shrinks.
    #[schemars(length(max = 16), regex(pattern = "^[1-9][0-9]{0,8}(Mi|Gi|Ti|M|G|T)$"))]
    pub size: String,
    /// The StorageClass; the cluster's default when absent. Can't be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,
    /// What becomes of the volumes when they are no longer used.
    #[serde(default)]
    pub retention: Retention,
}

impl Storage {
    /// A volume of this size with everything else as usual.
    pub(super) fn of(size: &str) -> Self {
        Self {
            size: size.to_owned(),
            storage_class_name: None,
            retention: Retention::default(),
        }
    }
}

/// What becomes of volumes, and of the Secrets that go with their content (a cluster's id, its users).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// When the GamePipeline is deleted. `Retain` keeps everything: a GamePipeline of the same name goes on with it.
    #[serde(default)]
    pub when_deleted: RetentionPolicy,
    /// When there are fewer pods than before. `Retain` keeps the volumes of those that are gone.
    #[serde(default)]
    pub when_scaled: RetentionPolicy,
}

/// Keep or delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RetentionPolicy {
    /// Nothing is lost; somebody has to delete the volumes by hand.
    #[default]
    Retain,
    /// The volumes and what is on them are deleted.
    Delete,
}

impl RetentionPolicy {
    /// As Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
        }
    }
}
