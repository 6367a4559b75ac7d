//! The game's own routes, such as `GET /attack?username=a&enemy=b`: parameters from query, form or JSON; the
//! definition's reply.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, header};

use crate::Api;
use crate::answer::{Answer, Surface};
use crate::execute::{Call, execute};
use crate::idempotency;
use crate::problem::{Problem, codes};
use crate::request::{Brought, context};
use crate::router::GameRoute;

pub(crate) async fn handle(
    State(api): State<Arc<Api>>,
    route: &GameRoute,
    request: Request,
) -> Response {
    if request.method() == Method::OPTIONS {
        return (
            StatusCode::NO_CONTENT,
            [(header::ALLOW, route.allow.clone())],
        )
            .into_response();
    }
    match act(&api, route, request).await {
        Ok(answer) => answer.into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn act(api: &Api, route: &GameRoute, request: Request) -> Result<Answer, Problem> {
    let (parts, body) = request.into_parts();
    // HEAD is not GET here: it must not do what GET does, since an action changes state.
    let action = route
        .actions
        .iter()
        .find(|(method, _)| *method == parts.method);
    let action = action
        .and_then(|(_, name)| api.game.action(name))
        .ok_or_else(|| {
            let detail = format!("{} does not take {}", route.path, parts.method);
            Problem::new(codes::METHOD_NOT_ALLOWED, detail).allowing(route.allow.clone())
        })?;
    let idempotency = idempotency::key(&parts.headers, action.name())?;
    let brought = Brought::read(&api.bodies, &parts, body).await?;
    let context = context(&parts);
    let params = action.parse_params(&brought.text, brought.json.as_ref(), &context, false)?;
    execute(
        api,
        &Call {
            action,
            params: &params,
            context: &context,
            surface: Surface::Game,
            idempotency,
        },
    )
    .await
}
