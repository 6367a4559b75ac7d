//! Checks of events: names that the envelope leaves free, and a key that every event has.

use super::{Report, names, values};
use crate::definition::document::{EventOrigin, EventSpec, GameSpec, ValueKind};
use crate::definition::problem::join;
use crate::definition::suggest::did_you_mean;
use crate::event::{ACTION_REJECTED, STATE_CHANGED, field};

/// The key of a client's event that is the host instead of a property.
pub(crate) const CONTEXT_HOST: &str = "context.host";

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    for (name, event) in &spec.events {
        let path = join("spec.events", name);
        names::identifier(report, &path, "event", name);
        let own = match name.as_str() {
            ACTION_REJECTED => Some("for every refused action"),
            STATE_CHANGED => Some("for an action that changes state and emits nothing"),
            _ => None,
        };
        if let Some(when) = own {
            report.add(
                &path,
                format!("event `{name}`: gamepipe records it itself, {when}"),
            );
        }
        for (property, value) in &event.properties {
            let property_path = format!("{path}.properties.{property}");
            names::hyphenated(report, &property_path, "property", property);
            if let Some(taken) = field::ENVELOPE
                .iter()
                .find(|taken| taken.eq_ignore_ascii_case(property))
            {
                report.add(
                    &property_path,
                    format!("property `{property}`: every event has a field `{taken}` already"),
                );
            }
            values::check(report, &property_path, value);
            values::fixed_capacity(report, &property_path, value);
        }
        key(report, &path, event);
    }
}

fn key(report: &mut Report, path: &str, event: &EventSpec) {
    let Some(key) = event.key.as_deref().filter(|key| *key != CONTEXT_HOST) else {
        return;
    };
    let path = join(path, "key");
    if !event.from.contains(&EventOrigin::Client) {
        return report.add(path, "says nothing unless the event is `from: [client]`: the events of an action have its key");
    }
    match event.properties.get(key) {
        None => {
            let known = super::keys(&event.properties).chain([CONTEXT_HOST]);
            let hint = did_you_mean(key, known);
            report.add(
                path,
                format!("expected a property or `{CONTEXT_HOST}`, got `{key}`{hint}"),
            );
        }
        Some(property) => {
            let is_key = matches!(property.kind, ValueKind::String | ValueKind::Integer)
                && !property.nullable;
            if !is_key {
                report.add(path, format!("property `{key}` can't be the key: a key is text or an integer and never null"));
            }
        }
    }
}
