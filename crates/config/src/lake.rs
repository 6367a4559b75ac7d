//! The lake's settings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the lake is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LakeConfig {
    /// A directory. (Buckets come with the cluster backends.)
    pub path: String,
}
