//! Server-side apply, as far as it matters here: who owns which field, and what a field that is no longer applied becomes.

use serde_json::{Map, Value};

/// Lists that are merged item by item, with the fields that tell their items apart. All others are replaced.
const MERGED: [(&str, &[&str]); 10] = [
    ("conditions", &["type"]),
    ("components", &["name"]),
    ("containers", &["name"]),
    ("env", &["name"]),
    ("imagePullSecrets", &["name"]),
    ("initContainers", &["name"]),
    ("ownerReferences", &["uid"]),
    ("topologySpreadConstraints", &["topologyKey"]),
    ("volumeMounts", &["mountPath"]),
    ("volumes", &["name"]),
];

/// Maps that are replaced as a whole.
const WHOLE: [&str; 3] = ["matchLabels", "nodeSelector", "selector"];

/// `live` after a manager that applied `before` applies `intent`.
pub(crate) fn apply(live: &mut Value, before: &Value, intent: &Value) {
    remove("", live, before, intent);
    set("", live, intent);
}

/// Takes out what was applied before and is not now.
fn remove(field: &str, live: &mut Value, before: &Value, intent: &Value) {
    match (live, before) {
        (Value::Object(live), Value::Object(before)) => {
            for (name, old) in before {
                match intent.get(name) {
                    None => drop(live.remove(name)),
                    Some(new) => {
                        if let Some(there) = live.get_mut(name) {
                            remove(name, there, old, new);
                        }
                    }
                }
            }
        }
        (Value::Array(live), Value::Array(before)) if keys(field).is_some() => {
            let wanted = intent.as_array().cloned().unwrap_or_default();
            live.retain(|item| {
                let was = before.iter().any(|old| is_same(field, old, item));
                !was || wanted.iter().any(|new| is_same(field, new, item))
            });
            for item in live {
                let old = before.iter().find(|old| is_same(field, old, item));
                let new = wanted.iter().find(|new| is_same(field, new, item));
                if let Some((old, new)) = old.zip(new) {
                    remove("", item, old, new);
                }
            }
        }
        _ => {}
    }
}

/// Puts in what is applied.
fn set(field: &str, live: &mut Value, intent: &Value) {
    match (&mut *live, intent) {
        (Value::Object(live), Value::Object(intent)) if !WHOLE.contains(&field) => {
            for (name, value) in intent {
                set(name, live.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(live), Value::Array(intent)) if keys(field).is_some() => {
            for new in intent {
                match live.iter_mut().find(|item| is_same(field, new, item)) {
                    Some(item) => set("", item, new),
                    None => live.push(new.clone()),
                }
            }
        }
        _ => *live = intent.clone(),
    }
}

/// A JSON merge patch.
pub(crate) fn merge(live: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *live = patch.clone();
        return;
    };
    if !live.is_object() {
        *live = Value::Object(Map::new());
    }
    let fields = live.as_object_mut().unwrap();
    for (name, value) in patch {
        if value.is_null() {
            fields.remove(name);
        } else {
            merge(fields.entry(name).or_insert(Value::Null), value);
        }
    }
}

fn keys(field: &str) -> Option<&'static [&'static str]> {
    MERGED
        .iter()
        .find(|(name, _)| *name == field)
        .map(|(_, keys)| *keys)
}

fn is_same(field: &str, one: &Value, other: &Value) -> bool {
    keys(field).is_some_and(|keys| keys.iter().all(|key| one[key] == other[key]))
}
