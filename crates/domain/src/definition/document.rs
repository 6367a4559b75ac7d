//! The definition as it is written: the YAML document and the `Game` custom resource are the same types.
//!
//! Order in maps carries no meaning (a Kubernetes API server does not keep it); where order matters there is a list.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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

/// The kinds of value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueKind {
    /// A whole number of 64 bits.
    Integer,
    /// A 64-bit float.
    Number,
    /// Text.
    #[default]
    String,
    /// True or false.
    Boolean,
    /// A moment, RFC 3339 in JSON.
    Timestamp,
    /// A list of `items`.
    List,
    /// A map from text to `values`.
    Map,
    /// A record of `properties`.
    Object,
    /// Items and how many of each (never negative, zero is dropped), with an optional capacity in units.
    Bag,
}

impl ValueKind {
    /// Its name in a definition.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Boolean => "boolean",
            Self::Timestamp => "timestamp",
            Self::List => "list",
            Self::Map => "map",
            Self::Object => "object",
            Self::Bag => "bag",
        }
    }
}

/// The type and bounds of a value: a parameter, a state field or an event property.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueSpec {
    /// The kind of value; `string` when absent.
    #[serde(rename = "type", default)]
    pub kind: ValueKind,
    /// What it means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The value when none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<serde_json::Value>,
    /// True when null is allowed; a nullable parameter that is absent is null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nullable: bool,
    /// The least number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// The greatest number allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The least length of a string, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// The greatest length of a string, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// The greatest number of items of a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_items: Option<u32>,
    /// The only values allowed.
    #[serde(rename = "enum", default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<Vec<serde_json::Value>>,
    /// The type of a list's items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Box<ValueSpec>>,
    /// The type of a map's values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Box<ValueSpec>>,
    /// The fields of an object.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, ValueSpec>,
    /// How many units a bag holds at most: a number, or the name of an integer field of the same entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
}

/// How many units a bag holds at most.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Capacity {
    /// The same for every entity.
    Units(u64),
    /// The value of this integer field of the same entity.
    Field(String),
}

/// A rule in CEL, or a literal number or boolean. Text is always CEL: a literal string needs quotes of its own, `"'stick'"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Expr {
    /// A literal boolean.
    Boolean(bool),
    /// A literal whole number.
    Integer(i64),
    /// A literal number.
    Number(f64),
    /// A CEL expression.
    Cel(String),
}

/// Something a player can do.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActionSpec {
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The game's own routes, beside `POST /v1/actions/<action>`.
    #[serde(default)]
    pub routes: Vec<RouteSpec>,
    /// What the request must or may bring.
    #[serde(default)]
    pub params: BTreeMap<String, ValueSpec>,
    /// The entities it reads and changes, by the name that rules use.
    #[serde(default)]
    pub entities: BTreeMap<String, EntityRefSpec>,
    /// The key of its events: CEL that gives a string. When absent, the key of the only entity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expr>,
    /// Conditions on the request alone (`params`, `context`, `catalogs`): one that fails is 400 and is not recorded.
    #[serde(default)]
    pub validate: Vec<RequirementSpec>,
    /// Conditions, in order; the first that fails refuses the action (409) and is recorded as `action_rejected`.
    #[serde(default)]
    pub require: Vec<RequirementSpec>,
    /// Named intermediate values, after `require`; they may use one another, in any order without a cycle.
    /// Evaluated once each, in order of dependency, then of name.
    #[serde(rename = "let", default)]
    pub bindings: BTreeMap<String, Expr>,
    /// What happens: the first case whose `when` holds. The last one must have no `when`.
    pub cases: Vec<CaseSpec>,
}

/// One HTTP route of an action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteSpec {
    /// GET, POST, PUT, PATCH or DELETE.
    pub method: String,
    /// A literal path such as `/dig_for_gold`.
    pub path: String,
}

/// Which entity, and whether it must exist. One more key names the entity type and gives the key in CEL: `{player: params.username}`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EntityRefSpec {
    /// `must` (default): unknown is refused. `mustNot`: it is created, and refused when it exists. `any`: created when absent.
    #[serde(default)]
    pub exists: Exists,
    /// Exactly one entry: entity type to key expression.
    #[serde(flatten)]
    pub target: BTreeMap<String, Expr>,
}

/// Whether an entity must exist before the action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Exists {
    /// Refuse the action when it does not exist (404 `unknown_entity`).
    #[default]
    Must,
    /// Create it; refuse the action when it exists (409 `name_taken`).
    MustNot,
    /// Create it with its defaults when it does not exist.
    Any,
}

/// A condition and what is said when it does not hold.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequirementSpec {
    /// CEL that gives a boolean.
    pub rule: Expr,
    /// A stable code, snake case.
    pub code: String,
    /// CEL that gives the text for people.
    pub message: Expr,
}

/// One outcome of an action.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CaseSpec {
    /// CEL that gives a boolean; absent: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expr>,
    /// New values of fields: entity name -> field -> value. All values are computed before any is set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub set: BTreeMap<String, BTreeMap<String, Expr>>,
    /// What is added to fields: a number for a number, a bag (`{'sword': 2}`, negative takes away) for a bag.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub add: BTreeMap<String, BTreeMap<String, Expr>>,
    /// Moves between two entities that happen as a whole or not at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfer: Vec<TransferSpec>,
    /// Events that this outcome records, in order. They see the state before the action as `<entity>.<field>` and
    /// the state after it as `after.<entity>.<field>`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emit: Vec<EmitSpec>,
    /// CEL for the reply of the game's own route: a string is sent as text, anything else as JSON. It sees `after` too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply: Option<Expr>,
}

/// A move of numbers or items from one entity to another. Further keys name fields and the amount in CEL.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct TransferSpec {
    /// The entity that gives.
    pub from: String,
    /// The entity that takes.
    pub to: String,
    /// Field to amount: a number, or a bag of items.
    #[serde(flatten)]
    pub fields: BTreeMap<String, Expr>,
}

/// An event that an outcome records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EmitSpec {
    /// The event's name.
    pub event: String,
    /// CEL for its key when it differs from the action's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expr>,
    /// Its data. A property that is not nullable must be given.
    #[serde(default)]
    pub data: BTreeMap<String, Expr>,
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

/// How simulated players behave. Expressions see `me` and `other` (each `{index: int, name: string, memory: dyn}`),
/// `players` (int), `catalogs`, and the random functions.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimulationSpec {
    /// How many players there are unless told otherwise.
    pub players: u32,
    /// CEL for a player's name from `me.index` (0, 1, ...); `'player' + string(me.index)` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Expr>,
    /// CEL for the `Host` header a player sends; the server's address when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Expr>,
    /// What every player does once, in order, before anything else.
    #[serde(default)]
    pub setup: Vec<SimulationStep>,
    /// What players do then: one is drawn by weight each time.
    pub steps: Vec<SimulationStep>,
}

/// Something a simulated player does.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SimulationStep {
    /// The action.
    pub action: String,
    /// How often it is drawn, relative to the others; 1 when absent.
    #[serde(default = "one")]
    pub weight: u32,
    /// True when the step needs a second player (`other`); neither does anything else meanwhile.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pair: bool,
    /// The parameters, in CEL.
    #[serde(default)]
    pub params: BTreeMap<String, Expr>,
    /// What to remember after a reply with 2xx: `me` or `other` to CEL over `reply` (the reply's JSON) and the players.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub remember: BTreeMap<String, Expr>,
}

fn one() -> u32 {
    1
}
