//! `GET /queries` and `GET /queries/{name}`: the game's own questions.

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::{Value, json};

use super::Shared;
use super::plain::{self, Options};
use super::problem::refusal;
use crate::near::nearest;

pub(super) async fn list(State(shared): State<Shared>) -> Json<Value> {
    let queries = shared.engine.game().queries().iter();
    Json(
        queries
            .map(|query| json!({"name": query.name, "title": query.title, "sql": query.sql}))
            .collect(),
    )
}

pub(super) async fn run(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Response {
    let queries = shared.engine.game().queries();
    let Some(query) = queries.iter().find(|query| query.name == name) else {
        let near = nearest(&name, queries.iter().map(|query| query.name.as_str()));
        let hint = near
            .map(|near| format!("; did you mean {near}?"))
            .unwrap_or_default();
        let text = format!("the game has no query called {name}{hint}");
        return refusal(StatusCode::NOT_FOUND, "NOT_FOUND", &text);
    };
    plain::answer(&shared, query.sql.clone(), options, &headers).await
}
