//! Whether an object that is there already has every field of what it should be.
//!
//! Server-side apply would find that out too, but only as a request that costs the API server more than a read, for each child of each pipeline
//! after each restart. What is compared is what an apply would set: a field that is not in the intent is somebody else's (a default, an injected
//! container) and stays. What the intent no longer has is found by its hash, which is one of its fields.
//!
//! A difference that is none (the API server writes some values its own way) only costs an apply that changes nothing.

use serde_json::Value;

use crate::crd::amount::parse;

/// Lists of objects into which others may put items of their own. All other lists belong to who applied them.
const SHARED_LISTS: [&str; 9] = [
    "containers",
    "env",
    "imagePullSecrets",
    "initContainers",
    "ownerReferences",
    "ports",
    "topologySpreadConstraints",
    "volumeMounts",
    "volumes",
];

/// Maps that belong to who applied them: one more key selects something else.
const WHOLE_MAPS: [&str; 3] = ["matchLabels", "nodeSelector", "selector"];

/// What the API server adds to rules of a NetworkPolicy, where anything else that is added may open a door.
const DEFAULTED_IN_RULES: [&str; 2] = ["policyTypes", "protocol"];

/// Fields that hold amounts, which the API server writes its own way: `1000m` becomes `1`.
const AMOUNTS: [&str; 5] = ["cpu", "ephemeral-storage", "memory", "sizeLimit", "storage"];

/// The paths at which `live` is not as `intent` wants it, such as `spec.template.spec.containers[0].image`; none when it fits.
pub(super) fn differences(intent: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let strict = intent["kind"] == "NetworkPolicy";
    for (name, wanted) in intent.as_object().into_iter().flatten() {
        let rules = strict && name == "spec";
        compare(name, name, rules, wanted, &live[name], &mut found);
    }
    found
}

fn compare(
    path: &str,
    field: &str,
    whole: bool,
    wanted: &Value,
    there: &Value,
    found: &mut Vec<String>,
) {
    let fits = match (wanted, there) {
        (Value::Object(wanted), Value::Object(there)) => {
            for (name, value) in wanted {
                let below = there.get(name).unwrap_or(&Value::Null);
                compare(&format!("{path}.{name}"), name, whole, value, below, found);
            }
            let complete = |name: &String| {
                wanted.contains_key(name) || (whole && DEFAULTED_IN_RULES.contains(&name.as_str()))
            };
            // The selector of a Service is a map of labels; elsewhere it is an object of such maps.
            !(whole || WHOLE_MAPS.contains(&field)) || there.keys().all(complete)
        }
        (Value::Array(wanted), Value::Array(there)) => {
            return compare_lists(path, field, whole, wanted, there, found);
        }
        (wanted, Value::Null) => is_empty(wanted),
        (Value::String(one), Value::String(other)) if AMOUNTS.contains(&field) => {
            one == other || thousandths(one).is_some_and(|one| Some(one) == thousandths(other))
        }
        (wanted, there) => wanted == there,
    };
    if !fits {
        found.push(path.to_owned());
    }
}

fn compare_lists(
    path: &str,
    field: &str,
    whole: bool,
    wanted: &[Value],
    there: &[Value],
    found: &mut Vec<String>,
) {
    let shared = !whole && SHARED_LISTS.contains(&field);
    if !shared && wanted.len() != there.len() {
        found.push(path.to_owned());
        return;
    }
    let mut from = 0;
    for (index, item) in wanted.iter().enumerate() {
        let below = format!("{path}[{index}]");
        if !shared {
            compare(&below, "", whole, item, &there[index], found);
            continue;
        }
        // The order is kept; others' items may stand in between.
        let fits = |other: &Value| {
            let mut differs = Vec::new();
            compare(&below, "", whole, item, other, &mut differs);
            differs.is_empty()
        };
        match there[from..].iter().position(fits) {
            Some(at) => from += at + 1,
            None => {
                // The item of the same name, if there is one, says what about it differs.
                let named = there
                    .iter()
                    .find(|other| !item["name"].is_null() && other["name"] == item["name"]);
                compare(
                    &below,
                    "",
                    whole,
                    item,
                    named.unwrap_or(&Value::Null),
                    found,
                );
            }
        }
    }
}

/// Nothing and an empty thing are the same to the API server.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// An amount in thousandths of its unit.
fn thousandths(text: &str) -> Option<u64> {
    if let Some(number) = text.strip_suffix('m') {
        return number.parse().ok();
    }
    let digits = text
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    parse(&format!(
        "{whole}{:0<3}{unit}",
        fraction.get(..3).unwrap_or(fraction)
    ))
}

#[cfg(test)]
mod tests;
