//! The settings of a pipeline in this process: what is presumed for a data directory, the environment, and a file.

use std::path::Path;

use anyhow::Context;
use gamepipe_config::load::Layers;
use serde_json::{Value, json};

/// What stands in the place of defaults.
pub(crate) fn presumed(data: &Path) -> Vec<(&'static str, Value)> {
    let below = |name: &str| json!(data.join(name).display().to_string());
    vec![
        ("state.path", below("state")),
        ("log.path", below("log")),
        ("lake.path", below("lake")),
        // The relay, the streamer and SQL drain after the API, and all of them have ten seconds.
        ("api.drainMs", json!(4000)),
    ]
}

/// All layers but flags. Directories lie below the data directory unless told otherwise.
pub(crate) fn layers(data: &Path, file: Option<&Path>) -> anyhow::Result<Layers> {
    let mut layers = Layers {
        presumed: presumed(data),
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..Layers::default()
    };
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        layers.file = Some((path.display().to_string(), text));
    }
    Ok(layers)
}
