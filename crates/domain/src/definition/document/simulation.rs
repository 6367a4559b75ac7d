//! The simulation as it is declared.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::value::Expr;

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
