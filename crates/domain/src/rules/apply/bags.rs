//! Bags: items and how many of each.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{entries, int, list, same_length, string};
use crate::rules::eval::arithmetic;
use crate::rules::fault::Fault;
use crate::rules::functions::Op;
use crate::rules::node::Binary;
use crate::rules::value::{Entries, Value, normal_bag};

/// The functions of bags.
pub(super) fn call(op: Op, one: &Value, two: &Value) -> Result<Value, Fault> {
    match op {
        Op::Units => Ok(Value::Int(units(entries(one)?)?)),
        Op::Covers => {
            let needed = entries(two)?;
            for (item, count) in needed {
                if held(one, item)? < int(count)? {
                    return Ok(Value::Bool(false));
                }
            }
            Ok(Value::Bool(true))
        }
        Op::Plus => combine(one, two, Binary::Add),
        Op::Minus => {
            if call(Op::Covers, one, two)? == Value::Bool(false) {
                return Err(Fault::insufficient(
                    "minus(): the first bag doesn't cover the second".to_owned(),
                ));
            }
            combine(one, two, Binary::Subtract)
        }
        Op::Tally => count_up(list(one)?.iter().map(|item| Ok((string(item)?.clone(), 1)))),
        Op::BagOfCounts => {
            let (items, counts) = (list(one)?, list(two)?);
            same_length(items.len(), counts.len())?;
            count_up(
                items
                    .iter()
                    .zip(counts.iter())
                    .map(|(item, count)| Ok((string(item)?.clone(), int(count)?))),
            )
        }
        _ => count_up(list(one)?.iter().map(|object| {
            let absent = |name: &str| Fault::missing(format!("an item has no '{name}'"));
            let item = match object.entry("item_id").ok_or_else(|| absent("item_id"))? {
                Value::Int(number) => Arc::from(number.to_string()),
                other => string(other)?.clone(),
            };
            Ok((
                item,
                int(object.entry("quantity").ok_or_else(|| absent("quantity"))?)?,
            ))
        })),
    }
}

fn count_up(counts: impl Iterator<Item = Result<(Arc<str>, i64), Fault>>) -> Result<Value, Fault> {
    let mut all = BTreeMap::<Arc<str>, i64>::new();
    for count in counts {
        let (item, count) = count?;
        if count < 0 {
            return Err(Fault::out_of_bounds(format!(
                "a bag can't hold {count} of '{item}'"
            )));
        }
        let held = all.entry(item.clone()).or_default();
        *held = held
            .checked_add(count)
            .ok_or_else(|| Fault::arithmetic(format!("too many of '{item}'")))?;
    }
    Ok(Value::sorted_map(
        all.into_iter()
            .filter(|(_, count)| *count != 0)
            .map(|(item, count)| (item, Value::Int(count)))
            .collect(),
    ))
}

/// How many units the entries of a bag hold in all.
pub(crate) fn units(bag: &Entries) -> Result<i64, Fault> {
    bag.iter().try_fold(0_i64, |total, (item, count)| {
        total
            .checked_add(int(count)?)
            .ok_or_else(|| Fault::arithmetic(format!("too many units with '{item}'")))
    })
}

/// How many of an item a bag holds.
pub(crate) fn held(bag: &Value, item: &str) -> Result<i64, Fault> {
    bag.entry(item).map_or(Ok(0), int)
}

/// Both bags together, or the first without the second: `operator` is `Add` or `Subtract`. The result may be negative
/// only on the way: [`normal_bag`] refuses it.
pub(crate) fn combine(one: &Value, two: &Value, operator: Binary) -> Result<Value, Fault> {
    let mut counts: BTreeMap<Arc<str>, Value> = entries(one)?.iter().cloned().collect();
    for (item, count) in entries(two)? {
        let held = counts.get(item).cloned().unwrap_or(Value::Int(0));
        counts.insert(item.clone(), arithmetic(operator, &held, count)?);
    }
    normal_bag(&counts.into_iter().collect())
}
