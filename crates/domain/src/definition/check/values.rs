//! Checks of a value's declaration: do its bounds, default and parts fit its kind?

use serde_json::Value;

use super::{EXACT_INTEGER, Report, names};
use crate::definition::document::{Capacity, ValueKind, ValueSpec};
use crate::definition::problem::join;
use crate::definition::value::{check_value, describe, is_too_deep};

/// Checks everything that a value's declaration says by itself; the capacity of a bag of state is checked by its entity.
pub(super) fn check(report: &mut Report, path: &str, spec: &ValueSpec) {
    misplaced(report, path, spec);
    bounds(report, path, spec);
    parts(report, path, spec);
    allowed(report, path, spec);
    if let Some(default) = &spec.default {
        let default_path = join(path, "default");
        if is_too_deep(default) {
            report.add(&default_path, "nested too deeply");
        } else if let Err(mismatch) = check_value(spec, default, true) {
            let place = if mismatch.pointer.is_empty() {
                String::new()
            } else {
                format!("{}: ", mismatch.pointer)
            };
            report.add(
                &default_path,
                format!("the default does not fit: {place}{}", mismatch.detail),
            );
        }
    }
}

/// Keywords that say nothing about this kind are mistakes.
fn misplaced(report: &mut Report, path: &str, spec: &ValueSpec) {
    use ValueKind::{Bag, Integer, List, Map, Number, Object, String, Timestamp};
    let present: [(&str, bool, &[ValueKind]); 9] = [
        ("minimum", spec.minimum.is_some(), &[Integer, Number]),
        ("maximum", spec.maximum.is_some(), &[Integer, Number]),
        ("minLength", spec.min_length.is_some(), &[String]),
        ("maxLength", spec.max_length.is_some(), &[String]),
        ("maxItems", spec.max_items.is_some(), &[List]),
        (
            "enum",
            spec.allowed.is_some(),
            &[Integer, Number, String, Timestamp],
        ),
        ("items", spec.items.is_some(), &[List]),
        ("values", spec.values.is_some(), &[Map]),
        ("properties", !spec.properties.is_empty(), &[Object]),
    ];
    for (keyword, is_present, kinds) in present {
        if is_present && !kinds.contains(&spec.kind) {
            let message = format!(
                "`{keyword}` says nothing about `type: {}`",
                spec.kind.name()
            );
            report.add(join(path, keyword), message);
        }
    }
    if spec.capacity.is_some() && spec.kind != Bag {
        report.add(
            join(path, "capacity"),
            format!("`capacity` says nothing about `type: {}`", spec.kind.name()),
        );
    }
}

fn bounds(report: &mut Report, path: &str, spec: &ValueSpec) {
    if let (Some(least), Some(most)) = (spec.minimum, spec.maximum)
        && least > most
    {
        report.add(
            join(path, "minimum"),
            format!("minimum {least} is above maximum {most}"),
        );
    }
    if let (Some(least), Some(most)) = (spec.min_length, spec.max_length)
        && least > most
    {
        report.add(
            join(path, "minLength"),
            format!("minLength {least} is above maxLength {most}"),
        );
    }
    if spec.kind != ValueKind::Integer {
        return;
    }
    for (keyword, bound) in [("minimum", spec.minimum), ("maximum", spec.maximum)] {
        if let Some(bound) =
            bound.filter(|bound| bound.fract() != 0.0 || bound.abs() > EXACT_INTEGER)
        {
            let message =
                format!("the bound of an integer is a whole number within ±2^53, got {bound}");
            report.add(join(path, keyword), message);
        }
    }
}

fn parts(report: &mut Report, path: &str, spec: &ValueSpec) {
    match spec.kind {
        ValueKind::List => match &spec.items {
            Some(items) => inner(report, &join(path, "items"), items),
            None => report.add(path, "a list needs `items`: the type of its items"),
        },
        ValueKind::Map => match &spec.values {
            Some(values) => inner(report, &join(path, "values"), values),
            None => report.add(path, "a map needs `values`: the type of its values"),
        },
        ValueKind::Object => {
            if spec.properties.is_empty() {
                report.add(
                    path,
                    "an object needs `properties`; use `type: map` for names that are not known",
                );
            }
            for (name, property) in &spec.properties {
                let property_path = join(&join(path, "properties"), name);
                names::selectable(report, &property_path, "property", name);
                inner(report, &property_path, property);
            }
        }
        _ => {}
    }
}

/// A value inside another: a bag there can't take its capacity from a field.
fn inner(report: &mut Report, path: &str, spec: &ValueSpec) {
    check(report, path, spec);
    fixed_capacity(report, path, spec);
}

/// Outside of an entity's own fields, a capacity is a number.
pub(super) fn fixed_capacity(report: &mut Report, path: &str, spec: &ValueSpec) {
    if let Some(Capacity::Field(name)) = &spec.capacity {
        let message = format!(
            "expected a number of units, got text {name:?}: only a bag that is a field of an entity names another field"
        );
        report.add(join(path, "capacity"), message);
    }
}

fn allowed(report: &mut Report, path: &str, spec: &ValueSpec) {
    let Some(allowed) = &spec.allowed else { return };
    let path = join(path, "enum");
    if allowed.is_empty() {
        report.add(&path, "needs at least one value");
    }
    let unbounded = ValueSpec {
        allowed: None,
        ..spec.clone()
    };
    let mut seen: Vec<&Value> = Vec::new();
    for (index, value) in allowed.iter().enumerate() {
        let value_path = format!("{path}[{index}]");
        if value.is_null() {
            report.add(
                value_path,
                "null is allowed by `nullable: true`, not by `enum`",
            );
        } else if let Err(mismatch) = check_value(&unbounded, value, true) {
            report.add(value_path, format!("does not fit: {}", mismatch.detail));
        } else if seen.contains(&value) {
            report.add(value_path, format!("{} is given twice", describe(value)));
        }
        seen.push(value);
    }
}
