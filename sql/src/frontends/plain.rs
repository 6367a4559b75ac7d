//! `/sql`: one statement in, its rows out, in the format that is asked for.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::Shared;
use super::problem::{problem, refusal};
use crate::dialect::parameters::Parameters;
use crate::engine::Ask;
use crate::error::QueryError;
use crate::session::Session;

mod arrow_ipc;
mod csv;
mod encoder;
mod json;
mod ndjson;
mod parquet_file;
mod reply;

use encoder::Format;
pub(crate) use json::write_rows;

/// What a request may say beside the statement, in its URL or its JSON.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Options {
    query: Option<String>,
    format: Option<String>,
    max_rows: Option<u64>,
    timeout_ms: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonRequest {
    sql: String,
    #[serde(default)]
    params: serde_json::Value,
    format: Option<String>,
    max_rows: Option<u64>,
    timeout_ms: Option<u64>,
}

/// `GET /sql?query=`.
pub(super) async fn get_sql(
    State(shared): State<Shared>,
    Query(mut options): Query<Options>,
    headers: HeaderMap,
) -> Response {
    match options.query.take() {
        Some(sql) => answer(&shared, sql, options, &headers).await,
        None => refusal(
            StatusCode::BAD_REQUEST,
            "INVALID_PARAMETER_USAGE",
            "the parameter `query` is missing",
        ),
    }
}

/// `POST /sql` with the statement as text, or as JSON.
pub(super) async fn post_sql(
    State(shared): State<Shared>,
    Query(mut options): Query<Options>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let content_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if content_type
        .split(';')
        .next()
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    {
        let request: JsonRequest = match serde_json::from_slice(&body) {
            Ok(request) => request,
            Err(error) => {
                return refusal(
                    StatusCode::BAD_REQUEST,
                    "INVALID_PARAMETER_USAGE",
                    &format!("the body: {error}"),
                );
            }
        };
        let parameters = match Parameters::from_json(&request.params) {
            Ok(parameters) => parameters,
            Err(error) => return problem(&error, None),
        };
        options.format = options.format.or(request.format);
        options.max_rows = options.max_rows.or(request.max_rows);
        options.timeout_ms = options.timeout_ms.or(request.timeout_ms);
        return run(&shared, request.sql, parameters, options, &headers).await;
    }
    match String::from_utf8(body.to_vec()) {
        Ok(sql) => answer(&shared, sql, options, &headers).await,
        Err(_) => refusal(
            StatusCode::BAD_REQUEST,
            "SYNTAX_ERROR",
            "the statement is not UTF-8",
        ),
    }
}

/// The answer to a statement without parameters.
pub(super) async fn answer(
    shared: &Shared,
    sql: String,
    options: Options,
    headers: &HeaderMap,
) -> Response {
    run(shared, sql, Parameters::default(), options, headers).await
}

async fn run(
    shared: &Shared,
    sql: String,
    parameters: Parameters,
    options: Options,
    headers: &HeaderMap,
) -> Response {
    let format = match choose_format(&options, headers) {
        Ok(format) => format,
        Err(response) => return *response,
    };
    let header = |name: &str| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned)
    };
    let session = Session {
        source: header("user-agent").unwrap_or_default(),
        ..Session::default()
    };
    let timeout = options.timeout_ms.map(Duration::from_millis);
    let query = shared.engine.submit(Ask {
        sql,
        parameters,
        session,
        timeout,
    });
    let id = query.info.id.clone();
    let reply = reply::Reply::new(query, format, options.max_rows, shared.engine.clone());
    match reply.into_response().await {
        Ok(response) => response,
        Err(error) => failed(&error, &id),
    }
}

fn failed(error: &QueryError, id: &str) -> Response {
    problem(error, Some(id))
}

fn choose_format(options: &Options, headers: &HeaderMap) -> Result<Format, Box<Response>> {
    if let Some(name) = &options.format {
        return Format::named(name).ok_or_else(|| {
            let text = format!("format {name:?} is not one of json, ndjson, csv, arrow, parquet");
            Box::new(refusal(
                StatusCode::BAD_REQUEST,
                "INVALID_PARAMETER_USAGE",
                &text,
            ))
        });
    }
    let accept = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .unwrap_or("*/*");
    Format::accepted(accept).ok_or_else(|| {
        let text = format!(
            "none of {accept} can be given; there are {}",
            Format::media_types().join(", ")
        );
        Box::new(refusal(StatusCode::NOT_ACCEPTABLE, "NOT_ACCEPTABLE", &text))
    })
}
