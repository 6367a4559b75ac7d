//! `GET /v1/entities/{type}/{key}`: an entity as it is now.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::Response;
use gamepipe_domain::entity::EntityId;
use gamepipe_domain::rules::shown_state;

use crate::Api;
use crate::answer;
use crate::problem::{Problem, codes};

pub(crate) async fn handle(
    State(api): State<Arc<Api>>,
    Path((entity_type, key)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let Some(declared) = api.game.entities().get(&entity_type) else {
        let known: Vec<&str> = api.game.entities().keys().map(String::as_str).collect();
        let detail = format!(
            "the game has no entity type {entity_type:?}; it has {}",
            known.join(", ")
        );
        return Err(Problem::new(codes::UNKNOWN_ENTITY_TYPE, detail));
    };
    let id = EntityId { entity_type, key };
    let found = api
        .state
        .load(std::slice::from_ref(&id))
        .await?
        .pop()
        .flatten();
    let entity = found.ok_or_else(|| {
        Problem::new(
            codes::UNKNOWN_ENTITY,
            format!("there is no {} {:?}", id.entity_type, id.key),
        )
    })?;
    let state = shown_state(&declared.state, &entity.state);
    Ok(answer::json(
        answer::entity(&id, entity.version, &state).to_string(),
    ))
}
