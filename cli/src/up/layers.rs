//! What settings a pipeline in one data directory presumes.

use std::path::Path;

use serde_json::{Value, json};

/// What stands in the place of defaults.
pub(crate) fn presumed(data: &Path) -> Vec<(&'static str, Value)> {
    let below = |name: &str| json!(data.join(name).display().to_string());
    vec![
        ("state.path", below("state")),
        ("log.path", below("log")),
        ("lake.path", below("lake")),
    ]
}
