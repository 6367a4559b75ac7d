//! What every request passes, whatever its route: the bound on requests in flight, the length of its URI, its metrics, and
//! a net under panics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;

use crate::Api;
use crate::problem::{Problem, codes};

/// The longest path and query, in bytes: what proxies in front take too.
pub(crate) const MAX_URI_BYTES: usize = 8 << 10;

/// A request in flight, until this is dropped.
struct InFlight<'a>(&'a Api);

impl<'a> InFlight<'a> {
    fn enter(api: &'a Api) -> Result<Self, Problem> {
        let others = api.in_flight.fetch_add(1, Ordering::AcqRel);
        api.metrics.in_flight.inc();
        let entered = Self(api);
        if others < api.config.max_in_flight {
            return Ok(entered);
        }
        Err(Problem::new(
            codes::OVERLOADED,
            format!("{others} requests are in flight, which is the limit"),
        ))
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
        self.0.metrics.in_flight.dec();
    }
}

/// Guards one request.
pub(crate) async fn guard(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let response = match admit(&api, &request) {
        Ok(_in_flight) => match AssertUnwindSafe(next.run(request)).catch_unwind().await {
            Ok(response) => response,
            Err(_) => {
                // The panic hook has logged what and where.
                tracing::error!(
                    http.route = matched.as_ref().map(MatchedPath::as_str),
                    "a handler panicked"
                );
                Problem::new(
                    codes::INTERNAL,
                    "the server could not answer; its log says why",
                )
                .into_response()
            }
        },
        Err(problem) => problem.into_response(),
    };
    api.metrics.answered(
        matched.as_ref().map(MatchedPath::as_str),
        response.status(),
        started.elapsed(),
    );
    response
}

fn admit<'a>(api: &'a Api, request: &Request) -> Result<InFlight<'a>, Problem> {
    let length = request
        .uri()
        .path_and_query()
        .map_or(0, |uri| uri.as_str().len());
    if length > MAX_URI_BYTES {
        return Err(Problem::new(
            codes::URI_TOO_LONG,
            format!("the URI has {length} bytes; the limit is {MAX_URI_BYTES}"),
        ));
    }
    InFlight::enter(api)
}
