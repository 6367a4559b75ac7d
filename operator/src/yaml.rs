//! YAML out of JSON.

use serde_json::Value;

/// A document in block style. JSON always has such a form.
pub(crate) fn write(value: &Value) -> String {
    serde_saphyr::to_string(value).unwrap_or_default()
}
