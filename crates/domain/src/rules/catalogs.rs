//! The types of catalogs: constant data has no declaration, so its types are inferred from all its items.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use super::types::{Field, Fields, Type};
use super::value::Value;
use crate::definition::document::GameSpec;
use crate::definition::problem::PathProblem;

/// The constant data of a definition: its type and its value.
#[derive(Debug, Clone)]
pub(crate) struct Catalogs {
    pub(crate) ty: Type,
    pub(crate) value: Value,
}

/// Infers the types of all catalogs. All items of a catalog have the same fields; a whole number among floats is a float.
pub(crate) fn catalogs(spec: &GameSpec) -> Result<Catalogs, Vec<PathProblem>> {
    let mut problems = Vec::new();
    let mut types = Vec::new();
    let mut values = Vec::new();
    for (name, items) in &spec.catalogs {
        let path = format!("spec.catalogs.{name}");
        let mut merged: BTreeMap<String, Type> = BTreeMap::new();
        let mut first: Option<&String> = None;
        for (item, fields) in items {
            let item_path = format!("{path}.{item}");
            missing_fields(&merged, first, item, fields, &item_path, &mut problems);
            for (field, json) in fields {
                let field_path = format!("{item_path}.{field}");
                let found = infer(json, &field_path, &mut problems);
                let known = merged.get(field).cloned().unwrap_or(Type::Never);
                match merge(&known, &found) {
                    Some(ty) => drop(merged.insert(field.clone(), ty)),
                    None => problems.push(PathProblem {
                        message: format!("expected {known} as in the items before, found {found}"),
                        path: field_path,
                    }),
                }
            }
            first = first.or(Some(item));
        }
        let item_type = Type::record(
            merged
                .iter()
                .map(|(field, ty)| (field.as_str(), ty.clone())),
        );
        let ty = Type::Map(Arc::new(item_type));
        let json = serde_json::to_value(items).unwrap_or_default();
        match Value::from_json(&json, &ty) {
            Ok(value) => values.push((Arc::from(name.as_str()), value)),
            // Only when a problem about this very catalog is in the list already.
            Err(fault) if problems.is_empty() => {
                problems.push(PathProblem {
                    path,
                    message: fault.detail().to_owned(),
                });
            }
            Err(_) => {}
        }
        types.push((name.as_str(), ty));
    }
    if problems.is_empty() {
        Ok(Catalogs {
            ty: Type::record(types),
            value: Value::map(values),
        })
    } else {
        Err(problems)
    }
}

fn missing_fields(
    merged: &BTreeMap<String, Type>,
    first: Option<&String>,
    item: &str,
    fields: &BTreeMap<String, Json>,
    path: &str,
    problems: &mut Vec<PathProblem>,
) {
    let Some(first) = first else { return };
    let mut report = |message: String| {
        problems.push(PathProblem {
            path: path.to_owned(),
            message,
        })
    };
    for field in merged.keys().filter(|field| !fields.contains_key(*field)) {
        report(format!(
            "'{item}' has no field '{field}', which '{first}' has; all items of a catalog have the same fields"
        ));
    }
    for field in fields.keys().filter(|field| !merged.contains_key(*field)) {
        report(format!(
            "'{item}' has a field '{field}', which '{first}' has not; all items of a catalog have the same fields"
        ));
    }
}

fn infer(json: &Json, path: &str, problems: &mut Vec<PathProblem>) -> Type {
    match json {
        Json::Null => Type::Null,
        Json::Bool(_) => Type::Bool,
        Json::Number(number) if number.is_i64() => Type::Int,
        Json::Number(_) => Type::Double,
        Json::String(_) => Type::String,
        Json::Array(items) => {
            let mut item_type = Type::Never;
            for (index, item) in items.iter().enumerate() {
                let found = infer(item, &format!("{path}[{index}]"), problems);
                match merge(&item_type, &found) {
                    Some(ty) => item_type = ty,
                    None => problems.push(PathProblem {
                        path: format!("{path}[{index}]"),
                        message: format!(
                            "expected {item_type} as in the items before, found {found}"
                        ),
                    }),
                }
            }
            Type::list(item_type)
        }
        Json::Object(fields) => {
            let typed: Vec<(&str, Type)> = fields
                .iter()
                .map(|(name, json)| {
                    (
                        name.as_str(),
                        infer(json, &format!("{path}.{name}"), problems),
                    )
                })
                .collect();
            Type::record(typed)
        }
    }
}

/// As [`Type::unify`], but whole numbers among floats are floats: constant data is written by people.
fn merge(one: &Type, other: &Type) -> Option<Type> {
    match (one, other) {
        (Type::Int, Type::Double) | (Type::Double, Type::Int) => Some(Type::Double),
        (Type::Nullable(one), other) | (other, Type::Nullable(one)) => {
            Some(merge(one, other.not_null())?.or_null())
        }
        (Type::List(one), Type::List(other)) => Some(Type::list(merge(one, other)?)),
        (Type::Map(one), Type::Map(other)) => Some(Type::Map(Arc::new(merge(one, other)?))),
        (Type::Object(fields), Type::Map(item)) | (Type::Map(item), Type::Object(fields)) => {
            Some(Type::Map(Arc::new(merge(&merged_fields(fields)?, item)?)))
        }
        (Type::Object(one), Type::Object(other)) => {
            if one.0.keys().eq(other.0.keys()) {
                let fields: Option<BTreeMap<_, _>> = one
                    .0
                    .iter()
                    .zip(other.0.values())
                    .map(|((name, one), other)| {
                        Some((
                            name.clone(),
                            Field {
                                ty: merge(&one.ty, &other.ty)?,
                                default: None,
                            },
                        ))
                    })
                    .collect();
                return Some(Type::Object(Arc::new(Fields(fields?))));
            }
            Some(Type::Map(Arc::new(merge(
                &merged_fields(one)?,
                &merged_fields(other)?,
            )?)))
        }
        (one, other) => one.unify(other),
    }
}

fn merged_fields(fields: &Fields) -> Option<Type> {
    fields
        .0
        .values()
        .try_fold(Type::Never, |common, field| merge(&common, &field.ty))
}
