//! Rules: from a snapshot and a request to a decision. Pure.
//!
//! At load, [`compile`] checks the types of every expression and turns it into a form that is quick to evaluate. The
//! language is CEL, parsed by the `cel` crate; the functions are in [`functions::TABLE`].
//!
//! The order of a decision, and of its random draws: entity keys by name, `key`, `require`, `let` values by dependency
//! and name, `when` of the cases up to the first that holds, then that case's `set`, `add`, `transfer`, `emit`, `reply`.
//!
//! The order of calls: load [`crate::definition::game::Action::counters`], ask [`entities`] which entities the action
//! touches, load them into the same [`Snapshot`], then [`decide`].

mod apply;
pub mod cases;
mod catalogs;
mod check;
pub mod compile;
mod decide;
mod effects;
mod eval;
mod fault;
pub mod functions;
mod input;
mod node;
pub mod plan;
pub mod random;
mod shown;
pub mod simulation;
mod types;
mod value;

use crate::JsonMap;
use crate::definition::Game;
use crate::definition::game::{Action, Params};
use crate::entity::{EntityId, Snapshot};
use crate::event::{Event, Origin};
use crate::request::RequestContext;
use crate::time::Timestamp;
use input::Input;

pub use fault::FAULT_CODES;
pub use input::Invalid;
pub use shown::shown_state;

/// A request for an action, with everything that the outcome may depend on besides the snapshot.
#[derive(Debug, Clone, Copy)]
pub struct ActionRequest<'a> {
    /// Which action.
    pub action: &'a Action,
    /// Its checked parameters.
    pub params: &'a Params,
    /// What the request brought besides.
    pub context: &'a RequestContext,
    /// The seed of everything random in the decision, event ids included.
    pub seed: u64,
    /// The decision's time; its events carry it.
    pub now: Timestamp,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Done, or refused.
    pub outcome: Outcome,
    /// The entities that change, with their whole new state. Empty when refused. Counters included.
    pub writes: Vec<EntityWrite>,
    /// What is recorded: the outcome's events, or one `action_rejected`.
    pub events: Vec<Event>,
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It happened.
    Done {
        /// What the definition replies: a string is sent as text, anything else as JSON; `None` when it says nothing.
        reply: Option<serde_json::Value>,
        /// The action's entities after it, by the name that rules use.
        entities: Vec<(String, EntityId, JsonMap)>,
    },
    /// It did not happen, nothing changed, and an `action_rejected` event says so.
    Refused(Refusal),
}

/// Why an action did not happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// Which sort, for the HTTP status.
    pub kind: RefusalKind,
    /// A stable code: the rule's own; `unknown_entity` or `name_taken`, when an entity is not there or is there already;
    /// else one of [`FAULT_CODES`], when the outcome has no value or may not be. Clients branch on it, so it never changes.
    pub code: String,
    /// Why, for people.
    pub message: String,
}

/// The sorts of refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// An entity does not exist: 404.
    UnknownEntity,
    /// An entity exists already: 409.
    NameTaken,
    /// A rule, a bound, a capacity or arithmetic forbids it: 409.
    Rule,
}

/// An entity's new state.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityWrite {
    /// Which entity.
    pub id: EntityId,
    /// All its fields after the change.
    pub state: JsonMap,
}

/// Which entities the action touches, resolved from the request. `snapshot` must hold the action's counters.
/// Keys are at most [`MAX_KEY_BYTES`] long, not empty and without control characters, else the action is refused.
pub fn entities(
    game: &Game,
    request: &ActionRequest<'_>,
    snapshot: &Snapshot,
) -> Result<Vec<EntityId>, Refusal> {
    decide::entities(&Input::of(game, request), snapshot)
}

/// The longest key of an entity, in bytes: enough for a host name (253), small enough to be a key of any store.
pub const MAX_KEY_BYTES: usize = 256;

/// Decides what the action does. `snapshot` must hold the counters and all of [`entities`].
pub fn decide(game: &Game, request: &ActionRequest<'_>, snapshot: &Snapshot) -> Decision {
    decide::decide(&Input::of(game, request), snapshot)
}

/// The decision again, from what an event recorded of it: `request` must have the seed, the time, the parameters and the
/// context of then, `snapshot` the state of then, and `origin` must be of this game's version, else there is no answer.
pub fn replay(
    game: &Game,
    origin: &Origin,
    request: &ActionRequest<'_>,
    snapshot: &Snapshot,
) -> Option<Decision> {
    let is_same = origin.rules == game.version() && origin.action == request.action.name();
    is_same.then(|| {
        decide(
            game,
            &ActionRequest {
                seed: origin.seed,
                ..*request
            },
            snapshot,
        )
    })
}

/// The decision for a request whose [`entities`] could not be resolved: refused, with its `action_rejected` event.
pub fn refuse(game: &Game, request: &ActionRequest<'_>, refusal: Refusal) -> Decision {
    decide::refuse(&Input::of(game, request), refusal)
}

#[cfg(test)]
mod tests;
