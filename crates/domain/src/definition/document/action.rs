//! Actions as they are declared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::{Expr, ValueSpec};

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
