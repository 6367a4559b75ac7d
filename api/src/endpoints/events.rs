//! `POST /v1/events`: events from clients, one or many; a result for each.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::Response;

use crate::problem::Problem;
use crate::request::{context, media_type};
use crate::{Api, answer, formats, ingest};

pub(crate) async fn handle(
    State(api): State<Arc<Api>>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = api.bodies.read(&parts.headers, body).await?;
    let batch = formats::cut(
        media_type(&parts.headers).as_deref(),
        &body.bytes,
        api.config.max_batch_events,
    )?;
    let results = ingest::ingest(&api, &batch, &context(&parts)).await?;
    Ok(answer::json(results))
}
