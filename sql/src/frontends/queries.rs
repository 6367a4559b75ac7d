//! `GET /queries`, `GET /queries/{name}` and `GET /reports`: the game's own questions.

use axum::Json;
use axum::extract::{Path, Query as FromQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use gamepipe_domain::definition::document::ReportSpec;
use gamepipe_domain::definition::game::Query;
use serde_json::{Value, json};

use super::Shared;
use super::plain::{self, Options};
use super::problem::refusal;
use crate::near::nearest;

pub(super) async fn list(State(shared): State<Shared>) -> Json<Value> {
    let queries = shared.engine.game().queries().iter();
    let entry = |query: &Query| json!({"name": query.name, "title": query.title, "sql": query.sql, "chart": query.chart});
    Json(queries.map(entry).collect())
}

/// `GET /reports`: the game's named groups of questions.
pub(super) async fn reports(State(shared): State<Shared>) -> Json<Value> {
    let game = shared.engine.game();
    let entry = |(name, report): (&String, &ReportSpec)| {
        json!({
            "name": name, "title": report.title, "description": report.description, "queries": report.queries,
        })
    };
    Json(game.document().spec.reports.iter().map(entry).collect())
}

pub(super) async fn run(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    FromQuery(options): FromQuery<Options>,
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
