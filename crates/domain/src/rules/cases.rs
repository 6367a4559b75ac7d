//! Rule cases: what an action must do, as data beside a definition (`games/<name>/cases/*.yaml`).
//!
//! A file is a list of cases:
//!
//! ```yaml
//! - name: a dead player can't dig               # a claim
//!   action: dig_for_gold
//!   given:                                      # may be left out, as all that follows but `expect`
//!     entities: {player/alice: {health: 0}}     # `<type>/<key>`; fields that are not given have their defaults
//!     counters: {player: 3}                     # the next id of an entity type
//!   params: {username: alice}                   # as a JSON body
//!   context: {host: a.example:80, user_agent: x, accept: y}
//!   seed: 7                                     # of all that is random; 1
//!   now: 2026-01-02T03:04:05Z                   # 2026-01-01T00:00:00Z
//!   expect:
//!     outcome: refused                          # `done` (when left out), `refused`, or `invalid`: 400, not recorded
//!     code: player_dead                         # of a refused or invalid request
//!     message: alice is dead
//!     state: {player/alice: {health: 0}}        # afterwards; null for an entity that does not exist
//!     counters: {player: 3}
//!     events: [{event_type: action_rejected, key: alice, code: player_dead}]   # all of them, in order
//!     reply: null
//! ```
//!
//! What is stated must match, what is not stated may be anything. Of an entity and of an event those fields are compared
//! that are stated, each as a whole (`items: {}` is an empty bag); of a reply those that are stated at any depth. An event
//! is its data beside `event_type` and `key`.

mod compare;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use serde_json::Value as Json;

use super::types::Fields;
use super::value::Value;
use super::{ActionRequest, Decision, decide, entities};
use crate::JsonMap;
use crate::definition::game::{Action, Params};
use crate::definition::placed::PlacedYaml;
use crate::definition::problem::Problems;
use crate::definition::{Game, did_you_mean};
use crate::entity::{COUNTER_TYPE, Entity, EntityId, Snapshot};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// 2026-01-01T00:00:00Z.
const DEFAULT_NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// What a file of cases is called in errors.
const FILE: &str = "the case file";

/// One case.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it claims.
    pub name: String,
    /// Its line in the file, from 1.
    #[serde(skip)]
    pub line: usize,
    /// The column in that line, from 1.
    #[serde(skip)]
    pub column: usize,
    action: String,
    #[serde(default)]
    given: Given,
    #[serde(default)]
    params: JsonMap,
    #[serde(default)]
    context: Context,
    #[serde(default = "one")]
    seed: u64,
    #[serde(default)]
    now: Option<String>,
    expect: Expected,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    entities: BTreeMap<String, JsonMap>,
    #[serde(default)]
    counters: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Context {
    host: Option<String>,
    user_agent: Option<String>,
    accept: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Expected {
    #[serde(default)]
    outcome: ExpectedOutcome,
    code: Option<String>,
    message: Option<String>,
    #[serde(default)]
    state: BTreeMap<String, Json>,
    #[serde(default)]
    counters: BTreeMap<String, i64>,
    events: Option<Vec<Json>>,
    reply: Option<Json>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ExpectedOutcome {
    #[default]
    Done,
    Refused,
    Invalid,
}

impl ExpectedOutcome {
    /// As a file says it.
    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Invalid => "invalid",
        }
    }
}

fn one() -> u64 {
    1
}

static SCHEMA: LazyLock<Json> = LazyLock::new(|| {
    SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<Vec<Case>>()
        .to_value()
});

/// The cases of a file, or everything that is wrong with it, with line and column. `file` names it in problems.
pub fn read_cases(file: &str, text: &str) -> Result<Vec<Case>, Problems> {
    let yaml = PlacedYaml::read(file, text, FILE)?;
    yaml.check_shape(&SCHEMA)?;
    // The shape is right by now, so an error here is one that JSON Schema can't express.
    let mut cases: Vec<Case> = serde_path_to_error::deserialize(yaml.json()).map_err(|error| {
        let path = error.path().to_string();
        Problems(vec![yaml.problem(&path, error.inner().to_string())])
    })?;
    for (index, case) in cases.iter_mut().enumerate() {
        (case.line, case.column) = yaml.place(&format!("[{index}]"));
    }
    Ok(cases)
}

impl Case {
    /// Decides the case; the error lists everything that is not as expected, a line each.
    pub fn check(&self, game: &Game) -> Result<(), String> {
        let action = game.action(&self.action).ok_or_else(|| {
            let known = game.actions().map(Action::name);
            format!(
                "there is no action `{}`{}",
                self.action,
                did_you_mean(&self.action, known)
            )
        })?;
        let context = RequestContext {
            host: self.context.host.clone(),
            user_agent: self.context.user_agent.clone(),
            accept: self.context.accept.clone(),
        };
        let mut wrong = Vec::new();
        match action.parse_params(&[], Some(&self.params), &context, true) {
            Err(problem) => {
                self.check_outcome(&mut wrong, ExpectedOutcome::Invalid, &problem.detail);
                self.check_code(&mut wrong, &problem.code, &problem.detail);
            }
            Ok(params) => {
                let mut snapshot = self.snapshot(game)?;
                let decision = self.decide(game, action, &params, &context, &mut snapshot)?;
                self.check_decision(&mut wrong, &decision, &snapshot);
            }
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong.join("\n"))
        }
    }

    fn snapshot(&self, game: &Game) -> Result<Snapshot, String> {
        let mut snapshot = Snapshot::default();
        for (id, state) in &self.given.entities {
            let parsed = entity_id(id)?;
            let spec = game.entities().get(&parsed.entity_type);
            let spec = spec.ok_or_else(|| format!("`{id}`: there is no such entity type"))?;
            let fields = Fields::of(&spec.state);
            let unknown = state.keys().find(|name| !spec.state.contains_key(*name));
            if let Some(name) = unknown {
                return Err(format!("`{id}`: there is no field `{name}`"));
            }
            let whole = Value::object_from_json(state, &fields).and_then(|whole| whole.to_json());
            let whole = whole.map_err(|fault| format!("`{id}`: {}", fault.detail()))?;
            let Json::Object(state) = whole else { continue };
            snapshot.insert(parsed, Some(Entity { version: 1, state }));
        }
        for (name, next) in &self.given.counters {
            let state = JsonMap::from_iter([("next".to_owned(), Json::from(*next))]);
            snapshot.insert(counter_id(name), Some(Entity { version: 1, state }));
        }
        Ok(snapshot)
    }

    fn decide(
        &self,
        game: &Game,
        action: &Action,
        params: &Params,
        context: &RequestContext,
        snapshot: &mut Snapshot,
    ) -> Result<Decision, String> {
        let now = match &self.now {
            None => DEFAULT_NOW,
            Some(text) => Timestamp::parse_rfc3339(text)
                .ok_or_else(|| format!("now: `{text}` is not RFC 3339"))?,
        };
        let request = ActionRequest {
            action,
            params,
            context,
            seed: self.seed,
            now,
        };
        Ok(match entities(game, &request, snapshot) {
            Err(refusal) => super::refuse(game, &request, refusal),
            Ok(ids) => {
                for id in ids.into_iter().chain(action.counters().iter().cloned()) {
                    if !snapshot.contains(&id) {
                        snapshot.insert(id, None);
                    }
                }
                decide(game, &request, snapshot)
            }
        })
    }
}

fn entity_id(text: &str) -> Result<EntityId, String> {
    match text.split_once('/') {
        Some((entity_type, key)) => Ok(EntityId {
            entity_type: entity_type.to_owned(),
            key: key.to_owned(),
        }),
        None => Err(format!("`{text}`: an entity is written `<type>/<key>`")),
    }
}

fn counter_id(name: &str) -> EntityId {
    EntityId {
        entity_type: COUNTER_TYPE.to_owned(),
        key: name.to_owned(),
    }
}
