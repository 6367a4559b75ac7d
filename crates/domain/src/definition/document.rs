//! The definition as it is written: the YAML document and the `Game` custom resource are the same types.
//!
//! Order in maps carries no meaning (a Kubernetes API server does not keep it); where order matters there is a list.

mod action;
mod simulation;
mod value;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{
    ActionSpec, CaseSpec, EmitSpec, EntityRefSpec, Exists, RequirementSpec, RouteSpec, TransferSpec,
};
pub use simulation::{SimulationSpec, SimulationStep};
pub use value::{Capacity, Expr, ValueKind, ValueSpec};

/// The only `apiVersion` that this release reads.
pub const API_VERSION: &str = "gamepipe.dev/v1alpha1";
/// The only `kind` of a definition.
pub const KIND: &str = "Game";

/// A whole definition file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GameDocument {
    /// Always `gamepipe.dev/v1alpha1`.
    pub api_version: String,
    /// Always `Game`.
    pub kind: String,
    /// The game's name.
    pub metadata: Metadata,
    /// The game.
    pub spec: GameSpec,
}

/// The name of a definition.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// Lower-case letters, digits and `-`, at most 40 characters; it names the SQL schema too (with `_` for `-`).
    pub name: String,
    /// The Kubernetes namespace; says nothing elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Kubernetes labels; say nothing elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Kubernetes annotations; say nothing elsewhere.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// A game: its rules, events, tables and questions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GameSpec {
    /// A short title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What the game is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The event log's topic; `<name>_events` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// Constant data that rules read as `catalogs.<name>.<item>.<field>`. All items of a catalog have the same fields.
    #[serde(default)]
    pub catalogs: BTreeMap<String, BTreeMap<String, BTreeMap<String, serde_json::Value>>>,
    /// Types of keyed state.
    #[serde(default)]
    pub entities: BTreeMap<String, EntitySpec>,
    /// What players can do.
    #[serde(default)]
    pub actions: BTreeMap<String, ActionSpec>,
    /// What is recorded.
    #[serde(default)]
    pub events: BTreeMap<String, EventSpec>,
    /// Where events land.
    #[serde(default)]
    pub tables: BTreeMap<String, TableSpec>,
    /// Named questions in SQL.
    #[serde(default)]
    pub queries: BTreeMap<String, QuerySpec>,
    /// Named groups of queries, in the order of reading.
    #[serde(default)]
    pub reports: BTreeMap<String, ReportSpec>,
    /// How `gamepipe play` behaves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simulation: Option<SimulationSpec>,
}

/// A type of keyed state.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EntitySpec {
    /// What it stands for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its fields; each needs a default unless it is nullable or a list, map or bag (empty by default).
    #[serde(default)]
    pub state: BTreeMap<String, ValueSpec>,
}

/// Who may record an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EventOrigin {
    /// Clients may post it to `/v1/events`.
    Client,
    /// Actions emit it (always allowed).
    Server,
}

/// A kind of event.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EventSpec {
    /// What has happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// `[client]` lets clients post it.
    #[serde(default)]
    pub from: Vec<EventOrigin>,
    /// For events from clients: the property, or `context.host`, whose value is the key (and the partition). The host when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Its data fields. One that is neither nullable nor has a default is required.
    #[serde(default)]
    pub properties: BTreeMap<String, ValueSpec>,
}

/// A table of the lake.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TableSpec {
    /// What a row is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The events that become rows.
    pub from: Vec<String>,
    /// A list property whose items become rows; an empty list makes one row with nulls for the item's columns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<String>,
    /// The columns, in order.
    pub columns: Vec<ColumnSpec>,
}

/// A column of a table.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ColumnSpec {
    /// Lower-cased in the lake, hyphens kept; names that begin with `_` are reserved.
    pub name: String,
    /// The type of what it shows when absent: integer, number, string, boolean, timestamp; list, map, object and bag land as
    /// JSON text. A number column takes integers too; nothing else is converted.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ValueKind>,
    /// Where the value comes from: a data property, `<rows>.<field>` of the item, or one of the envelope's:
    /// `event_id`, `event_type`, `event_time`, `host`, `user_agent`, `accept`, `raw_event`.
    /// When absent: the property of that name; else for `timestamp`, `event_ts` and `event_time` the event's time, for `host`,
    /// `accept`, `user-agent`, `user_agent`, `event_type`, `event_id` and `raw_event` the envelope's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// A named question.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct QuerySpec {
    /// The question, for people.
    pub title: String,
    /// The SQL, in place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
    /// The SQL in a file beside the definition; `gamepipe game render` inlines it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How a report draws it; a table when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chart: Option<ChartSpec>,
}

/// How a result is drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ChartSpec {
    /// The form.
    #[serde(rename = "type")]
    pub kind: ChartKind,
    /// The column with the labels; the first when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// The columns with the numbers; all numeric ones when absent.
    #[serde(default)]
    pub y: Vec<String>,
}

/// The forms of a chart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ChartKind {
    /// One bar per row.
    Bar,
    /// A line over the rows.
    Line,
    /// One large figure.
    Number,
}

/// A named group of queries.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReportSpec {
    /// The report's title.
    pub title: String,
    /// What it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its queries, in order.
    pub queries: Vec<String>,
}
