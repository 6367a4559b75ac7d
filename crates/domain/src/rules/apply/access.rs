//! What a value must be for a function to go on: the value inside, or the fault.

use std::sync::Arc;

use crate::rules::fault::Fault;
use crate::rules::value::{Entries, Value};
use crate::time::Timestamp;

/// The int in a value.
pub(crate) fn int(value: &Value) -> Result<i64, Fault> {
    match value {
        Value::Int(number) => Ok(*number),
        other => Err(Fault::wrong_type("int", other.sort())),
    }
}

pub(super) fn double(value: &Value) -> Result<f64, Fault> {
    match value {
        Value::Double(number) => Ok(*number),
        other => Err(Fault::wrong_type("double", other.sort())),
    }
}

pub(super) fn string(value: &Value) -> Result<&Arc<str>, Fault> {
    match value {
        Value::Text(text) => Ok(text),
        other => Err(Fault::wrong_type("string", other.sort())),
    }
}

pub(super) fn time(value: &Value) -> Result<Timestamp, Fault> {
    match value {
        Value::Time(moment) => Ok(*moment),
        other => Err(Fault::wrong_type("timestamp", other.sort())),
    }
}

pub(super) fn list(value: &Value) -> Result<&[Value], Fault> {
    match value {
        Value::List(items) => Ok(items),
        other => Err(Fault::wrong_type("list", other.sort())),
    }
}

/// The entries of a map, object or bag.
pub(crate) fn entries(value: &Value) -> Result<&Entries, Fault> {
    match value {
        Value::Map(entries) => Ok(entries),
        other => Err(Fault::wrong_type("map", other.sort())),
    }
}
