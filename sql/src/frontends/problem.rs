//! Errors as RFC 9457 problems.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::{ErrorCode, QueryError};

/// The header that names a query.
pub(super) const QUERY_ID: &str = "x-query-id";

/// The reply to a query that failed before its first byte was sent.
pub(super) fn problem(error: &QueryError, query_id: Option<&str>) -> Response {
    let status =
        StatusCode::from_u16(error.code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({
        "type": "about:blank",
        "title": error.code.name(),
        "status": status.as_u16(),
        "code": error.code.name(),
        "detail": error.message(),
        "line": error.position.map(|at| at.line),
        "column": error.position.map(|at| at.column),
        "query_id": query_id,
    });
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    if let Some(id) = query_id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(QUERY_ID, id);
    }
    if matches!(
        error.code,
        ErrorCode::QueryQueueFull | ErrorCode::ServerShuttingDown
    ) {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// A problem that is no failed query.
pub(super) fn refusal(status: StatusCode, code: &str, detail: &str) -> Response {
    let body = json!({"type": "about:blank", "title": code, "status": status.as_u16(), "code": code, "detail": detail});
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    response
}
