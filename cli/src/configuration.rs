//! From a command's flags, the environment and a file to the settings in force.

use std::path::Path;

use anyhow::Context;
use gamepipe_config::load::{Effective, Layers, load};
use serde_json::{Value, json};

/// Puts the layers together. `presumed` is what the command puts in the place of defaults, `flags` what was given on the
/// command line, each by the setting's path.
pub(crate) fn effective(
    presumed: Vec<(&'static str, Value)>,
    flags: &[(&'static str, &Option<String>)],
    file: Option<&Path>,
) -> anyhow::Result<Effective> {
    let mut layers = Layers {
        presumed,
        environment: std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect(),
        ..Layers::default()
    };
    for (path, flag) in flags {
        layers
            .flags
            .extend(flag.as_ref().map(|value| (*path, json!(value))));
    }
    if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read {}", path.display()))?;
        layers.file = Some((path.display().to_string(), text));
    }
    Ok(load(&layers)?)
}
