//! The game's own routes and `/v1/actions`.

use gamepipe_domain::definition::Game;
use gamepipe_domain::definition::document::{ActionSpec, Exists, RequirementSpec};
use gamepipe_domain::definition::game::Action;
use serde_json::{Map, Value, json};

use super::{ALWAYS, WITH_BODY, problem_responses};
use crate::problem::codes::{self, Code};

pub(super) fn add_paths(game: &Game, paths: &mut Map<String, Value>) {
    for action in game.actions() {
        let Some(spec) = game.document().spec.actions.get(action.name()) else {
            continue;
        };
        for route in action.routes() {
            let method = route.method.to_ascii_lowercase();
            let operation = game_operation(action, spec, &method);
            let path = paths.entry(route.path.clone()).or_insert_with(|| json!({}));
            path[method] = operation;
        }
        let path = format!("/v1/actions/{}", action.name());
        paths.insert(path, json!({ "post": action_operation(action, spec) }));
    }
}

fn game_operation(action: &Action, spec: &ActionSpec, method: &str) -> Value {
    let mut operation = json!({
        "operationId": format!("{method}_{}", action.name()),
        "tags": ["game"],
        "parameters": [{ "$ref": "#/components/parameters/IdempotencyKey" }],
        "responses": responses(spec, false, json!({
            "text/plain": { "schema": { "type": "string" } },
            "application/json": { "schema": {} },
        })),
    });
    describe(&mut operation, spec);
    if method == "get" || method == "delete" {
        if let Some(list) = operation["parameters"].as_array_mut() {
            list.extend(query_parameters(action));
        }
    } else {
        operation["requestBody"] = json!({
            "content": {
                "application/json": { "schema": params_schema(action, false) },
                "application/x-www-form-urlencoded": { "schema": params_schema(action, false) },
            },
        });
    }
    operation
}

fn action_operation(action: &Action, spec: &ActionSpec) -> Value {
    let mut operation = json!({
        "operationId": action.name(),
        "tags": ["actions"],
        "parameters": [{ "$ref": "#/components/parameters/IdempotencyKey" }],
        "requestBody": { "content": { "application/json": { "schema": params_schema(action, true) } } },
        "responses": responses(spec, true, json!({
            "application/json": { "schema": { "$ref": "#/components/schemas/ActionReply" } },
        })),
    });
    describe(&mut operation, spec);
    operation
}

fn describe(operation: &mut Value, spec: &ActionSpec) {
    if let Some(description) = &spec.description {
        operation["description"] = Value::from(description.as_str());
    }
}

fn query_parameters(action: &Action) -> impl Iterator<Item = Value> {
    action.params().iter().map(|(name, spec)| {
        json!({ "name": name, "in": "query", "required": spec.is_required(), "schema": spec.to_json_schema() })
    })
}

fn params_schema(action: &Action, closed: bool) -> Value {
    let properties: Map<String, Value> = action
        .params()
        .iter()
        .map(|(name, spec)| (name.clone(), spec.to_json_schema()))
        .collect();
    let required: Vec<&str> = action
        .params()
        .iter()
        .filter(|(_, spec)| spec.is_required())
        .map(|(name, _)| name.as_str())
        .collect();
    let mut schema = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if closed {
        schema["additionalProperties"] = Value::from(false);
    }
    schema
}

fn responses(spec: &ActionSpec, strict: bool, content: Value) -> Map<String, Value> {
    let mut known: Vec<Code> = vec![
        codes::INVALID_IDEMPOTENCY_KEY,
        codes::MISSING_PARAMETER,
        codes::WRONG_TYPE,
        codes::OUT_OF_BOUNDS,
        codes::DUPLICATE_PARAMETER,
        codes::TOO_DEEP,
        codes::ARITHMETIC,
        codes::INSUFFICIENT,
        codes::OVER_CAPACITY,
        codes::MISSING,
        codes::SAME_ENTITY,
        codes::TOO_COMPLEX,
        codes::IN_FLIGHT,
        codes::IDEMPOTENCY_KEY_REUSED,
        codes::UNAVAILABLE,
        codes::CONTENDED,
    ];
    known.push(if strict {
        codes::UNKNOWN_PARAMETER
    } else {
        codes::INVALID_QUERY
    });
    let has = |wanted| spec.entities.values().any(|entity| entity.exists == wanted);
    if has(Exists::Must) {
        known.push(codes::UNKNOWN_ENTITY);
    }
    if has(Exists::MustNot) {
        known.push(codes::NAME_TAKEN);
    }
    if !spec.entities.is_empty() {
        known.push(codes::INVALID_KEY);
    }
    known.extend(WITH_BODY);
    known.extend(ALWAYS);
    let codes = |list: &[RequirementSpec], status| {
        let codes = list
            .iter()
            .map(|requirement| (status, requirement.code.clone()));
        codes.collect::<Vec<(u16, String)>>()
    };
    let rules = [codes(&spec.validate, 400), codes(&spec.require, 409)].concat();
    let rules: Vec<(u16, &str)> = rules
        .iter()
        .map(|(status, code)| (*status, code.as_str()))
        .collect();
    let mut responses = problem_responses(&known, &rules);
    let done = json!({
        "description": "Done, and durable.",
        "headers": {
            "Gamepipe-Event-Ids": { "$ref": "#/components/headers/EventIds" },
            "Idempotent-Replayed": { "$ref": "#/components/headers/Replayed" },
        },
        "content": content,
    });
    responses.insert("200".to_owned(), done);
    for (status, response) in &mut responses {
        if matches!(status.as_str(), "404" | "409") {
            response["headers"] =
                json!({ "Gamepipe-Event-Ids": { "$ref": "#/components/headers/EventIds" } });
        }
    }
    responses
}
