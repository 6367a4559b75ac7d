//! The OpenAPI 3.1 document of one game's API, made from its definition: every route, parameter, reply and problem code.

use std::collections::BTreeMap;

use gamepipe_domain::definition::Game;
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::problem::codes::{self, Code};

mod actions;
mod platform;
mod schemas;

/// The version of gamepipe's own routes.
const API_VERSION: &str = "v1";

/// The document.
pub fn document(game: &Game) -> Value {
    let spec = &game.document().spec;
    let mut paths = Map::new();
    actions::add_paths(game, &mut paths);
    platform::add_paths(game, &mut paths);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": spec.title.as_deref().unwrap_or(game.name()),
            "description": spec.description.as_deref().unwrap_or_default(),
            "version": format!("{API_VERSION}+{}", game.version()),
        },
        "tags": [
            { "name": "game", "description": "The game's own routes." },
            { "name": "actions", "description": "The same actions, answered with all there is to know." },
            { "name": "events", "description": "Telemetry from clients." },
            { "name": "state", "description": "What is stored, and what the event log holds." },
        ],
        "paths": paths,
        "components": schemas::components(game),
    })
}

/// Statuses that mean the same on every route: their responses are shared.
const SHARED: [StatusCode; 6] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::PAYLOAD_TOO_LARGE,
    StatusCode::URI_TOO_LONG,
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    StatusCode::INTERNAL_SERVER_ERROR,
    StatusCode::SERVICE_UNAVAILABLE,
];

/// The responses with problems of these codes, by status; `more` are codes of the game's own rules.
fn problem_responses(codes: &[Code], more: &[(u16, &str)]) -> Map<String, Value> {
    let known = codes.iter().map(|code| {
        (
            code.status.as_u16(),
            format!("- `{}`: {}", code.name, code.meaning),
        )
    });
    let rules = more
        .iter()
        .map(|(status, code)| (*status, format!("- `{code}`: a rule of the game.")));
    let mut by_status: BTreeMap<u16, Vec<String>> = BTreeMap::new();
    for (status, line) in known.chain(rules) {
        by_status.entry(status).or_default().push(line);
    }
    by_status
        .into_iter()
        .map(|(status, lines)| {
            let is_shared = SHARED.iter().any(|shared| shared.as_u16() == status);
            let response = if is_shared {
                json!({ "$ref": format!("#/components/responses/Problem{status}") })
            } else {
                problem_response(&lines)
            };
            (status.to_string(), response)
        })
        .collect()
}

/// The responses that all routes share.
fn shared_responses() -> Map<String, Value> {
    let shared = SHARED.iter().map(|status| {
        let codes = codes::CODES.iter().filter(|code| code.status == *status);
        let lines: Vec<String> = codes
            .map(|code| format!("- `{}`: {}", code.name, code.meaning))
            .collect();
        let mut response = problem_response(&lines);
        if *status == StatusCode::SERVICE_UNAVAILABLE {
            response["headers"] =
                json!({ "Retry-After": { "$ref": "#/components/headers/RetryAfter" } });
        }
        (format!("Problem{}", status.as_u16()), response)
    });
    shared.collect()
}

fn problem_response(lines: &[String]) -> Value {
    json!({
        "description": lines.join("\n"),
        "content": { crate::problem::CONTENT_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } },
    })
}

/// Any request can meet these.
const ALWAYS: [Code; 3] = [codes::URI_TOO_LONG, codes::INTERNAL, codes::OVERLOADED];

/// Any request with a body can meet these.
const WITH_BODY: [Code; 6] = [
    codes::INVALID_BODY,
    codes::INVALID_JSON,
    codes::BODY_TIMEOUT,
    codes::BODY_TOO_LARGE,
    codes::UNSUPPORTED_MEDIA_TYPE,
    codes::UNSUPPORTED_ENCODING,
];

fn statuses(code: &Code) -> String {
    match codes::ALSO_CONFLICT.contains(code) {
        true => format!(
            "{}, {}",
            code.status.as_str(),
            StatusCode::CONFLICT.as_str()
        ),
        false => code.status.as_str().to_owned(),
    }
}

/// The table of codes as Markdown: `docs/reference/api-codes.md`.
pub fn codes_reference() -> String {
    let mut out = String::from(
        "# Codes of the API's problems\n\nEvery reply that is not 2xx is a problem (RFC 9457) with one of these codes, \
         or the code of one of the game's own rules (409) or `validate` conditions (400).\n\n\
         | code | status | meaning |\n|---|---|---|\n",
    );
    let row =
        |name: &str, place: &str, meaning: &str| format!("| `{name}` | {place} | {meaning} |\n");
    out.extend(
        codes::CODES
            .iter()
            .map(|code| row(code.name, &statuses(code), code.meaning)),
    );
    out.push_str("\nThe result of one event in `/v1/events` that is `rejected` has one of these:\n\n| code | meaning |\n|---|---|\n");
    out.extend(
        codes::event::CODES
            .iter()
            .map(|code| format!("| `{}` | {} |\n", code.name, code.meaning)),
    );
    out
}
