//! `DELETE` of a page: the client wants no more.

use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::super::Shared;

pub(crate) async fn cancel(
    State(shared): State<Shared>,
    Path((_, id, slug, _)): Path<(String, String, String, u64)>,
) -> StatusCode {
    shared.statements.cancel(&id, &slug);
    // Also when it is gone already: cancelling twice is no mistake.
    StatusCode::NO_CONTENT
}

/// Cancelling one stage ends the query: there is one stage.
pub(crate) async fn partial(
    State(shared): State<Shared>,
    Path((id, _, slug, _)): Path<(String, u64, String, u64)>,
) -> StatusCode {
    shared.statements.cancel(&id, &slug);
    StatusCode::NO_CONTENT
}
