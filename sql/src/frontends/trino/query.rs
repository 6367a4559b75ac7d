//! `/v1/query` and the page that `infoUri` points to.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::super::Shared;
use crate::engine::history::QueryInfo;
use crate::error::{ErrorCode, QueryError};

fn described(info: &QueryInfo, now: i64) -> Value {
    let progress = info.progress();
    json!({
        "queryId": info.id,
        "state": info.state().name(),
        "query": info.sql,
        "session": {"user": info.user, "source": info.source},
        "queryStats": {
            "elapsedTime": format!("{}ms", info.elapsed_millis(now)),
            "processedInputPositions": progress.rows,
            "physicalInputDataSize": format!("{}B", progress.bytes),
            "peakUserMemoryReservation": format!("{}B", progress.peak_memory),
        },
        "failureInfo": info.error().map(|error| json!({"type": error.code.name(), "message": error.message()})),
        "errorCode": info.error().map(|error| json!({"code": error.code.number(), "name": error.code.name()})),
    })
}

pub(crate) async fn list(State(shared): State<Shared>) -> Json<Value> {
    let now = shared.engine.clock().now_micros();
    Json(
        shared
            .engine
            .history
            .all()
            .iter()
            .map(|info| described(info, now))
            .collect(),
    )
}

pub(crate) async fn one(State(shared): State<Shared>, Path(id): Path<String>) -> Response {
    match shared.engine.history.find(&id) {
        Some(info) => Json(described(&info, shared.engine.clock().now_micros())).into_response(),
        None => (StatusCode::GONE, "Query not found").into_response(),
    }
}

pub(crate) async fn kill(State(shared): State<Shared>, Path(id): Path<String>) -> StatusCode {
    if let Some(info) = shared.engine.history.find(&id) {
        info.cancel(QueryError::new(
            ErrorCode::UserCanceled,
            "Query was canceled",
        ));
    }
    StatusCode::NO_CONTENT
}

/// The page of one query, as text: `/ui/query.html?ID`.
pub(crate) async fn page(State(shared): State<Shared>, RawQuery(id): RawQuery) -> Response {
    match id.as_deref().and_then(|id| shared.engine.history.find(id)) {
        Some(info) => {
            let described = described(&info, shared.engine.clock().now_micros());
            serde_json::to_string_pretty(&described)
                .unwrap_or_default()
                .into_response()
        }
        None => (StatusCode::NOT_FOUND, "Query not found").into_response(),
    }
}
