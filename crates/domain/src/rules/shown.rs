//! An entity's state as it is shown: with the fields that the definition has now, whenever the state was stored.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::types::{Type, default_of};
use super::value::Value;
use crate::JsonMap;
use crate::definition::document::ValueSpec;

/// The fields that `declared` names: as stored, or their defaults where nothing is stored yet. What is stored under other
/// names is left out, as it is when an action reads the entity. A value of a type that its field no longer has is shown as
/// it is stored.
pub fn shown_state(declared: &BTreeMap<String, ValueSpec>, stored: &JsonMap) -> JsonMap {
    let shown = |spec: &ValueSpec, stored: Option<&Json>| {
        let ty = Type::of(spec);
        let value = match stored {
            Some(json) => match Value::from_json(json, &ty) {
                Ok(value) => Some(value),
                Err(_) => return json.clone(),
            },
            None => default_of(spec, &ty),
        };
        value
            .and_then(|value| value.to_json().ok())
            .unwrap_or(Json::Null)
    };
    declared
        .iter()
        .map(|(name, spec)| (name.clone(), shown(spec, stored.get(name))))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::shown_state;

    #[test]
    fn state_is_shown_with_the_fields_of_the_definition() {
        let declared = serde_json::from_value(json!({
            "coins": {"type": "integer", "default": 5},
            "rank": {"type": "string", "default": "novice"},
            "boat": {"type": "bag"},
            "motto": {"nullable": true},
            "home": {"type": "object", "default": {}, "properties": {"x": {"type": "integer", "default": 1}}},
        }))
        .expect("declarations");
        let Json::Object(stored) = json!({"coins": 7, "gone": 1, "home": {}}) else {
            return;
        };
        let shown = shown_state(&declared, &stored);
        let expected =
            json!({"boat": {}, "coins": 7, "home": {"x": 1}, "motto": null, "rank": "novice"});
        assert_eq!(Json::Object(shown), expected);
    }

    #[test]
    fn a_value_of_another_type_is_shown_as_it_is_stored() {
        let declared = serde_json::from_value(json!({"coins": {"type": "string", "default": ""}}));
        let Json::Object(stored) = json!({"coins": 7}) else {
            return;
        };
        let shown = shown_state(&declared.expect("a declaration"), &stored);
        assert_eq!(Json::Object(shown), json!({"coins": 7}));
    }
}
