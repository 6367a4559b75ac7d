//! What a case does to the state of entities: computed on the old state, applied as a whole, checked afterwards.

use std::sync::Arc;

use super::apply::{combine, entries, int, units};
use super::eval::{Machine, arithmetic};
use super::fault::Fault;
use super::node::Binary;
use super::plan::{CasePlan, EntityPlan, FieldEffect, TransferPart};
use super::value::{Value, widen};
use crate::definition::document::{Capacity, ValueSpec};
use crate::definition::value::{Reason, check_value};
use crate::entity::EntityId;

/// The entities of an action: what they were, and which names stand for the same one.
#[derive(Debug)]
pub(super) struct Cast<'a> {
    pub(super) plans: &'a [EntityPlan],
    pub(super) ids: &'a [EntityId],
    /// The state before, by name.
    pub(super) before: Vec<Value>,
    /// For each name the first name with the same entity.
    pub(super) first_name: Vec<usize>,
}

/// The state after a case, by name; equal for names of the same entity.
pub(super) fn apply(
    case: &CasePlan,
    cast: &Cast<'_>,
    machine: &mut Machine,
) -> Result<Vec<Value>, Fault> {
    let set = values(&case.set, machine)?;
    let add = values(&case.add, machine)?;
    let mut moved = Vec::with_capacity(case.transfer.len());
    for transfer in &case.transfer {
        for part in &transfer.parts {
            moved.push((transfer.from, transfer.to, part, machine.run(&part.amount)?));
        }
    }
    let mut touched: Vec<Option<usize>> = vec![None; cast.plans.len()];
    let effects = case.set.iter().chain(&case.add).map(|effect| effect.entity);
    for name in effects.chain(moved.iter().flat_map(|(from, to, _, _)| [*from, *to])) {
        touch(cast, &mut touched, name)?;
    }

    let mut states = cast.before.clone();
    for (effect, value) in case.set.iter().zip(set) {
        let fitted = value
            .coerce(&effect.ty)
            .map_err(|fault| fault.inside(&place(cast, effect.entity, &effect.field)))?;
        replace(&mut states, cast, effect.entity, &effect.field, fitted);
    }
    for (effect, value) in case.add.iter().zip(add) {
        let old = current(&states, cast, effect.entity, &effect.field)?;
        let new = sum(&old, value, Binary::Add)
            .map_err(|fault| fault.inside(&place(cast, effect.entity, &effect.field)))?;
        replace(&mut states, cast, effect.entity, &effect.field, new);
    }
    for (from, to, part, amount) in moved {
        transfer(&mut states, cast, (from, to), part, amount)
            .map_err(|fault| fault.inside(&part.field))?;
    }
    for (name, state) in states.iter().enumerate() {
        if touched.get(name).is_some_and(Option::is_some) {
            check_state(cast, name, state)?;
        }
    }
    // Names of the same entity show the same state.
    Ok(cast
        .first_name
        .iter()
        .map(|first| states.get(*first).cloned().unwrap_or(Value::Null))
        .collect())
}

fn values(effects: &[FieldEffect], machine: &mut Machine) -> Result<Vec<Value>, Fault> {
    effects
        .iter()
        .map(|effect| machine.run(&effect.value))
        .collect()
}

/// Two names for one entity may be read, but not both be changed: which change counts would be a matter of order.
fn touch(cast: &Cast<'_>, touched: &mut [Option<usize>], name: usize) -> Result<(), Fault> {
    let first = cast.first_name.get(name).copied().unwrap_or(name);
    let Some(place) = touched.get_mut(first) else {
        return Ok(());
    };
    match *place {
        Some(other) if other != name => {
            let called = |index: usize| cast.plans.get(index).map_or("", |plan| plan.name.as_ref());
            Err(Fault::same_entity(format!(
                "'{}' and '{}' are the same {}",
                called(other),
                called(name),
                entity_name(cast, first)
            )))
        }
        _ => {
            *place = Some(name);
            Ok(())
        }
    }
}

/// A field as whoever sent the request knows it: a path in the definition would tell players nothing.
fn place(cast: &Cast<'_>, name: usize, field: &str) -> String {
    format!("{}: {field}", entity_name(cast, name))
}

fn entity_name(cast: &Cast<'_>, name: usize) -> String {
    cast.ids
        .get(name)
        .map_or_else(String::new, |id| format!("{} '{}'", id.entity_type, id.key))
}

fn current(states: &[Value], cast: &Cast<'_>, name: usize, field: &str) -> Result<Value, Fault> {
    let state = cast
        .first_name
        .get(name)
        .and_then(|first| states.get(*first));
    let value = state.and_then(|state| state.entry(field));
    value
        .cloned()
        .ok_or_else(|| Fault::missing(format!("there is no '{field}'")))
}

fn replace(states: &mut [Value], cast: &Cast<'_>, name: usize, field: &str, value: Value) {
    let state = cast
        .first_name
        .get(name)
        .and_then(|first| states.get_mut(*first));
    let Some(Value::Map(fields)) = state else {
        return;
    };
    let fields = Arc::make_mut(fields);
    if let Some(place) = fields.iter_mut().find(|(known, _)| known.as_ref() == field) {
        place.1 = value;
    }
}

/// `old` with `amount` more (or less): numbers and bags.
fn sum(old: &Value, amount: Value, operator: Binary) -> Result<Value, Fault> {
    match (old, amount) {
        (Value::Map(_), amount) => combine(old, &amount, operator),
        (Value::Double(_), Value::Int(number)) => {
            arithmetic(operator, old, &Value::Double(widen(number)))
        }
        (old, amount) => arithmetic(operator, old, &amount),
    }
}

fn transfer(
    states: &mut [Value],
    cast: &Cast<'_>,
    (from, to): (usize, usize),
    part: &TransferPart,
    amount: Value,
) -> Result<(), Fault> {
    let giver = current(states, cast, from, &part.field)?;
    let taker = current(states, cast, to, &part.field)?;
    let short = |what: String| {
        Fault::insufficient(format!(
            "{} has not enough: {what}",
            entity_name(cast, from)
        ))
    };
    let left = match &amount {
        Value::Map(items) => {
            for (item, count) in items.iter() {
                let (count, held) = (int(count)?, super::apply::held(&giver, item)?);
                if count < 0 {
                    return Err(Fault::out_of_bounds(format!(
                        "{count} of '{item}' can't be moved"
                    )));
                }
                if held < count {
                    return Err(short(format!("{held} of '{item}', and {count} are needed")));
                }
            }
            sum(&giver, amount.clone(), Binary::Subtract)?
        }
        number => {
            if as_double(number).is_none_or(|number| number < 0.0) {
                return Err(Fault::out_of_bounds(
                    "a negative amount can't be moved".to_owned(),
                ));
            }
            let left = sum(&giver, number.clone(), Binary::Subtract)?;
            if let (Some(minimum), Some(rest)) = (part.minimum, as_double(&left))
                && rest < minimum
            {
                return Err(short(format!(
                    "'{}' would fall below {minimum}",
                    part.field
                )));
            }
            left
        }
    };
    let grown = sum(&taker, amount, Binary::Add)?;
    replace(states, cast, from, &part.field, left);
    replace(states, cast, to, &part.field, grown);
    Ok(())
}

fn as_double(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(widen(*number)),
        Value::Double(number) => Some(*number),
        _ => None,
    }
}

/// Bounds, lengths, allowed values and capacities of a state.
fn check_state(cast: &Cast<'_>, name: usize, state: &Value) -> Result<(), Fault> {
    let Some(plan) = cast.plans.get(name) else {
        return Ok(());
    };
    let place = |fault: Fault| fault.inside(&entity_name(cast, name));
    for (field, spec, _) in &plan.entity_type.fields {
        let Some(value) = state.entry(field) else {
            continue;
        };
        check_capacity(state, value, spec).map_err(|fault| place(fault.inside(field)))?;
        check_bounds(value, spec).map_err(|fault| place(fault.inside(field)))?;
    }
    Ok(())
}

fn check_capacity(state: &Value, value: &Value, spec: &ValueSpec) -> Result<(), Fault> {
    let room = match &spec.capacity {
        None => return Ok(()),
        _ if *value == Value::Null => return Ok(()),
        Some(Capacity::Units(most)) => i64::try_from(*most).unwrap_or(i64::MAX),
        Some(Capacity::Field(name)) => state.entry(name).map_or(Ok(0), int)?,
    };
    let held = units(entries(value)?)?;
    if held <= room {
        return Ok(());
    }
    Err(Fault::over_capacity(format!(
        "{held} units, and there is room for {room}"
    )))
}

/// Refuses a value that its declaration doesn't allow.
pub(super) fn check_bounds(value: &Value, spec: &ValueSpec) -> Result<(), Fault> {
    check_value(spec, &value.to_json()?, true).map_err(|mismatch| {
        let detail = format!(
            "{}{}",
            mismatch.detail,
            crate::definition::value::describe_place(&mismatch.pointer)
        );
        match mismatch.reason {
            Reason::WrongType => Fault::wrong_type("a value as declared", &detail),
            _ => Fault::out_of_bounds(detail),
        }
    })
}
