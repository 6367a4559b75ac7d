//! All settings of a pipeline in one document.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::ApiConfig;
use crate::lake::LakeConfig;
use crate::log::LogConfig;
use crate::sql::SqlConfig;
use crate::state::StateConfig;
use crate::streamer::StreamerConfig;

/// The settings of every part of a pipeline, as a configuration file holds them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The API.
    pub api: ApiConfig,
    /// The SQL endpoint.
    pub sql: SqlConfig,
    /// The streamer.
    pub streamer: StreamerConfig,
    /// The state store.
    pub state: StateConfig,
    /// The event log.
    pub log: LogConfig,
    /// The lake.
    pub lake: LakeConfig,
}
