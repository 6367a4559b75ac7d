//! `POST /v1/statement`: takes a statement and says where its pages are.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::super::Shared;
use super::headers::{self, Prefix};
use super::page::{self, Place};
use super::statements::Statement;
use crate::engine::Ask;

pub(crate) async fn submit(
    State(shared): State<Shared>,
    request_headers: HeaderMap,
    sql: String,
) -> Response {
    let Some(prefix) = Prefix::of(&request_headers) else {
        return (
            StatusCode::BAD_REQUEST,
            "both X-Trino- and X-Presto- headers",
        )
            .into_response();
    };
    if sql.trim().is_empty() {
        return (StatusCode::BAD_REQUEST, "SQL statement is empty").into_response();
    }
    let client = match headers::read(&request_headers, prefix) {
        Ok(client) => client,
        Err(problem) => return (StatusCode::BAD_REQUEST, problem).into_response(),
    };
    let ask = Ask {
        sql,
        session: client.session,
        timeout: client.timeout,
        ..Ask::default()
    };
    let query = shared.engine.submit(ask);
    let slug = format!(
        "y{:016x}{:016x}",
        shared.engine.clock().seed(),
        shared.engine.clock().seed()
    );
    let statement = Statement::new(query, slug, prefix, client.knows_precision);
    let place = Place::of(&request_headers);
    let body = page::queued(&statement, &place);
    shared.statements.add(statement);
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
