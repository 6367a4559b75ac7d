//! `/v1/info`: what the server says of itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::super::Shared;

pub(crate) async fn info(State(shared): State<Shared>) -> Json<Value> {
    Json(json!({
        "nodeVersion": {"version": crate::TRINO_VERSION},
        "environment": shared.engine.game().name(),
        "coordinator": true,
        "starting": false,
        "uptime": "1.00m",
    }))
}

pub(crate) async fn state() -> Json<&'static str> {
    Json("ACTIVE")
}

/// Answers a probe.
pub(crate) async fn ok() -> StatusCode {
    StatusCode::OK
}
