//! `GET /v1/game`: the game that is served, with its whole definition.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Api;
use crate::answer;

pub(crate) async fn handle(State(api): State<Arc<Api>>) -> Response {
    let game = &api.game;
    let spec = &game.document().spec;
    let body = serde_json::json!({
        "name": game.name(),
        "title": spec.title,
        "description": spec.description,
        "version": game.version(),
        "schema": game.schema_name(),
        "topic": game.topic(),
        "document": game.document(),
    });
    answer::json(body.to_string())
}
