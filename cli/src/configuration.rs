//! From a command's flags, the environment and a file to the settings in force.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use gamepipe_config::load::{Effective, Layers, load};
use serde_json::{Value, json};

use crate::args::LOG_FORMAT_VARIABLE;

/// Puts the layers together. `presumed` is what the command puts in the place of defaults, `flags` what was given on the
/// command line, each by the setting's path.
pub(crate) fn effective(
    presumed: Vec<(&'static str, Value)>,
    flags: &[(&'static str, &Option<String>)],
    file: Option<&Path>,
) -> anyhow::Result<Effective> {
    let mut layers = Layers {
        presumed,
        environment: settings_among(std::env::vars_os()),
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

/// The variables that may be settings.
fn settings_among(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, String)> {
    variables
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name != LOG_FORMAT_VARIABLE)
        .collect()
}

#[cfg(test)]
mod tests {
    use gamepipe_config::load::{Layers, load};

    use super::{LOG_FORMAT_VARIABLE, settings_among};

    #[test]
    fn a_variable_of_the_command_line_is_not_taken_for_a_setting() {
        let variables = [
            (LOG_FORMAT_VARIABLE.into(), "json".into()),
            ("GAMEPIPE_SQL_LISTEN".into(), "127.0.0.1:3".into()),
        ];
        let environment = settings_among(variables.into_iter());
        let layers = Layers {
            environment,
            ..Layers::default()
        };
        let effective = load(&layers).expect("settings");
        assert_eq!(effective.settings.sql.listen.to_string(), "127.0.0.1:3");
    }
}
