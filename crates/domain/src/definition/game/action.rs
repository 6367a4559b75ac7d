//! An action of a game, compiled, and the parameters that it takes.

use std::collections::BTreeMap;

use crate::JsonMap;
use crate::definition::document::{ActionSpec, ValueSpec};
use crate::definition::{canonical, params};
use crate::entity::EntityId;
use crate::request::RequestContext;
use crate::rules::plan::CompiledAction;

/// An action, compiled.
#[derive(Debug)]
pub struct Action {
    pub(in crate::definition) name: String,
    pub(in crate::definition) description: Option<String>,
    pub(in crate::definition) params: BTreeMap<String, ValueSpec>,
    pub(in crate::definition) routes: Vec<Route>,
    pub(in crate::definition) rules: CompiledAction,
}

impl Action {
    pub(in crate::definition) fn new(name: &str, spec: &ActionSpec, rules: CompiledAction) -> Self {
        let routes = spec
            .routes
            .iter()
            .map(|route| Route {
                method: route.method.clone(),
                path: route.path.clone(),
            })
            .collect();
        Self {
            name: name.to_owned(),
            description: spec.description.clone(),
            params: spec.params.clone(),
            routes,
            rules,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it does, for people.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// What it takes: parameter name to type and bounds.
    pub fn params(&self) -> &BTreeMap<String, ValueSpec> {
        &self.params
    }

    /// The game's own routes for it.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The counters (entities of type [`crate::entity::COUNTER_TYPE`]) that must be in the snapshot before
    /// [`crate::rules::entities`] is called; empty when the action draws no ids.
    pub fn counters(&self) -> &[EntityId] {
        self.rules.counters()
    }

    /// Its compiled rules.
    pub(crate) fn rules(&self) -> &CompiledAction {
        &self.rules
    }

    /// Checks and converts what a request brought: `text` pairs from a query string or form (converted by declared type),
    /// `json` from a JSON body (types must match; it wins over `text`). Defaults are filled in, absent nullable parameters are null.
    /// With `strict`, unknown names are an error; else they are ignored. A text parameter that is given twice is an error.
    /// Conditions of `validate` are checked too, over `context`.
    pub fn parse_params(
        &self,
        text: &[(String, String)],
        json: Option<&JsonMap>,
        context: &RequestContext,
        strict: bool,
    ) -> Result<Params, ParamProblem> {
        let params = params::parse(&self.params, text, json, strict)?;
        match self.rules.validate(params.values(), context) {
            Ok(()) => Ok(params),
            Err(broken) => Err(ParamProblem {
                code: broken.code,
                detail: broken.message,
                pointer: String::new(),
            }),
        }
    }
}

/// One HTTP route of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Upper case.
    pub method: String,
    /// A literal path.
    pub path: String,
}

/// Parameters that have been checked: every declared name is present, with a value of its type or null where nullable.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Params(pub(crate) JsonMap);

impl Params {
    /// The values by name.
    pub fn values(&self) -> &JsonMap {
        &self.0
    }

    /// SHA-256 of the canonical JSON of the values, in hexadecimal: equal for equal parameters, however they were sent.
    /// Persisted with idempotency keys.
    pub fn fingerprint(&self) -> String {
        canonical::sha256_hex(&serde_json::Value::Object(self.0.clone()))
    }
}

/// Why parameters can't be taken: HTTP 400, not recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct ParamProblem {
    /// `missing_parameter`, `wrong_type`, `out_of_bounds`, `unknown_parameter`, `duplicate_parameter`, `too_deep`, or a
    /// `validate` rule's code.
    pub code: String,
    /// Which one, what was expected and what came.
    pub detail: String,
    /// JSON pointer to the parameter, such as `/player_1/gold`.
    pub pointer: String,
}
