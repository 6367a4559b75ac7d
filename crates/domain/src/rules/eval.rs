//! The evaluator: from a checked expression and a frame of values to a value, or a fault. Bounded in time and memory.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::apply;
use super::fault::Fault;
use super::node::{Binary, Expression, Loop, LoopSort, Node};
use super::random::Draws;
use super::value::Value;
use crate::time::Timestamp;

/// How much one decision may compute, in steps of an evaluation (tens of nanoseconds each): no decision takes longer
/// than some tens of milliseconds, whatever its loops and parameters are.
pub(crate) const MAX_STEPS: u64 = 1_000_000;
/// How many characters or items of a new text or list count as one step.
const SIZE_PER_STEP: u64 = 16;

/// What an evaluation works with: the values of names, and what functions need besides their arguments.
#[derive(Debug)]
pub(crate) struct Machine {
    frame: Vec<Result<Value, Fault>>,
    steps: u64,
    /// The stream of random draws.
    pub(crate) draws: Draws,
    /// The decision's time.
    pub(crate) now: Timestamp,
    /// Next id by entity type, for the counters that were loaded.
    pub(crate) counters: BTreeMap<String, i64>,
}

impl Machine {
    /// A machine with room for that many names.
    pub(crate) fn new(slots: usize, draws: Draws, now: Timestamp) -> Self {
        Self {
            frame: vec![Ok(Value::Null); slots],
            steps: MAX_STEPS,
            draws,
            now,
            counters: BTreeMap::new(),
        }
    }

    /// Gives a name its value.
    pub(crate) fn set(&mut self, slot: usize, value: Value) {
        self.set_outcome(slot, Ok(value));
    }

    /// Gives a name its value, or the fault that whoever reads it will meet.
    pub(crate) fn set_outcome(&mut self, slot: usize, outcome: Result<Value, Fault>) {
        if self.frame.len() <= slot {
            self.frame.resize(slot + 1, Ok(Value::Null));
        }
        if let Some(place) = self.frame.get_mut(slot) {
            *place = outcome;
        }
    }

    /// The value of an expression; a fault names the expression's place.
    pub(crate) fn run(&mut self, expression: &Expression) -> Result<Value, Fault> {
        self.eval(&expression.node)
            .map_err(|fault| fault.inside(&expression.path))
    }

    /// The value of an expression that the checker found to be a boolean.
    pub(crate) fn holds(&mut self, expression: &Expression) -> Result<bool, Fault> {
        match self.run(expression)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(Fault::wrong_type("bool", other.sort()).inside(&expression.path)),
        }
    }

    /// The value of an expression that the checker found to be text.
    pub(crate) fn text(&mut self, expression: &Expression) -> Result<Arc<str>, Fault> {
        match self.run(expression)? {
            Value::Text(text) => Ok(text),
            other => Err(Fault::wrong_type("string", other.sort()).inside(&expression.path)),
        }
    }

    /// Counts work, and refuses when it is too much.
    pub(crate) fn spend(&mut self, steps: u64) -> Result<(), Fault> {
        match self.steps.checked_sub(steps) {
            Some(left) => {
                self.steps = left;
                Ok(())
            }
            None => Err(Fault::too_complex(format!(
                "more than {MAX_STEPS} steps of computation"
            ))),
        }
    }

    /// Counts the making of a text or list of that size.
    pub(crate) fn spend_size(&mut self, size: usize) -> Result<(), Fault> {
        self.spend(u64::try_from(size).unwrap_or(u64::MAX) / SIZE_PER_STEP)
    }

    pub(crate) fn eval(&mut self, node: &Node) -> Result<Value, Fault> {
        self.spend(1)?;
        match node {
            Node::Const(value) => Ok(value.clone()),
            Node::Slot(slot) => match self.frame.get(*slot) {
                Some(outcome) => outcome.clone(),
                None => Err(Fault::missing(format!("slot {slot} has no value"))),
            },
            Node::Field(operand, name) => {
                let whole = self.eval(operand)?;
                field(&whole, name)
            }
            Node::Has(operand, name) => {
                let whole = self.eval(operand)?;
                Ok(Value::Bool(
                    whole.entry(name).is_some_and(|value| *value != Value::Null),
                ))
            }
            Node::Index(operand, key) => {
                let whole = self.eval(operand)?;
                let key = self.eval(key)?;
                index(&whole, &key)
            }
            Node::Count(operand, key) => {
                let whole = self.eval(operand)?;
                match self.eval(key)? {
                    Value::Text(item) => Ok(whole.entry(&item).cloned().unwrap_or(Value::Int(0))),
                    other => Err(Fault::wrong_type("string", other.sort())),
                }
            }
            Node::Not(inner) => Ok(Value::Bool(!self.eval_bool(inner)?)),
            Node::Negate(inner) => negate(&self.eval(inner)?),
            Node::And(one, other) => self.logic(one, other, false),
            Node::Or(one, other) => self.logic(one, other, true),
            Node::Choose(parts) => {
                let [condition, then, otherwise] = parts.as_ref();
                if self.eval_bool(condition)? {
                    self.eval(then)
                } else {
                    self.eval(otherwise)
                }
            }
            Node::Binary(operator, one, other) => {
                let left = self.eval(one)?;
                let right = self.eval(other)?;
                self.binary(*operator, left, right)
            }
            Node::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    values.push(self.eval(item)?);
                }
                Ok(Value::list(values))
            }
            Node::Map(entries) => self.map_literal(entries),
            Node::Loop(inner) => self.loop_over(inner),
            Node::Call(op, args) => {
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    values.push(self.eval(arg)?);
                }
                apply::call(*op, values, self)
            }
            Node::Matches(operand, regex) => match self.eval(operand)? {
                Value::Text(text) => {
                    self.spend_size(text.len())?;
                    Ok(Value::Bool(regex.is_match(&text)))
                }
                other => Err(Fault::wrong_type("string", other.sort())),
            },
        }
    }

    fn eval_bool(&mut self, node: &Node) -> Result<bool, Fault> {
        match self.eval(node)? {
            Value::Bool(flag) => Ok(flag),
            other => Err(Fault::wrong_type("bool", other.sort())),
        }
    }

    /// `&&` (decided by false) and `||` (decided by true). The right side is evaluated when the left doesn't decide; a
    /// fault on the left is forgiven when the right decides, as CEL says.
    fn logic(&mut self, one: &Node, other: &Node, decisive: bool) -> Result<Value, Fault> {
        match self.eval_bool(one) {
            Ok(left) if left == decisive => Ok(Value::Bool(decisive)),
            Ok(_) => Ok(Value::Bool(self.eval_bool(other)?)),
            Err(fault) => match self.eval_bool(other) {
                Ok(right) if right == decisive => Ok(Value::Bool(decisive)),
                _ => Err(fault),
            },
        }
    }

    fn map_literal(&mut self, entries: &[(Node, Node)]) -> Result<Value, Fault> {
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = match self.eval(key)? {
                Value::Text(name) => name,
                other => return Err(Fault::wrong_type("string", other.sort())),
            };
            values.push((name, self.eval(value)?));
        }
        Ok(Value::map(values))
    }

    fn loop_over(&mut self, inner: &Loop) -> Result<Value, Fault> {
        let items = match self.eval(&inner.over)? {
            Value::List(items) => items,
            other => return Err(Fault::wrong_type("list", other.sort())),
        };
        match inner.sort {
            LoopSort::All => self.decide_over(inner, &items, false),
            LoopSort::Exists => self.decide_over(inner, &items, true),
            LoopSort::ExistsOne => {
                let mut count = 0_usize;
                for item in items.iter() {
                    self.set(inner.slot, item.clone());
                    count += usize::from(self.eval_bool(&inner.body)?);
                }
                Ok(Value::Bool(count == 1))
            }
            LoopSort::Map | LoopSort::Filter => {
                let mut kept = Vec::new();
                for item in items.iter() {
                    self.set(inner.slot, item.clone());
                    if let Some(condition) = &inner.condition
                        && !self.eval_bool(condition)?
                    {
                        continue;
                    }
                    if inner.sort == LoopSort::Map {
                        kept.push(self.eval(&inner.body)?);
                    } else if self.eval_bool(&inner.body)? {
                        kept.push(item.clone());
                    }
                }
                Ok(Value::list(kept))
            }
        }
    }

    /// `exists` (decided by true) and `all` (decided by false); a fault counts only when nothing decides.
    fn decide_over(
        &mut self,
        inner: &Loop,
        items: &[Value],
        decisive: bool,
    ) -> Result<Value, Fault> {
        let mut first_fault = None;
        for item in items {
            self.set(inner.slot, item.clone());
            match self.eval_bool(&inner.body) {
                Ok(flag) if flag == decisive => return Ok(Value::Bool(decisive)),
                Ok(_) => {}
                Err(fault) => first_fault = first_fault.or(Some(fault)),
            }
        }
        first_fault.map_or(Ok(Value::Bool(!decisive)), Err)
    }

    fn binary(&mut self, operator: Binary, left: Value, right: Value) -> Result<Value, Fault> {
        if matches!(operator, Binary::Equal | Binary::NotEqual | Binary::In) {
            self.spend(right.weight())?;
        }
        match operator {
            Binary::Equal => Ok(Value::Bool(left == right)),
            Binary::NotEqual => Ok(Value::Bool(left != right)),
            Binary::In => membership(&left, &right),
            Binary::Less => Ok(Value::Bool(compare(&left, &right)? == Some(Ordering::Less))),
            Binary::LessOrEqual => Ok(Value::Bool(
                compare(&left, &right)?.is_some_and(Ordering::is_le),
            )),
            Binary::Greater => Ok(Value::Bool(
                compare(&left, &right)? == Some(Ordering::Greater),
            )),
            Binary::GreaterOrEqual => Ok(Value::Bool(
                compare(&left, &right)?.is_some_and(Ordering::is_ge),
            )),
            Binary::Add => match (left, right) {
                (Value::Text(left), Value::Text(right)) => {
                    self.spend_size(left.len() + right.len())?;
                    let mut text = String::with_capacity(left.len() + right.len());
                    text.push_str(&left);
                    text.push_str(&right);
                    Ok(Value::Text(Arc::from(text)))
                }
                (Value::List(left), Value::List(right)) => {
                    self.spend_size((left.len() + right.len()) * 16)?;
                    Ok(Value::list(
                        left.iter().chain(right.iter()).cloned().collect(),
                    ))
                }
                (left, right) => arithmetic(operator, &left, &right),
            },
            Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                arithmetic(operator, &left, &right)
            }
        }
    }
}

fn field(whole: &Value, name: &str) -> Result<Value, Fault> {
    match whole {
        Value::Map(_) => match whole.entry(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Fault::missing(format!("there is no '{name}'"))),
        },
        other => Err(Fault::wrong_type("map", other.sort())),
    }
}

fn index(whole: &Value, key: &Value) -> Result<Value, Fault> {
    match (whole, key) {
        (Value::Map(_), Value::Text(name)) => field(whole, name),
        (Value::List(items), Value::Int(position)) => {
            let found = usize::try_from(*position)
                .ok()
                .and_then(|place| items.get(place));
            found.cloned().ok_or_else(|| {
                Fault::missing(format!("a list of {} has no item {position}", items.len()))
            })
        }
        (Value::Map(_), other) => Err(Fault::wrong_type("string", other.sort())),
        (Value::List(_), other) => Err(Fault::wrong_type("int", other.sort())),
        (other, _) => Err(Fault::wrong_type("list or map", other.sort())),
    }
}

fn membership(item: &Value, whole: &Value) -> Result<Value, Fault> {
    match (whole, item) {
        (Value::List(items), item) => Ok(Value::Bool(items.contains(item))),
        (Value::Map(_), Value::Text(name)) => Ok(Value::Bool(whole.entry(name).is_some())),
        (Value::Map(_), other) => Err(Fault::wrong_type("string", other.sort())),
        (other, _) => Err(Fault::wrong_type("list or map", other.sort())),
    }
}

fn negate(value: &Value) -> Result<Value, Fault> {
    match value {
        Value::Int(number) => match number.checked_neg() {
            Some(negative) => Ok(Value::Int(negative)),
            None => Err(Fault::arithmetic(format!("-({number}) is beyond 64 bits"))),
        },
        Value::Double(number) => Ok(Value::Double(-number)),
        other => Err(Fault::wrong_type("number", other.sort())),
    }
}

/// How two values compare; `None` for numbers that don't (NaN).
pub(crate) fn compare(left: &Value, right: &Value) -> Result<Option<Ordering>, Fault> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => Ok(Some(left.cmp(right))),
        (Value::Double(left), Value::Double(right)) => Ok(left.partial_cmp(right)),
        (Value::Text(left), Value::Text(right)) => Ok(Some(left.cmp(right))),
        (Value::Time(left), Value::Time(right)) => Ok(Some(left.cmp(right))),
        (left, right) => Err(Fault::wrong_type(left.sort(), right.sort())),
    }
}

/// Arithmetic on two numbers of one sort. Whole numbers never wrap.
pub(crate) fn arithmetic(operator: Binary, left: &Value, right: &Value) -> Result<Value, Fault> {
    match (left, right) {
        (Value::Int(left), Value::Int(right)) => {
            if *right == 0 && matches!(operator, Binary::Divide | Binary::Modulo) {
                return Err(Fault::arithmetic(format!("division of {left} by zero")));
            }
            let result = match operator {
                Binary::Add => left.checked_add(*right),
                Binary::Subtract => left.checked_sub(*right),
                Binary::Multiply => left.checked_mul(*right),
                Binary::Divide => left.checked_div(*right),
                _ => left.checked_rem(*right),
            };
            match result {
                Some(number) => Ok(Value::Int(number)),
                None => Err(Fault::arithmetic(format!(
                    "{left} {} {right} is beyond 64 bits",
                    operator.symbol()
                ))),
            }
        }
        (Value::Double(left), Value::Double(right)) => Ok(Value::Double(match operator {
            Binary::Add => left + right,
            Binary::Subtract => left - right,
            Binary::Multiply => left * right,
            Binary::Divide => left / right,
            _ => return Err(Fault::wrong_type("int", "double")),
        })),
        (Value::Int(_) | Value::Double(_), other) => {
            Err(Fault::wrong_type(left.sort(), other.sort()))
        }
        (other, _) => Err(Fault::wrong_type("number", other.sort())),
    }
}
