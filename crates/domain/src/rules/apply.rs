//! What the functions of [`super::functions::TABLE`] do.

mod access;
mod bags;

use std::cmp::Ordering;
use std::sync::Arc;

use super::eval::{Machine, arithmetic, compare};
use super::fault::Fault;
use super::functions::Op;
use super::node::Binary;
use super::value::{Value, widen};
use access::{double, list, string, time};
pub(crate) use access::{entries, int};
pub(crate) use bags::{combine, held, units};

use crate::request::hostname;
use crate::time::Timestamp;

/// The longest list that `range` makes: enough for any game board, and a bound on what a rule can allocate.
const MAX_RANGE: i64 = 10_000;

/// The value of a call. The checker made sure of the number and the types of the arguments, except for dynamic ones.
pub(crate) fn call(op: Op, args: Vec<Value>, machine: &mut Machine) -> Result<Value, Fault> {
    let mut args = args.into_iter();
    let [one, two, three] =
        [args.next(), args.next(), args.next()].map(|arg| arg.unwrap_or(Value::Null));
    if looks_at_all(op) {
        machine.spend(one.weight() + two.weight())?;
    }
    match op {
        Op::Random
        | Op::RandomInt
        | Op::Pick
        | Op::PickWeighted
        | Op::PickWeightedDoubles
        | Op::NextId
        | Op::Uuid => draw(op, &one, &two, machine),
        Op::Max
        | Op::Min
        | Op::MaxOf
        | Op::MinOf
        | Op::Abs
        | Op::Round
        | Op::Floor
        | Op::Ceil
        | Op::Sum
        | Op::SumDoubles => number(op, one, two),
        Op::ToInt | Op::ToDouble | Op::ToText | Op::ToTime => convert(op, one),
        Op::Contains
        | Op::StartsWith
        | Op::EndsWith
        | Op::Matches
        | Op::Lower
        | Op::Upper
        | Op::Trim
        | Op::Replace
        | Op::Split
        | Op::Join
        | Op::Substring
        | Op::Hostname => text(op, &one, &two, &three, machine),
        Op::BagOfItems
        | Op::BagOfCounts
        | Op::Tally
        | Op::Units
        | Op::Covers
        | Op::Plus
        | Op::Minus => bags::call(op, &one, &two),
        Op::Size | Op::Keys | Op::Values | Op::Range | Op::Distinct => {
            collection(op, &one, machine)
        }
        Op::OrElse => Ok(if one == Value::Null { two } else { one }),
        Op::AddSeconds => {
            let moment = int(&two)?
                .checked_mul(1_000_000)
                .and_then(|micros| micros.checked_add(time(&one).ok()?.micros()))
                .ok_or_else(|| {
                    Fault::arithmetic("the moment is beyond what a timestamp holds".to_owned())
                })?;
            Ok(Value::Time(Timestamp::from_micros(moment)))
        }
        Op::SecondsBetween => match time(&two)?.micros().checked_sub(time(&one)?.micros()) {
            Some(micros) => Ok(Value::Int(micros / 1_000_000)),
            None => Err(Fault::arithmetic(
                "the moments are too far apart".to_owned(),
            )),
        },
    }
}

/// True for functions that look at each item of their arguments and don't count that themselves.
fn looks_at_all(op: Op) -> bool {
    matches!(
        op,
        Op::MaxOf
            | Op::MinOf
            | Op::Sum
            | Op::SumDoubles
            | Op::PickWeighted
            | Op::PickWeightedDoubles
            | Op::BagOfItems
            | Op::BagOfCounts
            | Op::Tally
            | Op::Units
            | Op::Covers
            | Op::Plus
            | Op::Minus
    )
}

fn draw(op: Op, one: &Value, two: &Value, machine: &mut Machine) -> Result<Value, Fault> {
    let no_weight = || Fault::missing("pick() needs a weight above zero and none below".to_owned());
    match op {
        Op::Random => Ok(Value::Double(machine.draws.unit())),
        Op::RandomInt => {
            let (low, high) = (int(one)?, int(two)?);
            let empty =
                || Fault::missing(format!("randomInt({low}, {high}) has nothing to draw from"));
            Ok(Value::Int(
                machine.draws.between(low, high).ok_or_else(empty)?,
            ))
        }
        Op::NextId => {
            let name = string(one)?;
            let Some(next) = machine.counters.get_mut(name.as_ref()) else {
                return Err(Fault::missing(format!(
                    "the counter of '{name}' was not loaded"
                )));
            };
            let id = *next;
            *next = id
                .checked_add(1)
                .ok_or_else(|| Fault::arithmetic(format!("no ids left for '{name}'")))?;
            Ok(Value::Int(id))
        }
        Op::Uuid => {
            let now = machine.now;
            Ok(Value::Text(Arc::from(machine.draws.uuid(now))))
        }
        _ => {
            let items = list(one)?;
            let place = match op {
                Op::PickWeighted => {
                    let weights: Vec<i64> = list(two)?.iter().map(int).collect::<Result<_, _>>()?;
                    same_length(items.len(), weights.len())?;
                    machine.draws.weighted(&weights).ok_or_else(no_weight)?
                }
                Op::PickWeightedDoubles => {
                    let weights: Vec<f64> =
                        list(two)?.iter().map(double).collect::<Result<_, _>>()?;
                    same_length(items.len(), weights.len())?;
                    machine
                        .draws
                        .weighted_doubles(&weights)
                        .ok_or_else(no_weight)?
                }
                _ => {
                    let bound = u64::try_from(items.len()).unwrap_or(u64::MAX);
                    usize::try_from(machine.draws.below(bound)).unwrap_or(usize::MAX)
                }
            };
            items
                .get(place)
                .cloned()
                .ok_or_else(|| Fault::missing("pick() of an empty list".to_owned()))
        }
    }
}

fn same_length(items: usize, others: usize) -> Result<(), Fault> {
    if items == others {
        return Ok(());
    }
    Err(Fault::missing(format!(
        "{items} items but {others} beside them: the lists must be equally long"
    )))
}

fn number(op: Op, one: Value, two: Value) -> Result<Value, Fault> {
    match op {
        Op::Max => Ok(if compare(&one, &two)? == Some(Ordering::Less) {
            two
        } else {
            one
        }),
        Op::Min => Ok(if compare(&one, &two)? == Some(Ordering::Greater) {
            two
        } else {
            one
        }),
        Op::MaxOf | Op::MinOf => {
            let pairwise = if op == Op::MaxOf { Op::Max } else { Op::Min };
            let mut items = list(&one)?.iter().cloned();
            let first = items
                .next()
                .ok_or_else(|| Fault::missing("the list is empty".to_owned()))?;
            items.try_fold(first, |best, item| number(pairwise, best, item))
        }
        Op::Sum | Op::SumDoubles => {
            let zero = if op == Op::Sum {
                Value::Int(0)
            } else {
                Value::Double(0.0)
            };
            list(&one)?
                .iter()
                .try_fold(zero, |total, item| arithmetic(Binary::Add, &total, item))
        }
        Op::Abs => match one {
            Value::Int(whole) => match whole.checked_abs() {
                Some(positive) => Ok(Value::Int(positive)),
                None => Err(Fault::arithmetic(format!("abs({whole}) is beyond 64 bits"))),
            },
            other => Ok(Value::Double(double(&other)?.abs())),
        },
        _ => {
            let exact = double(&one)?;
            whole(match op {
                Op::Round => exact.round(),
                Op::Floor => exact.floor(),
                _ => exact.ceil(),
            })
        }
    }
}

/// A double without a fraction as an int.
fn whole(number: f64) -> Result<Value, Fault> {
    // The bounds of i64 as doubles; the upper one is the first that doesn't fit.
    const LOW: f64 = -9_223_372_036_854_775_808.0;
    const HIGH: f64 = 9_223_372_036_854_775_808.0;
    if (LOW..HIGH).contains(&number) {
        return Ok(Value::Int(number as i64));
    }
    Err(Fault::arithmetic(format!("{number} is beyond 64 bits")))
}

fn convert(op: Op, one: Value) -> Result<Value, Fault> {
    match (op, one) {
        (Op::ToInt, Value::Double(number)) => whole(number.trunc()),
        (Op::ToInt, Value::Text(text)) => match text.trim().parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) => Err(Fault::arithmetic(format!("'{text}' is not a whole number"))),
        },
        (Op::ToInt, value) => Ok(Value::Int(int(&value)?)),
        (Op::ToDouble, Value::Int(number)) => Ok(Value::Double(widen(number))),
        (Op::ToDouble, Value::Text(text)) => match text.trim().parse() {
            Ok(number) => Ok(Value::Double(number)),
            Err(_) => Err(Fault::arithmetic(format!("'{text}' is not a number"))),
        },
        (Op::ToDouble, value) => Ok(Value::Double(double(&value)?)),
        (Op::ToTime, value) => {
            let text = string(&value)?;
            match Timestamp::parse_rfc3339(text) {
                Some(moment) => Ok(Value::Time(moment)),
                None => Err(Fault::arithmetic(format!(
                    "'{text}' is not an RFC 3339 time"
                ))),
            }
        }
        (_, Value::Text(text)) => Ok(Value::Text(text)),
        (_, Value::Int(number)) => Ok(Value::Text(Arc::from(number.to_string()))),
        (_, Value::Double(number)) => Ok(Value::Text(Arc::from(number.to_string()))),
        (_, Value::Bool(flag)) => Ok(Value::text(if flag { "true" } else { "false" })),
        (_, Value::Time(moment)) => Ok(Value::Text(Arc::from(moment.to_rfc3339()))),
        (_, other) => Err(Fault::wrong_type("a simple value", other.sort())),
    }
}

fn text(
    op: Op,
    one: &Value,
    two: &Value,
    three: &Value,
    machine: &mut Machine,
) -> Result<Value, Fault> {
    if op == Op::Join {
        let separator = string(two)?;
        let parts: Vec<&str> = list(one)?
            .iter()
            .map(|part| string(part).map(AsRef::as_ref))
            .collect::<Result<_, _>>()?;
        machine.spend_size(parts.iter().map(|part| part.len() + separator.len()).sum())?;
        return Ok(Value::Text(Arc::from(parts.join(separator))));
    }
    let subject = string(one)?;
    machine.spend_size(subject.len())?;
    Ok(match op {
        Op::Contains => Value::Bool(subject.contains(string(two)?.as_ref())),
        Op::StartsWith => Value::Bool(subject.starts_with(string(two)?.as_ref())),
        Op::EndsWith => Value::Bool(subject.ends_with(string(two)?.as_ref())),
        Op::Lower => Value::Text(Arc::from(subject.to_ascii_lowercase())),
        Op::Upper => Value::Text(Arc::from(subject.to_ascii_uppercase())),
        Op::Trim => Value::text(subject.trim()),
        Op::Hostname => Value::text(hostname(subject)),
        Op::Replace => {
            let (from, to) = (string(two)?.as_ref(), string(three)?.as_ref());
            machine.spend_size(subject.len().saturating_mul(to.len().max(1)))?;
            Value::Text(Arc::from(subject.replace(from, to)))
        }
        Op::Split => {
            machine.spend_size(subject.len().saturating_mul(16))?;
            Value::list(
                subject
                    .split(string(two)?.as_ref())
                    .map(Value::text)
                    .collect(),
            )
        }
        Op::Substring => {
            let place = |value: &Value| {
                int(value).map(|number| usize::try_from(number.max(0)).unwrap_or(usize::MAX))
            };
            let (from, to) = (place(two)?, place(three)?);
            let cut: String = subject.chars().take(to).skip(from).collect();
            Value::Text(Arc::from(cut))
        }
        // `matches` is a node of its own, because its pattern is compiled at load.
        _ => return Err(Fault::wrong_type("a function of text", one.sort())),
    })
}

fn collection(op: Op, one: &Value, machine: &mut Machine) -> Result<Value, Fault> {
    let length = |size: usize| Value::Int(i64::try_from(size).unwrap_or(i64::MAX));
    match (op, one) {
        (Op::Size, Value::Text(text)) => Ok(length(text.chars().count())),
        (Op::Size, Value::List(items)) => Ok(length(items.len())),
        (Op::Size, Value::Map(entries)) => Ok(length(entries.len())),
        (Op::Keys, Value::Map(entries)) => {
            machine.spend_size(entries.len() * 16)?;
            Ok(Value::list(
                entries
                    .iter()
                    .map(|(key, _)| Value::Text(key.clone()))
                    .collect(),
            ))
        }
        (Op::Values, Value::Map(entries)) => {
            machine.spend_size(entries.len() * 16)?;
            Ok(Value::list(
                entries.iter().map(|(_, value)| value.clone()).collect(),
            ))
        }
        (Op::Range, Value::Int(end)) if *end <= MAX_RANGE => {
            machine.spend(u64::try_from(*end).unwrap_or(0))?;
            Ok(Value::list((0..*end).map(Value::Int).collect()))
        }
        (Op::Range, Value::Int(end)) => Err(Fault::too_complex(format!(
            "range({end}): the most is {MAX_RANGE}"
        ))),
        (Op::Distinct, Value::List(items)) => {
            let mut kept: Vec<Value> = Vec::new();
            for item in items.iter() {
                machine.spend(1 + u64::try_from(kept.len()).unwrap_or(u64::MAX))?;
                if !kept.contains(item) {
                    kept.push(item.clone());
                }
            }
            Ok(Value::list(kept))
        }
        (_, other) => Err(Fault::wrong_type("a collection", other.sort())),
    }
}
