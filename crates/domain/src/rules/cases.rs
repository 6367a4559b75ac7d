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
//! What is stated must match, what is not stated may be anything: objects are compared in the fields that are stated, lists
//! item by item. An event is its data beside `event_type` and `key`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value as Json;

use super::types::Fields;
use super::value::Value;
use super::{ActionRequest, Decision, Outcome, decide, entities};
use crate::JsonMap;
use crate::definition::Game;
use crate::definition::game::{Action, Params};
use crate::entity::{COUNTER_TYPE, Entity, EntityId, Snapshot};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// 2026-01-01T00:00:00Z.
const DEFAULT_NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it claims.
    pub name: String,
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

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    entities: BTreeMap<String, JsonMap>,
    #[serde(default)]
    counters: BTreeMap<String, i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Context {
    host: Option<String>,
    user_agent: Option<String>,
    accept: Option<String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ExpectedOutcome {
    #[default]
    Done,
    Refused,
    Invalid,
}

fn one() -> u64 {
    1
}

/// The cases of a file, or what is wrong with it.
pub fn read_cases(text: &str) -> Result<Vec<Case>, String> {
    let json = crate::definition::read_plain_yaml(text)?;
    serde_path_to_error::deserialize(json)
        .map_err(|error| format!("{}: {}", error.path(), error.inner()))
}

impl Case {
    /// Decides the case; the error lists everything that is not as expected, a line each.
    pub fn check(&self, game: &Game) -> Result<(), String> {
        let action = game
            .action(&self.action)
            .ok_or_else(|| format!("there is no action `{}`", self.action))?;
        let context = RequestContext {
            host: self.context.host.clone(),
            user_agent: self.context.user_agent.clone(),
            accept: self.context.accept.clone(),
        };
        let mut wrong = Vec::new();
        match action.parse_params(&[], Some(&self.params), &context, true) {
            Err(problem) => {
                same(
                    &mut wrong,
                    "outcome",
                    &ExpectedOutcome::Invalid,
                    &self.expect.outcome,
                    &problem.detail,
                );
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

    fn check_code(&self, wrong: &mut Vec<String>, code: &str, message: &str) {
        if let Some(expected) = &self.expect.code {
            same(wrong, "code", &code, &expected.as_str(), message);
        }
        if let Some(expected) = &self.expect.message {
            same(wrong, "message", &message, &expected.as_str(), "");
        }
    }

    fn check_decision(&self, wrong: &mut Vec<String>, decision: &Decision, snapshot: &Snapshot) {
        match &decision.outcome {
            Outcome::Done { reply, .. } => {
                same(
                    wrong,
                    "outcome",
                    &ExpectedOutcome::Done,
                    &self.expect.outcome,
                    "",
                );
                if let Some(expected) = &self.expect.reply {
                    matches(
                        wrong,
                        "reply",
                        expected,
                        reply.as_ref().unwrap_or(&Json::Null),
                    );
                }
            }
            Outcome::Refused(refusal) => {
                same(
                    wrong,
                    "outcome",
                    &ExpectedOutcome::Refused,
                    &self.expect.outcome,
                    &refusal.message,
                );
                self.check_code(wrong, &refusal.code, &refusal.message);
            }
        }
        let state_of = |id: &EntityId| {
            let written = decision
                .writes
                .iter()
                .find(|write| write.id == *id)
                .map(|write| &write.state);
            let state = written.or_else(|| snapshot.get(id).map(|entity| &entity.state));
            state.map_or(Json::Null, |state| Json::Object(state.clone()))
        };
        for (id, expected) in &self.expect.state {
            match entity_id(id) {
                Ok(parsed) => matches(wrong, &format!("state {id}"), expected, &state_of(&parsed)),
                Err(problem) => wrong.push(problem),
            }
        }
        for (name, expected) in &self.expect.counters {
            let expected = serde_json::json!({"next": expected});
            matches(
                wrong,
                &format!("counter {name}"),
                &expected,
                &state_of(&counter_id(name)),
            );
        }
        if let Some(expected) = &self.expect.events {
            let found: Vec<Json> = decision.events.iter().map(flat).collect();
            matches(
                wrong,
                "events",
                &Json::Array(expected.clone()),
                &Json::Array(found),
            );
        }
    }
}

fn flat(event: &crate::event::Event) -> Json {
    let mut fields = event.data.clone();
    fields.insert(
        "event_type".to_owned(),
        Json::from(event.event_type.as_str()),
    );
    fields.insert("key".to_owned(), Json::from(event.key.as_str()));
    Json::Object(fields)
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

fn same<T: PartialEq + std::fmt::Debug>(
    wrong: &mut Vec<String>,
    place: &str,
    found: &T,
    expected: &T,
    detail: &str,
) {
    if found != expected {
        wrong.push(
            format!("{place}: expected {expected:?}, found {found:?} {detail}")
                .trim_end()
                .to_owned(),
        );
    }
}

/// Compares what is stated.
fn matches(wrong: &mut Vec<String>, place: &str, expected: &Json, found: &Json) {
    match (expected, found) {
        (Json::Object(fields), Json::Object(actual)) => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                match actual.get(name) {
                    Some(actual) => matches(wrong, &place, value, actual),
                    None => wrong.push(format!("{place}: expected {value}, found nothing")),
                }
            }
        }
        (Json::Array(items), Json::Array(actual)) if items.len() == actual.len() => {
            for (index, (item, actual)) in items.iter().zip(actual).enumerate() {
                matches(wrong, &format!("{place}[{index}]"), item, actual);
            }
        }
        (Json::Number(number), Json::Number(actual)) if number.as_f64() == actual.as_f64() => {}
        (expected, found) if expected == found => {}
        (expected, found) => wrong.push(format!("{place}: expected {expected}, found {found}")),
    }
}
