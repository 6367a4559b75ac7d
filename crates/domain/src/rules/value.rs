//! Values that rules work with. Cheap to clone: text, lists and maps are shared.

use std::sync::Arc;

use serde_json::Value as Json;

use super::fault::Fault;
use super::types::{Fields, Type};
use crate::JsonMap;
use crate::time::Timestamp;

/// The entries of a map, sorted by key, each key once.
pub(crate) type Entries = Vec<(Arc<str>, Value)>;

/// A value of a rule.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A float.
    Double(f64),
    /// Text.
    Text(Arc<str>),
    /// A moment.
    Time(Timestamp),
    /// A list.
    List(Arc<Vec<Value>>),
    /// A map, an object or a bag.
    Map(Arc<Entries>),
}

impl Value {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    pub(crate) fn list(items: Vec<Value>) -> Self {
        Self::List(Arc::new(items))
    }

    /// A map from entries in any order; the last of two with the same key wins.
    pub(crate) fn map(mut entries: Entries) -> Self {
        entries.sort_by(|one, other| one.0.cmp(&other.0));
        entries.reverse();
        entries.dedup_by(|later, kept| later.0 == kept.0);
        entries.reverse();
        Self::Map(Arc::new(entries))
    }

    /// A map from entries that are sorted by key, each key once.
    pub(crate) fn sorted_map(entries: Entries) -> Self {
        Self::Map(Arc::new(entries))
    }

    /// The entry of a map; `None` when there is none or this is not a map.
    pub(crate) fn entry(&self, key: &str) -> Option<&Value> {
        let Self::Map(entries) = self else {
            return None;
        };
        let found = entries
            .binary_search_by(|(name, _)| name.as_ref().cmp(key))
            .ok()?;
        entries.get(found).map(|(_, value)| value)
    }

    /// How much work it is to look at all of the value, in steps of an evaluation.
    pub(crate) fn weight(&self) -> u64 {
        match self {
            Self::List(items) => items.iter().map(|item| 1 + item.weight()).sum(),
            Self::Map(entries) => entries.iter().map(|(_, value)| 1 + value.weight()).sum(),
            _ => 0,
        }
    }

    /// The sort of value, for error texts.
    pub(crate) fn sort(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Double(_) => "double",
            Self::Text(_) => "string",
            Self::Time(_) => "timestamp",
            Self::List(_) => "list",
            Self::Map(_) => "map",
        }
    }

    /// The value of JSON that should be of type `wanted`; fields that are missing get their defaults.
    pub(crate) fn from_json(json: &Json, wanted: &Type) -> Result<Self, Fault> {
        let wrong = || Fault::wrong_type(&wanted.to_string(), json_sort(json));
        Ok(match (wanted, json) {
            (Type::Dyn | Type::Never, _) => Self::from_dynamic_json(json),
            (Type::Nullable(_) | Type::Null, Json::Null) => Self::Null,
            (Type::Nullable(inner), _) => Self::from_json(json, inner)?,
            (Type::Bool, Json::Bool(flag)) => Self::Bool(*flag),
            (Type::Int, Json::Number(number)) => Self::Int(number.as_i64().ok_or_else(wrong)?),
            (Type::Double, Json::Number(number)) => {
                Self::Double(number.as_f64().ok_or_else(wrong)?)
            }
            (Type::String, Json::String(text)) => Self::text(text),
            (Type::Timestamp, Json::String(text)) => {
                Self::Time(Timestamp::parse_rfc3339(text).ok_or_else(wrong)?)
            }
            (Type::List(item), Json::Array(items)) => Self::list(
                items
                    .iter()
                    .map(|one| Self::from_json(one, item))
                    .collect::<Result<_, _>>()?,
            ),
            (Type::Map(item), Json::Object(fields)) => Self::map_of(fields, item)?,
            (Type::Bag, Json::Object(fields)) => Self::map_of(fields, &Type::Int)?,
            (Type::Object(wanted), Json::Object(fields)) => Self::object_from_json(fields, wanted)?,
            _ => return Err(wrong()),
        })
    }

    /// The object of JSON fields; fields that are missing get their defaults, fields that are not declared are left out.
    pub(crate) fn object_from_json(fields: &JsonMap, wanted: &Fields) -> Result<Self, Fault> {
        let mut entries = Vec::with_capacity(wanted.0.len());
        for (name, field) in &wanted.0 {
            let value = match (fields.get(name.as_ref()), &field.default) {
                (Some(json), _) => {
                    Self::from_json(json, &field.ty).map_err(|fault| fault.inside(name))?
                }
                (None, Some(default)) => default.clone(),
                (None, None) => return Err(Fault::missing(format!("field '{name}' is missing"))),
            };
            entries.push((name.clone(), value));
        }
        Ok(Self::sorted_map(entries))
    }

    fn map_of(fields: &JsonMap, item: &Type) -> Result<Self, Fault> {
        let mut entries = Vec::with_capacity(fields.len());
        for (name, json) in fields {
            let value = Self::from_json(json, item).map_err(|fault| fault.inside(name))?;
            entries.push((Arc::from(name.as_str()), value));
        }
        // serde_json's map may or may not keep its keys sorted: that is a feature of the whole build.
        Ok(Self::map(entries))
    }

    /// The value of JSON of unknown type: a whole number is an int, any other number a double.
    pub(crate) fn from_dynamic_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Double(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(Self::from_dynamic_json).collect()),
            Json::Object(fields) => Self::map(
                fields
                    .iter()
                    .map(|(name, json)| (Arc::from(name.as_str()), Self::from_dynamic_json(json)))
                    .collect(),
            ),
        }
    }

    /// The value as JSON. A double that is not finite has no JSON and is a fault.
    pub(crate) fn to_json(&self) -> Result<Json, Fault> {
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => Json::Bool(*flag),
            Self::Int(number) => Json::from(*number),
            Self::Double(number) => match serde_json::Number::from_f64(*number) {
                Some(finite) => Json::Number(finite),
                None => {
                    return Err(Fault::arithmetic(format!(
                        "{number} is not a finite number"
                    )));
                }
            },
            Self::Text(text) => Json::String(text.as_ref().to_owned()),
            Self::Time(moment) => Json::String(moment.to_rfc3339()),
            Self::List(items) => {
                Json::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?)
            }
            Self::Map(entries) => Json::Object(entries_to_json(entries)?),
        })
    }

    /// The value made fit for a place of type `wanted`: ints become doubles where a double is declared, missing fields
    /// get their defaults, a bag loses its zeros. A negative count in a bag is a fault.
    pub(crate) fn coerce(self, wanted: &Type) -> Result<Self, Fault> {
        Ok(match (wanted, self) {
            (Type::Nullable(_), Self::Null) => Self::Null,
            (Type::Nullable(inner), value) => value.coerce(inner)?,
            (Type::Double, Self::Int(number)) => Self::Double(widen(number)),
            (Type::List(item), Self::List(items)) if item.needs_coercion() => Self::list(
                items
                    .iter()
                    .map(|one| one.clone().coerce(item))
                    .collect::<Result<_, _>>()?,
            ),
            (Type::Map(item), Self::Map(entries)) if item.needs_coercion() => {
                let mut fitted = Vec::with_capacity(entries.len());
                for (name, value) in entries.iter() {
                    fitted.push((name.clone(), value.clone().coerce(item)?));
                }
                Self::sorted_map(fitted)
            }
            (Type::Object(wanted), value @ Self::Map(_)) => {
                let mut fitted = Vec::with_capacity(wanted.0.len());
                for (name, field) in &wanted.0 {
                    let value = match (value.entry(name), &field.default) {
                        (Some(given), _) => given
                            .clone()
                            .coerce(&field.ty)
                            .map_err(|fault| fault.inside(name))?,
                        (None, Some(default)) => default.clone(),
                        (None, None) => {
                            return Err(Fault::missing(format!("field '{name}' is missing")));
                        }
                    };
                    fitted.push((name.clone(), value));
                }
                Self::sorted_map(fitted)
            }
            (Type::Bag, Self::Map(entries)) => normal_bag(&entries)?,
            (wanted, value) if value.fits(wanted) => value,
            (wanted, value) => return Err(Fault::wrong_type(&wanted.to_string(), value.sort())),
        })
    }

    fn fits(&self, wanted: &Type) -> bool {
        matches!(
            (wanted, self),
            (Type::Dyn | Type::Never, _)
                | (Type::Null, Self::Null)
                | (Type::Bool, Self::Bool(_))
                | (Type::Int, Self::Int(_))
                | (Type::Double, Self::Double(_))
                | (Type::String, Self::Text(_))
                | (Type::Timestamp, Self::Time(_))
                | (Type::List(_), Self::List(_))
                | (Type::Map(_), Self::Map(_))
        )
    }
}

/// The nearest double to a whole number: exact up to 2^53.
pub(crate) fn widen(number: i64) -> f64 {
    number as f64
}

/// A bag without zeros; a count below zero or that is no count is a fault.
pub(crate) fn normal_bag(entries: &Entries) -> Result<Value, Fault> {
    let mut kept = Vec::with_capacity(entries.len());
    for (item, count) in entries {
        match count {
            Value::Int(0) => {}
            Value::Int(number) if *number > 0 => kept.push((item.clone(), count.clone())),
            Value::Int(number) => {
                return Err(Fault::out_of_bounds(format!(
                    "a bag can't hold {number} of '{item}'"
                )));
            }
            other => return Err(Fault::wrong_type("int", other.sort())),
        }
    }
    Ok(Value::sorted_map(kept))
}

/// The entries of a map as a JSON object.
pub(crate) fn entries_to_json(entries: &Entries) -> Result<JsonMap, Fault> {
    let mut fields = JsonMap::new();
    for (name, value) in entries {
        fields.insert(
            name.as_ref().to_owned(),
            value.to_json().map_err(|fault| fault.inside(name))?,
        );
    }
    Ok(fields)
}

fn json_sort(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}
