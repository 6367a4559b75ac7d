//! Does a JSON value fit its declared type and bounds? The same answer for parameters, event properties and defaults.

use serde_json::Value;

use super::document::{Capacity, ValueKind, ValueSpec};
use super::suggest::shorten;
use crate::time::Timestamp;

/// The deepest nesting of a parameter, of an event's data or of a definition's own value: far more than any game
/// declares, and safe for code that recurses.
pub const MAX_VALUE_DEPTH: usize = 32;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    pub(crate) reason: Reason,
    /// What was expected and what came.
    pub(crate) detail: String,
    /// Where, as a JSON pointer relative to the value that was checked.
    pub(crate) pointer: String,
}

/// The sorts of mismatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reason {
    WrongType,
    OutOfBounds,
    Missing,
    Unknown,
    TooDeep,
}

impl Mismatch {
    fn new(reason: Reason, detail: String) -> Self {
        Self {
            reason,
            detail,
            pointer: String::new(),
        }
    }

    fn wrong_type(expected: &str, value: &Value) -> Self {
        Self::new(
            Reason::WrongType,
            format!("expected {expected}, got {}", describe(value)),
        )
    }

    /// The same mismatch seen from the value that holds `name`.
    #[must_use]
    pub(crate) fn inside(mut self, name: &str) -> Self {
        self.pointer.insert_str(0, &pointer_to(name));
        self
    }
}

/// The JSON pointer to a field: `~` and `/` are escaped.
pub(crate) fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// ` at /a/b`, or nothing for the value itself.
pub(crate) fn describe_place(pointer: &str) -> String {
    if pointer.is_empty() {
        String::new()
    } else {
        format!(" at {}", shorten(pointer))
    }
}

impl ValueSpec {
    /// True when a value must be given: it is neither nullable nor has a default.
    pub fn is_required(&self) -> bool {
        !self.nullable && self.default.is_none()
    }
}

/// Checks `value` as it is. With `closed`, fields of objects that are not declared are refused; else they may stay.
pub(crate) fn check_value(spec: &ValueSpec, value: &Value, closed: bool) -> Result<(), Mismatch> {
    check_at(spec, value, closed, 1)
}

fn check_at(spec: &ValueSpec, value: &Value, closed: bool, depth: usize) -> Result<(), Mismatch> {
    if depth > MAX_VALUE_DEPTH {
        return Err(Mismatch::new(
            Reason::TooDeep,
            format!("nested deeper than {MAX_VALUE_DEPTH} levels"),
        ));
    }
    if value.is_null() {
        return if spec.nullable {
            Ok(())
        } else {
            Err(Mismatch::wrong_type(kind_name(spec.kind), value))
        };
    }
    match spec.kind {
        ValueKind::Integer => check_integer(spec, value)?,
        ValueKind::Number => match value.as_f64() {
            Some(number) => check_range(spec, number, value)?,
            None => return Err(Mismatch::wrong_type("number", value)),
        },
        ValueKind::String => match value {
            Value::String(text) => check_length(spec, text)?,
            other => return Err(Mismatch::wrong_type("text", other)),
        },
        ValueKind::Boolean => {
            if !value.is_boolean() {
                return Err(Mismatch::wrong_type("boolean", value));
            }
        }
        ValueKind::Timestamp => {
            if value.as_str().and_then(Timestamp::parse_rfc3339).is_none() {
                return Err(Mismatch::wrong_type(
                    "an RFC 3339 time such as 2026-01-02T03:04:05Z",
                    value,
                ));
            }
        }
        ValueKind::List => check_list(spec, value, closed, depth)?,
        ValueKind::Map => check_map(spec, value, closed, depth)?,
        ValueKind::Object => check_object(spec, value, closed, depth)?,
        ValueKind::Bag => check_bag(spec, value)?,
    }
    check_allowed(spec, value)
}

fn check_integer(spec: &ValueSpec, value: &Value) -> Result<(), Mismatch> {
    let Some(integer) = value.as_i64() else {
        let expected = if value.is_u64() {
            "an integer of 64 bits (up to 9223372036854775807)"
        } else {
            "integer"
        };
        return Err(Mismatch::wrong_type(expected, value));
    };
    #[expect(
        clippy::cast_precision_loss,
        reason = "bounds are exact below 2^53 (checked at load) and rounding keeps the order"
    )]
    check_range(spec, integer as f64, value)
}

fn check_range(spec: &ValueSpec, number: f64, value: &Value) -> Result<(), Mismatch> {
    let fits = spec.minimum.is_none_or(|least| number >= least)
        && spec.maximum.is_none_or(|most| number <= most);
    if fits {
        return Ok(());
    }
    let expected = match (spec.minimum, spec.maximum) {
        (Some(least), Some(most)) => format!("from {least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    };
    Err(Mismatch::new(
        Reason::OutOfBounds,
        format!("must be {expected}, got {value}"),
    ))
}

fn check_length(spec: &ValueSpec, text: &str) -> Result<(), Mismatch> {
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    // A text has at most as many characters as bytes: the count is only taken when it matters.
    let maybe_long = spec.max_length.is_some_and(|most| bytes > most);
    if !maybe_long && spec.min_length.is_none() {
        return Ok(());
    }
    let characters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
    if let Some(most) = spec.max_length.filter(|most| characters > *most) {
        let detail = format!("must be at most {most} characters long, got {characters}");
        return Err(Mismatch::new(Reason::OutOfBounds, detail));
    }
    if let Some(least) = spec.min_length.filter(|least| characters < *least) {
        let detail = format!("must be at least {least} characters long, got {characters}");
        return Err(Mismatch::new(Reason::OutOfBounds, detail));
    }
    Ok(())
}

fn check_allowed(spec: &ValueSpec, value: &Value) -> Result<(), Mismatch> {
    let Some(allowed) = &spec.allowed else {
        return Ok(());
    };
    let is_same = |one: &Value| one == value || (one.is_number() && one.as_f64() == value.as_f64());
    if allowed.iter().any(is_same) {
        return Ok(());
    }
    let listed: Vec<String> = allowed.iter().map(Value::to_string).collect();
    let detail = format!(
        "must be one of {}, got {}",
        listed.join(", "),
        describe(value)
    );
    Err(Mismatch::new(Reason::OutOfBounds, detail))
}

fn check_list(spec: &ValueSpec, value: &Value, closed: bool, depth: usize) -> Result<(), Mismatch> {
    let Value::Array(items) = value else {
        return Err(Mismatch::wrong_type("a list", value));
    };
    if let Some(most) = spec.max_items.filter(|most| items.len() > *most as usize) {
        let detail = format!("must have at most {most} items, got {}", items.len());
        return Err(Mismatch::new(Reason::OutOfBounds, detail));
    }
    let Some(item_spec) = &spec.items else {
        return Ok(());
    };
    for (index, item) in items.iter().enumerate() {
        check_at(item_spec, item, closed, depth + 1)
            .map_err(|found| found.inside(&index.to_string()))?;
    }
    Ok(())
}

fn check_map(spec: &ValueSpec, value: &Value, closed: bool, depth: usize) -> Result<(), Mismatch> {
    let Value::Object(fields) = value else {
        return Err(Mismatch::wrong_type("an object", value));
    };
    let Some(value_spec) = &spec.values else {
        return Ok(());
    };
    for (name, field) in fields {
        check_at(value_spec, field, closed, depth + 1).map_err(|found| found.inside(name))?;
    }
    Ok(())
}

fn check_object(
    spec: &ValueSpec,
    value: &Value,
    closed: bool,
    depth: usize,
) -> Result<(), Mismatch> {
    let Value::Object(fields) = value else {
        return Err(Mismatch::wrong_type("an object", value));
    };
    for (name, field_spec) in &spec.properties {
        match fields.get(name) {
            Some(field) => check_at(field_spec, field, closed, depth + 1)
                .map_err(|found| found.inside(name))?,
            None if field_spec.is_required() => {
                let detail = format!("missing; expected {}", kind_name(field_spec.kind));
                return Err(Mismatch::new(Reason::Missing, detail).inside(name));
            }
            None => {}
        }
    }
    if closed
        && let Some(name) = fields
            .keys()
            .find(|name| !spec.properties.contains_key(*name))
    {
        return Err(Mismatch::new(Reason::Unknown, "not declared".to_owned()).inside(name));
    }
    Ok(())
}

fn check_bag(spec: &ValueSpec, value: &Value) -> Result<(), Mismatch> {
    let Value::Object(items) = value else {
        return Err(Mismatch::wrong_type("an object of quantities", value));
    };
    let mut units: u64 = 0;
    for (item, quantity) in items {
        match quantity.as_i64().map(u64::try_from) {
            Some(Ok(quantity)) => units = units.saturating_add(quantity),
            Some(Err(_)) => {
                let detail = format!("must be at least 0, got {quantity}");
                return Err(Mismatch::new(Reason::OutOfBounds, detail).inside(item));
            }
            None => return Err(Mismatch::wrong_type("integer", quantity).inside(item)),
        }
    }
    match spec.capacity {
        Some(Capacity::Units(most)) if units > most => {
            let detail = format!("must hold at most {most} units, got {units}");
            Err(Mismatch::new(Reason::OutOfBounds, detail))
        }
        _ => Ok(()),
    }
}

/// Gives a value that has been checked its one canonical form: numbers are floats, times are UTC with microseconds,
/// bags hold no zero, objects hold every declared field (its default or null) and no other.
pub(crate) fn normalize(spec: &ValueSpec, value: &mut Value) {
    match (spec.kind, value) {
        (ValueKind::Number, value) => {
            if let Some(number) = value.as_f64() {
                // Minus zero equals zero, but is another text: it would be another request.
                *value = Value::from(if number == 0.0 { 0.0 } else { number });
            }
        }
        (ValueKind::Timestamp, Value::String(text)) => {
            if let Some(moment) = Timestamp::parse_rfc3339(text) {
                *text = moment.to_rfc3339();
            }
        }
        (ValueKind::List, Value::Array(items)) => {
            if let Some(item_spec) = &spec.items {
                items.iter_mut().for_each(|item| normalize(item_spec, item));
            }
        }
        (ValueKind::Map, Value::Object(fields)) => {
            if let Some(value_spec) = &spec.values {
                fields
                    .values_mut()
                    .for_each(|field| normalize(value_spec, field));
            }
        }
        (ValueKind::Object, Value::Object(fields)) => {
            fields.retain(|name, _| spec.properties.contains_key(name));
            for (name, field_spec) in &spec.properties {
                let field = fields
                    .entry(name.as_str())
                    .or_insert_with(|| absent(field_spec));
                normalize(field_spec, field);
            }
        }
        (ValueKind::Bag, Value::Object(items)) => {
            items.retain(|_, quantity| quantity.as_i64() != Some(0))
        }
        _ => {}
    }
}

/// What an absent value that is not required stands for.
pub(crate) fn absent(spec: &ValueSpec) -> Value {
    spec.default.clone().unwrap_or(Value::Null)
}

/// A kind of value, for people.
pub(crate) fn kind_name(kind: ValueKind) -> &'static str {
    match kind {
        ValueKind::Integer => "integer",
        ValueKind::Number => "number",
        ValueKind::String => "text",
        ValueKind::Boolean => "boolean",
        ValueKind::Timestamp => "timestamp",
        ValueKind::List => "a list",
        ValueKind::Map | ValueKind::Object => "an object",
        ValueKind::Bag => "an object of quantities",
    }
}

/// A JSON value, for people: `text "x"`, `integer 5`, `a list`.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("boolean {value}"),
        Value::Number(number) if number.is_f64() => format!("number {number}"),
        Value::Number(number) => format!("integer {number}"),
        Value::String(text) => format!("text {:?}", shorten(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// True when `value` is nested deeper than [`MAX_VALUE_DEPTH`]; scalars have depth 1.
pub(crate) fn is_too_deep(value: &Value) -> bool {
    fn deeper_than(value: &Value, levels: usize) -> bool {
        match value {
            Value::Array(items) => {
                levels == 0 || items.iter().any(|item| deeper_than(item, levels - 1))
            }
            Value::Object(fields) => {
                levels == 0 || fields.values().any(|field| deeper_than(field, levels - 1))
            }
            _ => levels == 0,
        }
    }
    deeper_than(value, MAX_VALUE_DEPTH)
}
