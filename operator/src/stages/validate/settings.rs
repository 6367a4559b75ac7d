//! `spec.settings`, read by the very code with which the roles read theirs.

use gamepipe_config::load::{ConfigError, Layers, load};
use gamepipe_config::settings::Settings;

use crate::crd::pipeline::GamePipelineSpec;
use crate::crd::settings::{OWNED, OWNED_KAFKA};
use crate::crd::status::Reason;
use crate::stages::validated::Finding;

/// The settings that the spec has over the roles' defaults.
pub(super) fn read(spec: &GamePipelineSpec, findings: &mut Vec<Finding>) -> Settings {
    let given = &spec.settings.0;
    let kafka = OWNED_KAFKA.map(|field| format!("log.kafka.{field}"));
    for path in OWNED.iter().map(|path| (*path).to_owned()).chain(kafka) {
        let pointer = format!("/{}", path.replace('.', "/"));
        if serde_json::Value::Object(given.clone())
            .pointer(&pointer)
            .is_some()
        {
            findings.push(Finding::new(
                Reason::SpecInvalid,
                format!("spec.settings.{path}"),
                "the operator sets this from other fields of the spec; leave it out",
            ));
        }
    }
    if given.is_empty() {
        return Settings::default();
    }
    let text = serde_json::Value::Object(given.clone()).to_string();
    let layers = Layers {
        file: Some(("spec.settings".to_owned(), text)),
        ..Layers::default()
    };
    match load(&layers) {
        Ok(effective) => effective.settings,
        Err(ConfigError::File(problems)) => {
            findings.extend(problems.0.into_iter().map(|problem| {
                Finding::new(
                    Reason::SpecInvalid,
                    format!("spec.settings.{}", problem.path),
                    problem.message,
                )
            }));
            Settings::default()
        }
        Err(other) => {
            findings.push(Finding::new(
                Reason::SpecInvalid,
                "spec.settings",
                other.to_string(),
            ));
            Settings::default()
        }
    }
}
