//! What an action answers, on the game's own routes and on `/v1/actions`.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use gamepipe_domain::JsonMap;
use gamepipe_domain::entity::{EntityId, Snapshot, Version};
use gamepipe_domain::rules::{Decision, Outcome};
use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::Value;

use crate::problem::{self, Problem};

/// The header that names the events of a decision.
pub const EVENT_IDS: HeaderName = HeaderName::from_static("gamepipe-event-ids");
/// The header that marks a replayed reply.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// Who asks, and so the form of the reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// The game's own route: the definition's reply.
    Game,
    /// `/v1/actions`: all there is to know, as JSON.
    Actions,
}

impl Surface {
    /// A short stable name, part of stored fingerprints.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Game => "game",
            Self::Actions => "actions",
        }
    }
}

/// A decision's reply.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) body: Bytes,
    pub(crate) event_ids: Vec<String>,
    pub(crate) replayed: bool,
}

impl Answer {
    /// The reply to `decision`, which was made on `snapshot`.
    pub(crate) fn of(
        surface: Surface,
        action: &str,
        decision: &Decision,
        snapshot: &Snapshot,
    ) -> Self {
        let event_ids: Vec<String> = decision
            .events
            .iter()
            .map(|event| event.id.clone())
            .collect();
        let (status, content_type, body) = match &decision.outcome {
            Outcome::Refused(refusal) => {
                let problem = Problem::from(refusal);
                (problem.status(), problem::CONTENT_TYPE, problem.to_json())
            }
            Outcome::Done {
                reply: Some(reply), ..
            } if surface == Surface::Game => match reply {
                Value::String(text) => (StatusCode::OK, TEXT, text.clone().into_bytes()),
                other => (StatusCode::OK, JSON, other.to_string().into_bytes()),
            },
            Outcome::Done { reply, entities } => {
                let body = full(
                    action,
                    &event_ids,
                    reply.as_ref(),
                    entities,
                    decision,
                    snapshot,
                );
                (StatusCode::OK, JSON, body)
            }
        };
        Self {
            status,
            content_type: content_type.into(),
            body: body.into(),
            event_ids,
            replayed: false,
        }
    }
}

/// `{"action", "event_ids", "reply", "entities"}`.
fn full(
    action: &str,
    event_ids: &[String],
    reply: Option<&Value>,
    entities: &[(String, EntityId, JsonMap)],
    decision: &Decision,
    snapshot: &Snapshot,
) -> Vec<u8> {
    let entities: serde_json::Map<String, Value> = entities
        .iter()
        .map(|(name, id, state)| {
            let before = snapshot.get(id).map_or(0, |entity| entity.version);
            let written = decision.writes.iter().any(|write| write.id == *id);
            (
                name.clone(),
                entity(id, before + Version::from(written), state),
            )
        })
        .collect();
    serde_json::json!({ "action": action, "event_ids": event_ids, "reply": reply, "entities": entities })
        .to_string()
        .into_bytes()
}

/// An entity as every reply shows it.
pub(crate) fn entity(id: &EntityId, version: Version, state: &JsonMap) -> Value {
    serde_json::json!({ "type": id.entity_type, "key": id.key, "version": version, "state": state })
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = Response::new(self.body.into());
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        let content_type = match self.content_type {
            Cow::Borrowed(known) => HeaderValue::from_static(known),
            Cow::Owned(stored) => {
                HeaderValue::try_from(stored).unwrap_or(HeaderValue::from_static(JSON))
            }
        };
        headers.insert(header::CONTENT_TYPE, content_type);
        // Ids are UUIDs, so this can't fail; a reply without the header would still be right.
        if let Ok(ids) = HeaderValue::try_from(self.event_ids.join(",")) {
            headers.insert(EVENT_IDS, ids);
        }
        if self.replayed {
            headers.insert(REPLAYED, HeaderValue::from_static("true"));
        }
        response
    }
}

/// A JSON body that is ready to send.
pub(crate) fn json(body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(body.into().into());
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(JSON));
    response
}
