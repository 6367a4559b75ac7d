//! The routes that every game has.

use gamepipe_domain::definition::Game;
use serde_json::{Map, Value, json};

use super::{ALWAYS, WITH_BODY, problem_responses};
use crate::problem::codes::{self, Code};

pub(super) fn add_paths(game: &Game, paths: &mut Map<String, Value>) {
    paths.insert("/v1/events".to_owned(), json!({ "post": events() }));
    let types: Vec<&String> = game.entities().keys().collect();
    let entity = get(
        "get_entity",
        "An entity as it is now.",
        json!([
            path_parameter("type", json!({ "type": "string", "enum": types })),
            path_parameter("key", json!({ "type": "string" }))
        ]),
        json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Entity" } } }),
        &[
            codes::UNKNOWN_ENTITY_TYPE,
            codes::UNKNOWN_ENTITY,
            codes::UNAVAILABLE,
        ],
    );
    paths.insert("/v1/entities/{type}/{key}".to_owned(), entity);
    let object = json!({ "application/json": { "schema": { "type": "object" } } });
    paths.insert(
        "/v1/game".to_owned(),
        get(
            "get_game",
            "The game that is served, with its whole definition.",
            json!([]),
            object.clone(),
            &[],
        ),
    );
    let log = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Log" } } });
    paths.insert(
        "/v1/log".to_owned(),
        get(
            "get_log",
            "The event log's partitions and their offsets.",
            json!([]),
            log,
            &[codes::UNAVAILABLE],
        ),
    );
    paths.insert("/v1/log/{partition}".to_owned(), log_partition());
    paths.insert(
        "/openapi.json".to_owned(),
        get("get_openapi", "This document.", json!([]), object, &[]),
    );
    let text = json!({ "text/plain": { "schema": { "type": "string" } } });
    for (path, what) in [
        ("/livez", "200 while the process runs."),
        (
            "/readyz",
            "200 when every part is well; else 503 and the reasons, one a line.",
        ),
        ("/metrics", "Prometheus metrics."),
    ] {
        let id = format!("get_{}", path.trim_start_matches('/'));
        paths.insert(
            path.to_owned(),
            get(&id, what, json!([]), text.clone(), &[]),
        );
    }
}

fn get(id: &str, what: &str, parameters: Value, content: Value, more: &[Code]) -> Value {
    let known: Vec<Code> = more.iter().copied().chain(ALWAYS).collect();
    let mut responses = problem_responses(&known, &[]);
    responses.insert(
        "200".to_owned(),
        json!({ "description": what, "content": content }),
    );
    json!({ "get": {
        "operationId": id, "tags": ["state"], "summary": what, "parameters": parameters, "responses": responses,
    }})
}

fn path_parameter(name: &str, schema: Value) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": schema })
}

fn log_partition() -> Value {
    let number = |name: &str, default: u64, what: &str| {
        json!({
            "name": name, "in": "query", "description": what,
            "schema": { "type": "integer", "minimum": 0, "default": default },
        })
    };
    get(
        "read_log",
        "Records of the event log, one a line; the header Gamepipe-Next-Offset says where to read on.",
        json!([
            path_parameter("partition", json!({ "type": "integer", "minimum": 0 })),
            number("from", 0, "The first offset."),
            number("max", 1000, "The most records, up to 10000."),
        ]),
        json!({ "application/x-ndjson": { "schema": { "$ref": "#/components/schemas/LogRecord" } } }),
        &[
            codes::INVALID_NUMBER,
            codes::UNKNOWN_PARTITION,
            codes::OFFSET_OUT_OF_RANGE,
            codes::UNAVAILABLE,
        ],
    )
}

fn events() -> Value {
    let one = json!({ "$ref": "#/components/schemas/Event" });
    let cloud = json!({ "$ref": "#/components/schemas/CloudEvent" });
    let known: Vec<Code> = WITH_BODY
        .into_iter()
        .chain(ALWAYS)
        .chain([codes::BATCH_TOO_LARGE, codes::UNAVAILABLE])
        .collect();
    let mut responses = problem_responses(&known, &[]);
    let ok = json!({
        "description": "One result per event, in order. An event with status `retry` is not durable: send it again.",
        "content": { "application/json": { "schema": { "$ref": "#/components/schemas/EventResults" } } },
    });
    responses.insert("200".to_owned(), ok);
    json!({
        "operationId": "post_events",
        "tags": ["events"],
        "summary": "Records events from clients; one bad event never fails its neighbours.",
        "description": "Give every event an `event_id`: one that is sent again is recognised by it and becomes no second row. \
            After a 503, a lost connection or a `retry`, an event may have been recorded or not; sent again without an \
            `event_id`, it may be there twice.",
        "requestBody": { "required": true, "content": {
            "application/json": { "schema": { "oneOf": [one, { "type": "array", "items": one }] } },
            "application/x-ndjson": { "schema": one },
            "application/cloudevents+json": { "schema": cloud },
            "application/cloudevents-batch+json": { "schema": { "type": "array", "items": cloud } },
        }},
        "responses": responses,
    })
}
