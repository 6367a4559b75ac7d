//! What several routes share: schemas, headers, parameters.

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::game::EventType;
use serde_json::{Map, Value, json};

use crate::idempotency::MAX_KEY_BYTES;
use crate::problem::codes;

pub(super) fn components(game: &Game) -> Value {
    let text = json!({ "type": "string" });
    json!({
        "schemas": schemas(game),
        "responses": super::shared_responses(),
        "parameters": {
            "IdempotencyKey": {
                "name": "Idempotency-Key", "in": "header", "required": false,
                "description": "Scoped to the action and kept for a day (a setting). The same request again gets the same reply.",
                "schema": { "type": "string", "minLength": 1, "maxLength": MAX_KEY_BYTES, "pattern": "^[!-~]+$" },
            },
        },
        "headers": {
            "EventIds": { "description": "The ids of the events that the action recorded, separated by commas.", "schema": text },
            "Replayed": { "description": "`true` when this is the reply of an earlier request with the same Idempotency-Key.", "schema": text },
            "RetryAfter": { "description": "Seconds to wait.", "schema": { "type": "integer" } },
        },
    })
}

fn schemas(game: &Game) -> Map<String, Value> {
    let mut schemas = reply_schemas();
    schemas.extend(event_schemas(game));
    schemas
}

fn object(schemas: Value) -> Map<String, Value> {
    match schemas {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

fn reply_schemas() -> Map<String, Value> {
    let text = json!({ "type": "string" });
    let count = json!({ "type": "integer", "minimum": 0 });
    let codes: Vec<&str> = codes::CODES.iter().map(|code| code.name).collect();
    object(json!({
        "Problem": {
            "type": "object", "required": ["type", "title", "status", "code", "detail"],
            "description": "RFC 9457.",
            "properties": {
                "type": text, "title": text, "status": { "type": "integer" }, "detail": text,
                "code": {
                    "type": "string",
                    "description": "Stable. One of these, or the code of one of the game's rules.",
                    "examples": codes,
                },
                "pointer": { "type": "string", "description": "JSON pointer to the culprit in the request." },
                "near": { "type": "array", "items": text, "description": "Similar names." },
            },
        },
        "Entity": {
            "type": "object", "required": ["type", "key", "version", "state"],
            "properties": { "type": text, "key": text, "version": count, "state": { "type": "object" } },
        },
        "ActionReply": {
            "type": "object", "required": ["action", "event_ids", "reply", "entities"],
            "properties": {
                "action": text, "event_ids": { "type": "array", "items": text }, "reply": {},
                "entities": { "type": "object", "additionalProperties": { "$ref": "#/components/schemas/Entity" } },
            },
        },
        "Log": {
            "type": "object",
            "properties": {
                "topic": text, "generation": text, "outbox_depth": count,
                "partitions": { "type": "array", "items": {
                    "type": "object", "properties": { "partition": count, "low": count, "high": count },
                }},
            },
        },
        "LogRecord": {
            "type": "object",
            "properties": { "partition": count, "offset": count, "key": text, "event": {} },
        },
    }))
}

fn event_schemas(game: &Game) -> Map<String, Value> {
    let text = json!({ "type": "string" });
    object(json!({
        "Event": any_event(game),
        "CloudEvent": {
            "type": "object", "required": ["specversion", "id", "source", "type"],
            "properties": {
                "specversion": { "const": "1.0" }, "id": text, "source": text, "type": text, "subject": text,
                "time": { "type": "string", "format": "date-time" }, "data": { "type": "object" },
            },
        },
        "EventResults": {
            "type": "object", "required": ["results"],
            "properties": { "results": { "type": "array", "items": {
                "type": "object", "required": ["status", "event_id"],
                "properties": {
                    "status": { "enum": ["accepted", "duplicate", "rejected", "retry"] },
                    "event_id": { "type": ["string", "null"] },
                    "code": { "type": "string", "examples": codes::event::CODES.iter().map(|code| code.name).collect::<Vec<_>>() },
                    "detail": text, "pointer": text,
                },
            }}},
        },
    }))
}

fn any_event(game: &Game) -> Value {
    let names: Vec<&str> = client_events(game)
        .map(|event| event.name.as_str())
        .collect();
    if names.is_empty() {
        return json!({ "not": {}, "description": "This game takes no events from clients." });
    }
    let forms: Vec<Value> = client_events(game).map(event_form).collect();
    json!({
        "type": "object", "required": ["event_type"],
        "properties": {
            "event_id": { "type": "string", "description": "Sent again within a day (a setting), it is a duplicate. Made up when absent." },
            "event_type": { "type": "string", "enum": names },
            "event_time": { "type": "string", "format": "date-time", "description": "The time of receipt when absent." },
        },
        "oneOf": forms,
    })
}

fn client_events(game: &Game) -> impl Iterator<Item = &EventType> {
    game.events().filter(|event| event.from_client)
}

fn event_form(event: &EventType) -> Value {
    let mut properties: Map<String, Value> = event
        .properties
        .iter()
        .map(|(name, spec)| (name.clone(), spec.to_json_schema()))
        .collect();
    properties.insert("event_type".to_owned(), json!({ "const": event.name }));
    let required: Vec<&str> = event
        .properties
        .iter()
        .filter(|(_, spec)| spec.is_required())
        .map(|(name, _)| name.as_str())
        .collect();
    let mut form = json!({ "title": event.name, "type": "object", "properties": properties });
    if !required.is_empty() {
        form["required"] = json!(required);
    }
    if let Some(description) = &event.description {
        form["description"] = Value::from(description.as_str());
    }
    form
}
