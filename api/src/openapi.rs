//! The OpenAPI 3.1 document of one game's API, made from its definition: every route, parameter, reply and problem code.

use gamepipe_domain::definition::Game;
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

/// A reply of a known code.
fn problem_responses(codes: &[Code], more: &[(u16, String)]) -> Map<String, Value> {
    let mut by_status: std::collections::BTreeMap<u16, Vec<String>> =
        std::collections::BTreeMap::new();
    for code in codes {
        by_status
            .entry(code.status.as_u16())
            .or_default()
            .push(format!("- `{}`: {}", code.name, code.meaning));
    }
    for (status, line) in more {
        by_status.entry(*status).or_default().push(line.clone());
    }
    by_status
        .into_iter()
        .map(|(status, lines)| {
            let mut response = json!({
                "description": lines.join("\n"),
                "content": { crate::problem::CONTENT_TYPE: { "schema": { "$ref": "#/components/schemas/Problem" } } },
            });
            if status == codes::OVERLOADED.status.as_u16() {
                response["headers"] = json!({ "Retry-After": { "$ref": "#/components/headers/RetryAfter" } });
            }
            (status.to_string(), response)
        })
        .collect()
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

/// The table of codes as Markdown, for the reference.
pub fn codes_reference() -> String {
    let mut out = String::from("| code | status | meaning |\n|---|---|---|\n");
    for code in codes::CODES {
        out.push_str(&format!(
            "| `{}` | {} | {} |\n",
            code.name,
            code.status.as_u16(),
            code.meaning
        ));
    }
    for code in codes::event::CODES {
        out.push_str(&format!(
            "| `{}` | result of one event | {} |\n",
            code.name, code.meaning
        ));
    }
    out
}
