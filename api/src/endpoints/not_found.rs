//! What no route takes: 404 with similar routes, 405 with the methods that are taken, and `OPTIONS` everywhere.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode};

use crate::problem::{Problem, codes};
use crate::{Api, near};

pub(crate) async fn unknown_route(State(api): State<Arc<Api>>, request: Request) -> Problem {
    let path = request.uri().path();
    let near = near::nearest(path, api.routes.listing(), |route| {
        route.split_once(' ').map_or(route, |(_, path)| path)
    });
    let shown: String = path.chars().take(128).collect();
    Problem::new(
        codes::UNKNOWN_ROUTE,
        format!("nothing is served at {shown:?}; /openapi.json lists all routes"),
    )
    .with("near", near.into())
}

/// The router adds the header `Allow`.
pub(crate) async fn method_not_allowed(request: Request) -> Response {
    if request.method() == Method::OPTIONS {
        return StatusCode::NO_CONTENT.into_response();
    }
    let detail = format!(
        "{} does not take {}",
        request.uri().path(),
        request.method()
    );
    Problem::new(codes::METHOD_NOT_ALLOWED, detail).into_response()
}
