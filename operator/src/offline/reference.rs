//! The reference page of the resources, out of their schema: it can't say anything else than what an API server takes.

use std::fmt::Write as _;

use serde_json::Value;

use crate::crd::{crds, schema_of};

const HEAD: &str = "\
# Custom resources

What can be written in a `GamePipeline`, and how a `Game` becomes a resource. Generated from the schema that the API server uses; `kubectl explain
gamepipeline.spec.kafka` says the same. Defaults are filled in by the API server. A field with a table of its own is an object.
";

/// What the page says of a Game: its fields are the definition's, which has pages of its own.
const GAME: &str = "
Its `spec` is the definition: [your own game](../guides/your-own-game.md) explains it, and `game.schema.json` beside this page is its schema. Files that a
definition names are inlined by `gamepipe game render`:

```sh
gamepipe game render games/arena | kubectl apply -f -
```
";

/// The page.
pub fn reference() -> String {
    let mut page = HEAD.to_owned();
    for crd in crds() {
        let schema = schema_of(&crd);
        let names = &crd.spec.names;
        let _ = write!(
            page,
            "\n## {}\n\n{}\n",
            names.kind,
            text(&schema["description"])
        );
        if names.kind == "Game" {
            page.push_str(GAME);
        } else {
            object(&mut page, &schema["properties"]["spec"], "spec");
        }
        rules(&mut page, &schema);
        object(&mut page, &schema["properties"]["status"], "status");
    }
    page
}

/// The fields of an object, then those of the objects in it.
fn object(page: &mut String, schema: &Value, path: &str) {
    let own = text(&schema["description"]);
    let _ = write!(
        page,
        "\n### {path}\n\n{own}\n\n| field | type | default | meaning |\n|---|---|---|---|\n"
    );
    let required = schema["required"].as_array();
    let fields = || schema["properties"].as_object().into_iter().flatten();
    for (name, field) in fields() {
        let is_required =
            required.is_some_and(|names| names.iter().any(|required| required == name));
        let default = match &field["default"] {
            Value::Null if is_required => "required".to_owned(),
            Value::Null => String::new(),
            Value::Object(_) => "see below".to_owned(),
            Value::String(text) if text.is_empty() => "empty".to_owned(),
            Value::String(text) => format!("`{text}`"),
            other => format!("`{other}`"),
        };
        let _ = writeln!(
            page,
            "| `{name}` | {} | {default} | {}{} |",
            kind(field),
            cell(&field["description"]),
            bounds(field)
        );
    }
    rules(page, schema);
    for (name, field) in fields() {
        rules(page, &field_rules(name, field));
    }
    for (name, field) in fields() {
        let path = format!("{path}.{name}");
        // Kubernetes' own types are documented by Kubernetes.
        let is_theirs = matches!(name.as_str(), "conditions" | "tolerations");
        if field["properties"].is_object() {
            object(page, field, &path);
        } else if field["items"]["properties"].is_object() && !is_theirs {
            object(page, &field["items"], &format!("{path}[]"));
        }
    }
}

/// A field's own rules, unless it is an object, whose rules stand with its table.
fn field_rules(name: &str, field: &Value) -> Value {
    let mut named = Value::Null;
    if !field["properties"].is_object() && field["x-kubernetes-validations"].is_array() {
        named["x-kubernetes-validations"] = field["x-kubernetes-validations"].clone();
        named["field"] = name.into();
    }
    named
}

fn rules(page: &mut String, schema: &Value) {
    let field = schema["field"]
        .as_str()
        .map(|name| format!("`{name}`: "))
        .unwrap_or_default();
    let rules = schema["x-kubernetes-validations"]
        .as_array()
        .into_iter()
        .flatten();
    for rule in rules {
        let _ = write!(page, "\n- Rule: {field}{}", text(&rule["message"]));
    }
    if schema["x-kubernetes-validations"].is_array() {
        page.push('\n');
    }
}

fn kind(field: &Value) -> String {
    if field["x-kubernetes-int-or-string"] == true {
        return "amount".to_owned();
    }
    match field["type"].as_str() {
        Some("array") => format!("list of {}", kind(&field["items"])),
        Some("object") if field["additionalProperties"].is_object() => {
            format!("map to {}", kind(&field["additionalProperties"]))
        }
        Some("string") if field["format"] == "date-time" => "time".to_owned(),
        Some(name) => name.to_owned(),
        None => "any".to_owned(),
    }
}

/// Choices and bounds, in words.
fn bounds(field: &Value) -> String {
    let mut words = String::new();
    if let Some(choices) = field["enum"].as_array() {
        let names: Vec<String> = choices
            .iter()
            .filter(|choice| !choice.is_null())
            .map(|choice| format!("`{}`", text(choice)))
            .collect();
        let _ = write!(words, " One of {}.", names.join(", "));
    }
    let number = |bound: &str| field[bound].as_f64();
    match (number("minimum"), number("maximum")) {
        (Some(least), Some(most)) => drop(write!(words, " From {least} to {most}.")),
        (Some(least), None) => drop(write!(words, " At least {least}.")),
        (None, Some(most)) => drop(write!(words, " At most {most}.")),
        (None, None) => {}
    }
    words
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('\n', " ")
}

/// A text within a table.
fn cell(value: &Value) -> String {
    text(value).replace('|', "\\|")
}
