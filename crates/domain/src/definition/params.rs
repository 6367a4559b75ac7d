//! What a request brought becomes checked parameters.

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{ValueKind, ValueSpec};
use super::game::{ParamProblem, Params};
use super::suggest::{did_you_mean, shorten};
use super::value::{self, Mismatch, Reason, absent, check_value, kind_name, normalize, pointer_to};
use crate::JsonMap;

/// The codes of [`super::game::ParamProblem`] beside those of the game's own `validate` conditions and of [`crate::rules::FAULT_CODES`].
pub const PARAM_CODES: [&str; 6] = [
    "missing_parameter",
    "wrong_type",
    "out_of_bounds",
    "unknown_parameter",
    "duplicate_parameter",
    "too_deep",
];

/// See [`super::game::Action::parse_params`].
pub(super) fn parse(
    specs: &BTreeMap<String, ValueSpec>,
    text: &[(String, String)],
    json: Option<&JsonMap>,
    strict: bool,
) -> Result<Params, ParamProblem> {
    let mut given = from_text(specs, text, json, strict)?;
    for (name, value) in json.into_iter().flatten() {
        if specs.contains_key(name) {
            given.insert(name.clone(), value.clone());
        } else if strict {
            return Err(unknown(specs, name));
        }
    }
    let mut params = JsonMap::new();
    for (name, spec) in specs {
        let mut value = match given.remove(name) {
            Some(value) => {
                check_value(spec, &value, strict).map_err(|mismatch| problem(name, mismatch))?;
                value
            }
            None if spec.is_required() => {
                return Err(ParamProblem {
                    code: "missing_parameter".to_owned(),
                    detail: format!(
                        "parameter `{name}` is missing; expected {}",
                        kind_name(spec.kind)
                    ),
                    pointer: pointer_to(name),
                });
            }
            None => absent(spec),
        };
        normalize(spec, &mut value);
        params.insert(name.clone(), value);
    }
    Ok(Params(params))
}

/// The text parameters, converted. One that JSON gives too is left to JSON, but must not be given twice as text.
fn from_text(
    specs: &BTreeMap<String, ValueSpec>,
    text: &[(String, String)],
    json: Option<&JsonMap>,
    strict: bool,
) -> Result<JsonMap, ParamProblem> {
    let mut given = JsonMap::new();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in text {
        let Some(spec) = specs.get(name) else {
            if strict {
                return Err(unknown(specs, name));
            }
            continue;
        };
        if seen.contains(&name.as_str()) {
            return Err(ParamProblem {
                code: "duplicate_parameter".to_owned(),
                detail: format!("parameter `{name}` is given more than once; which one is meant?"),
                pointer: pointer_to(name),
            });
        }
        seen.push(name);
        if json.is_none_or(|json| !json.contains_key(name)) {
            given.insert(name.clone(), convert(name, spec, value)?);
        }
    }
    Ok(given)
}

fn convert(name: &str, spec: &ValueSpec, text: &str) -> Result<Value, ParamProblem> {
    if text.is_empty() && spec.nullable && spec.kind != ValueKind::String {
        // A form sends its empty fields too.
        return Ok(Value::Null);
    }
    let converted = match spec.kind {
        ValueKind::String | ValueKind::Timestamp => Some(Value::from(text)),
        ValueKind::Integer => {
            let digits = text.strip_prefix('-').unwrap_or(text);
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i64>()
                .ok()
                .filter(|_| is_plain)
                .map(Value::from)
        }
        ValueKind::Number => {
            // `inf` and `nan` are no numbers here.
            let is_plain = text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
            text.parse::<f64>()
                .ok()
                .filter(|number| is_plain && number.is_finite())
                .map(Value::from)
        }
        ValueKind::Boolean => match text {
            "true" | "1" => Some(Value::from(true)),
            "false" | "0" => Some(Value::from(false)),
            _ => None,
        },
        ValueKind::List | ValueKind::Map | ValueKind::Object | ValueKind::Bag => {
            serde_json::from_str(text).ok()
        }
    };
    converted.ok_or_else(|| ParamProblem {
        code: "wrong_type".to_owned(),
        detail: format!(
            "parameter `{name}`: expected {}, got text {:?}",
            text_form(spec.kind),
            shorten(text)
        ),
        pointer: pointer_to(name),
    })
}

/// What a text must look like to be a value of that kind.
fn text_form(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Boolean => "`true`, `false`, `1` or `0`",
        ValueKind::List => "a list as JSON",
        ValueKind::Map | ValueKind::Object | ValueKind::Bag => "an object as JSON",
        ValueKind::Integer => "an integer of 64 bits",
        other => kind_name(other),
    }
}

fn unknown(specs: &BTreeMap<String, ValueSpec>, name: &str) -> ParamProblem {
    let hint = did_you_mean(name, specs.keys().map(String::as_str));
    ParamProblem {
        code: "unknown_parameter".to_owned(),
        detail: format!("unknown parameter `{}`{hint}", shorten(name)),
        pointer: pointer_to(name),
    }
}

fn problem(name: &str, mismatch: Mismatch) -> ParamProblem {
    let code = match mismatch.reason {
        Reason::WrongType => "wrong_type",
        Reason::OutOfBounds => "out_of_bounds",
        Reason::Missing => "missing_parameter",
        Reason::Unknown => "unknown_parameter",
        Reason::TooDeep => "too_deep",
    };
    let inner = value::describe_place(&mismatch.pointer);
    let detail = format!("parameter `{name}`{inner}: {}", mismatch.detail);
    let pointer = mismatch.inside(name).pointer;
    ParamProblem {
        code: code.to_owned(),
        detail,
        pointer,
    }
}

#[cfg(test)]
mod tests;
