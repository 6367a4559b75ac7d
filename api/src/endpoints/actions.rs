//! `POST /v1/actions/{action}`: an action with JSON parameters, answered with all there is to know.

use std::sync::Arc;

use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};

use crate::answer::{Answer, Surface};
use crate::execute::{Call, execute};
use crate::problem::{Problem, codes};
use crate::request::{context, is_json, media_type};
use crate::{Api, idempotency, json, near};

pub(crate) async fn handle(
    State(api): State<Arc<Api>>,
    Path(name): Path<String>,
    request: Request,
) -> Response {
    match act(&api, &name, request).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn act(api: &Api, name: &str, request: Request) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    let action = api.game.action(name).ok_or_else(|| unknown(api, name))?;
    if let Some(other) = media_type(&parts.headers).filter(|name| !is_json(name)) {
        let detail = format!("{other:?} is not supported here: send application/json");
        return Err(Problem::new(codes::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let idempotency = idempotency::key(&parts.headers, name)?;
    let body = api.bodies.read(&parts.headers, body).await?;
    let brought = if body.bytes.is_empty() {
        None
    } else {
        Some(json::object(&body.bytes)?)
    };
    let context = context(&parts);
    let params = action.parse_params(&[], brought.as_ref(), &context, true)?;
    execute(
        api,
        &Call {
            action,
            params: &params,
            context: &context,
            surface: Surface::Actions,
            idempotency,
        },
    )
    .await
}

fn unknown(api: &Api, name: &str) -> Problem {
    let names = api.game.actions().map(|action| action.name().to_owned());
    let near = near::nearest(name, names, |name| name);
    Problem::new(
        codes::UNKNOWN_ACTION,
        format!("the game {:?} has no action {name:?}", api.game.name()),
    )
    .with("near", near.into())
}
