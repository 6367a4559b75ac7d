//! Checks of entities: every field has a first value, every capacity names a field that can be one.

use super::{Report, names, values};
use crate::definition::document::{Capacity, EntitySpec, GameSpec, ValueKind, ValueSpec};
use crate::definition::problem::join;
use crate::definition::suggest::did_you_mean;

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    for (name, entity) in &spec.entities {
        let path = join("spec.entities", name);
        names::selectable(report, &path, "entity", name);
        if name == "exists" {
            report.add(
                &path,
                "entity `exists`: actions use this word to say whether an entity must exist",
            );
        }
        for (field, value) in &entity.state {
            let field_path = format!("{path}.state.{field}");
            names::selectable(report, &field_path, "field", field);
            values::check(report, &field_path, value);
            first_value(report, &field_path, value);
            capacity(report, &field_path, entity, value);
        }
    }
}

fn first_value(report: &mut Report, path: &str, value: &ValueSpec) {
    let empty_by_default = matches!(
        value.kind,
        ValueKind::List | ValueKind::Map | ValueKind::Bag
    );
    if value.is_required() && !empty_by_default {
        report.add(path, "a field of state needs a `default`, or `nullable: true`: what a new entity begins with");
    }
}

fn capacity(report: &mut Report, path: &str, entity: &EntitySpec, value: &ValueSpec) {
    let Some(Capacity::Field(name)) = &value.capacity else {
        return;
    };
    let path = join(path, "capacity");
    match entity.state.get(name) {
        None => {
            let hint = did_you_mean(name, super::keys(&entity.state));
            report.add(path, format!("the entity has no field `{name}`{hint}"));
        }
        Some(field) if field.kind != ValueKind::Integer || field.nullable => {
            report.add(
                path,
                format!(
                    "`{name}` is {}; a capacity is an integer that is not nullable",
                    field.kind.name()
                ),
            );
        }
        Some(_) => {}
    }
}
