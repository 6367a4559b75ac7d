//! Events, and their form on the log: one flat JSON object, encoded and decoded here and nowhere else.

pub mod bad;
pub mod client;
mod cloud;
mod codec;

use codec::push_field;
pub use codec::{DecodeError, decode_event, encode_event, encode_event_into};

use crate::JsonMap;
use crate::entity::{Entity, EntityId};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// The event type of every refused action. Its data: `action`, `code`, `message`, `params` (object), `key`.
pub const ACTION_REJECTED: &str = "action_rejected";

/// The JSON names of the envelope. A definition can't declare properties with these names.
pub mod field {
    /// A UUID, or what the client sent.
    pub const EVENT_ID: &str = "event_id";
    /// The event's name.
    pub const EVENT_TYPE: &str = "event_type";
    /// RFC 3339, UTC, microseconds.
    pub const EVENT_TIME: &str = "event_time";
    /// The `Host` header.
    pub const HOST: &str = "Host";
    /// The `User-Agent` header.
    pub const USER_AGENT: &str = "User-Agent";
    /// The `Accept` header.
    pub const ACCEPT: &str = "Accept";
    /// The decision's origin: [`super::Origin`].
    pub const ORIGIN: &str = "_origin";
    /// What no property may be called, whatever the letter case.
    pub const ENVELOPE: [&str; 6] = [EVENT_ID, EVENT_TYPE, EVENT_TIME, HOST, USER_AGENT, ACCEPT];
}

/// An immutable fact.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Unique for ever: a UUID of version 7, or what the client chose.
    pub id: String,
    /// Its kind, as declared; or [`ACTION_REJECTED`].
    pub event_type: String,
    /// When it happened.
    pub time: Timestamp,
    /// The entity that it is about: its place in the log's order.
    pub key: String,
    /// Its data, as declared.
    pub data: JsonMap,
    /// Where it came from.
    pub context: RequestContext,
    /// The decision that made it; `None` for a client's event.
    pub origin: Option<Origin>,
}

/// The event of an action that changed state and emits none of its own: what happened must be on the log. It has no data;
/// its [`Origin::writes`] say what changed.
pub const STATE_CHANGED: &str = "state_changed";

/// What is needed to replay the decision behind an event, and to restore the state after it.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// The action.
    pub action: String,
    /// The decision's seed, in 16 hexadecimal digits on the log.
    pub seed: u64,
    /// [`crate::definition::Game::version`].
    pub rules: String,
    /// The entities as the decision left them, counters included. They stand in the decision's first event; the others have
    /// none.
    pub writes: Vec<(EntityId, Entity)>,
}
