//! The front ends: plain HTTP, Trino's protocol, and a page that says what can be called.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};

use crate::engine::Engine;

mod index;
pub(crate) mod plain;
mod problem;
mod queries;
pub(crate) mod trino;

use trino::statements::Statements;

/// A request's body is at most the longest statement, written in JSON with every letter escaped.
const BODY_PER_SQL_BYTE: usize = 6;

/// What all handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Shared {
    pub(crate) engine: Arc<Engine>,
    pub(crate) statements: Arc<Statements>,
}

/// The table of contents of this endpoint.
pub(crate) fn router(shared: Shared) -> Router {
    let body_limit = shared
        .engine
        .config()
        .max_sql_bytes
        .saturating_mul(BODY_PER_SQL_BYTE);
    Router::new()
        .route("/", get(index::index))
        .route("/sql", post(plain::post_sql).get(plain::get_sql))
        .route("/queries", get(queries::list))
        .route("/queries/{name}", get(queries::run))
        .route("/reports", get(queries::reports))
        .route(
            "/v1/statement",
            post(trino::submit::submit).head(trino::info::ok),
        )
        .route(
            "/v1/statement/{phase}/{id}/{slug}/{token}",
            get(trino::poll::poll)
                .delete(trino::cancel::cancel)
                .head(trino::info::ok),
        )
        .route(
            "/v1/statement/executing/partialCancel/{id}/{stage}/{slug}/{token}",
            delete(trino::cancel::partial),
        )
        .route("/v1/info", get(trino::info::info))
        .route("/v1/info/state", get(trino::info::state))
        .route("/v1/query", get(trino::query::list))
        .route(
            "/v1/query/{id}",
            get(trino::query::one).delete(trino::query::kill),
        )
        .route("/ui/query.html", get(trino::query::page))
        .fallback(unknown_route)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(DefaultBodyLimit::max(body_limit))
        .with_state(shared)
}

/// How much of a path is repeated to whoever asked for it, in characters.
const PATH_SHOWN: usize = 128;

async fn unknown_route(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(PATH_SHOWN).collect();
    let detail = format!("nothing is served at {path:?} of the SQL endpoint; GET / says what is");
    problem::refusal(StatusCode::NOT_FOUND, "unknown_route", &detail)
}

/// The router adds the header `Allow`.
async fn method_not_allowed(request: Request) -> Response {
    let path: String = request.uri().path().chars().take(PATH_SHOWN).collect();
    let detail = format!(
        "{path} does not take {}; GET / says what can be called",
        request.method()
    );
    problem::refusal(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        &detail,
    )
}
