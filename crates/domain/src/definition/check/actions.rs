//! Checks of actions, all but their rules: parameters, entities, keys, the order of cases, what they emit.

use super::{Report, names, values};
use crate::definition::document::{ActionSpec, CaseSpec, EmitSpec, GameSpec};
use crate::definition::problem::join;
use crate::definition::schema::required_names;
use crate::definition::suggest::{did_you_mean, quoted_list};
use crate::event::ACTION_REJECTED;

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    for (name, action) in &spec.actions {
        let path = join("spec.actions", name);
        names::identifier(report, &path, "action", name);
        params(report, &path, action);
        entities(report, &path, spec, action);
        bindings(report, &path, action);
        if action.key.is_none() && action.entities.len() != 1 {
            let count = action.entities.len();
            report.add(&path, format!("missing field `key`: with {count} entities, nothing else says what the events' key is"));
        }
        for (list, requirements) in [("validate", &action.validate), ("require", &action.require)] {
            for (index, requirement) in requirements.iter().enumerate() {
                names::code(
                    report,
                    &format!("{path}.{list}[{index}].code"),
                    &requirement.code,
                );
            }
        }
        cases(report, &join(&path, "cases"), spec, &action.cases);
    }
}

fn params(report: &mut Report, path: &str, action: &ActionSpec) {
    for (name, value) in &action.params {
        let path = format!("{path}.params.{name}");
        names::selectable(report, &path, "parameter", name);
        values::check(report, &path, value);
        values::fixed_capacity(report, &path, value);
    }
}

fn entities(report: &mut Report, path: &str, spec: &GameSpec, action: &ActionSpec) {
    for (name, reference) in &action.entities {
        let path = format!("{path}.entities.{name}");
        names::variable(report, &path, "entity", name);
        if reference.target.len() != 1 {
            let known = quoted_list(super::keys(&spec.entities));
            report.add(&path, format!("expected exactly one entity type with its key, such as `{{player: params.name}}`; entity types: {known}"));
        }
        for entity_type in reference
            .target
            .keys()
            .filter(|name| !spec.entities.contains_key(*name))
        {
            let hint = did_you_mean(entity_type, super::keys(&spec.entities).chain(["exists"]));
            report.add(
                join(&path, entity_type),
                format!("unknown entity type `{entity_type}`{hint}"),
            );
        }
    }
}

fn bindings(report: &mut Report, path: &str, action: &ActionSpec) {
    for name in action.bindings.keys() {
        let path = format!("{path}.let.{name}");
        names::variable(report, &path, "let", name);
        if action.entities.contains_key(name) {
            report.add(
                path,
                format!("`{name}` is an entity of this action already"),
            );
        }
    }
}

fn cases(report: &mut Report, path: &str, spec: &GameSpec, cases: &[CaseSpec]) {
    let Some(last) = cases.len().checked_sub(1) else {
        return report.add(path, "an action needs at least one case: what happens");
    };
    for (index, case) in cases.iter().enumerate() {
        let case_path = format!("{path}[{index}]");
        match (&case.when, index == last) {
            (None, false) => report.add(
                &case_path,
                "missing field `when`: only the last case may do without, since the cases after this one would never happen",
            ),
            (Some(_), true) => report.add(
                join(&case_path, "when"),
                "the last case must have no `when`: it is what happens when no other case does",
            ),
            _ => {}
        }
        for (place, emit) in case.emit.iter().enumerate() {
            self::emit(report, &format!("{case_path}.emit[{place}]"), spec, emit);
        }
    }
}

fn emit(report: &mut Report, path: &str, spec: &GameSpec, emit: &EmitSpec) {
    let Some(event) = spec.events.get(&emit.event) else {
        let reason = if emit.event == ACTION_REJECTED {
            "gamepipe records it itself, for every refused action".to_owned()
        } else {
            format!(
                "no such event{}",
                did_you_mean(&emit.event, super::keys(&spec.events))
            )
        };
        return report.add(join(path, "event"), format!("`{}`: {reason}", emit.event));
    };
    for name in required_names(&event.properties) {
        if !emit.data.contains_key(&name) {
            report.add(
                join(path, "data"),
                format!("missing property `{name}` of event `{}`", emit.event),
            );
        }
    }
    for name in emit
        .data
        .keys()
        .filter(|name| !event.properties.contains_key(*name))
    {
        let hint = did_you_mean(name, super::keys(&event.properties));
        report.add(
            format!("{path}.data.{name}"),
            format!("event `{}` has no property `{name}`{hint}", emit.event),
        );
    }
}
