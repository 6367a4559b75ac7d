//! The bounds of a schema (ranges, lengths, patterns, numbers of items), checked as an API server checks them. Types and names are checked before, by
//! the shape.

use regex::Regex;
use serde_json::Value;

/// Everything in `value` that is out of the bounds of `schema`, as path and message.
pub(super) fn out_of_bounds(schema: &Value, value: &Value, path: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    walk(schema, value, path, &mut found);
    found
}

fn walk(schema: &Value, value: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let mut report = |message: String| found.push((path.to_owned(), message));
    match value {
        Value::Number(number) => {
            let Some(number) = number.as_f64() else {
                return;
            };
            if let Some(least) = schema["minimum"].as_f64().filter(|least| number < *least) {
                report(format!("must be at least {least}, got {number}"));
            }
            if let Some(most) = schema["maximum"].as_f64().filter(|most| number > *most) {
                report(format!("must be at most {most}, got {number}"));
            }
        }
        Value::String(text) => text_in_bounds(schema, text, &mut report),
        Value::Array(items) => {
            count(schema, "maxItems", items.len(), "items", &mut report);
            for (index, item) in items.iter().enumerate() {
                walk(&schema["items"], item, &format!("{path}[{index}]"), found);
            }
        }
        Value::Object(fields) => {
            count(
                schema,
                "maxProperties",
                fields.len(),
                "entries",
                &mut report,
            );
            for (name, field) in fields {
                let own = schema["properties"].get(name);
                let schema = own.unwrap_or(&schema["additionalProperties"]);
                walk(schema, field, &format!("{path}.{name}"), found);
            }
        }
        Value::Null | Value::Bool(_) => {}
    }
}

fn text_in_bounds(schema: &Value, text: &str, report: &mut impl FnMut(String)) {
    let length = text.chars().count() as u64;
    if let Some(least) = schema["minLength"].as_u64().filter(|least| length < *least) {
        report(match least {
            1 => "must not be empty".to_owned(),
            _ => format!("must have at least {least} characters"),
        });
    }
    if let Some(most) = schema["maxLength"].as_u64().filter(|most| length > *most) {
        report(format!("must have at most {most} characters, got {length}"));
    }
    let pattern = schema["pattern"].as_str();
    let fits = |pattern: &str| Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text));
    if let Some(pattern) = pattern.filter(|pattern| !fits(pattern)) {
        let about = schema["description"].as_str().unwrap_or_default();
        let sentence = about
            .split(". ")
            .next()
            .unwrap_or_default()
            .trim_end_matches('.');
        report(format!(
            "{text:?} does not have the form {pattern} ({sentence})"
        ));
    }
}

fn count(schema: &Value, bound: &str, count: usize, what: &str, report: &mut impl FnMut(String)) {
    if let Some(most) = schema[bound].as_u64().filter(|most| count as u64 > *most) {
        report(format!("must have at most {most} {what}, got {count}"));
    }
}
