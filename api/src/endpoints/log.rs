//! `GET /v1/log`: the event log's partitions and their offsets.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::Api;
use crate::answer;
use crate::problem::Problem;

pub(crate) async fn handle(State(api): State<Arc<Api>>) -> Result<Response, Problem> {
    let partitions = api.log.offsets().await?;
    let body = serde_json::json!({
        "topic": api.game.topic(),
        "generation": api.log.generation(),
        "outbox_depth": api.state.outbox_depth().await?,
        "partitions": partitions,
    });
    Ok(answer::json(body.to_string()))
}
