//! `GET` of a page: waits for it up to a second, or gives the last one again.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};

use super::super::Shared;
use super::page::Place;

pub(crate) async fn poll(
    State(shared): State<Shared>,
    Path((phase, id, slug, token)): Path<(String, String, String, u64)>,
    headers: HeaderMap,
) -> Response {
    if phase != "queued" && phase != "executing" {
        return (StatusCode::NOT_FOUND, "Not found").into_response();
    }
    let Some(statement) = shared.statements.find(&id, &slug) else {
        return (StatusCode::NOT_FOUND, "Query not found").into_response();
    };
    statement
        .page(token, &Place::of(&headers), &shared.engine)
        .await
}
