//! What an expression can see: names with their types, and what is known not to be null.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::ast::{Expr as Cel, IdedExpr, LiteralValue, operators as op};

use crate::rules::functions::Needs;
use crate::rules::types::Type;
use crate::rules::value::Value;

/// Where the value of a name is.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In a slot of the evaluation's frame.
    Slot(usize),
    /// Known at load.
    Constant(Value),
}

/// The names an expression can see, and which functions it may call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    names: BTreeMap<Arc<str>, (Type, Place)>,
    facts: Vec<String>,
    draws: bool,
    decision: bool,
    counters: Vec<String>,
    first_local: usize,
}

impl Scope {
    /// A scope whose macro variables use slots from `first_local`.
    pub(crate) fn new(first_local: usize) -> Self {
        Self {
            first_local,
            ..Self::default()
        }
    }

    /// Adds a variable.
    pub(crate) fn slot(&mut self, name: &str, ty: Type, slot: usize) {
        self.names.insert(Arc::from(name), (ty, Place::Slot(slot)));
    }

    /// Adds a constant.
    pub(crate) fn constant(&mut self, name: &str, ty: Type, value: Value) {
        self.names
            .insert(Arc::from(name), (ty, Place::Constant(value)));
    }

    /// Lets expressions draw random numbers.
    pub(crate) fn allow_draws(&mut self) {
        self.draws = true;
    }

    /// Lets expressions use what only a decision has; `counters` are the names that `nextId` takes.
    pub(crate) fn allow_decision(&mut self, counters: Vec<String>) {
        self.draws = true;
        self.decision = true;
        self.counters = counters;
    }

    /// Remembers that these paths are not null from here on, because a condition made sure of it.
    pub(crate) fn learn(&mut self, facts: &[String]) {
        self.facts.extend_from_slice(facts);
    }

    pub(super) fn facts(&self) -> &[String] {
        &self.facts
    }

    pub(super) fn find(&self, name: &str) -> Option<&(Type, Place)> {
        self.names.get(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(AsRef::as_ref)
    }

    pub(super) fn offers(&self, needs: Needs) -> bool {
        match needs {
            Needs::Nothing => true,
            Needs::Draws => self.draws,
            Needs::Decision => self.decision,
        }
    }

    pub(super) fn counters(&self) -> &[String] {
        &self.counters
    }

    pub(super) fn first_local(&self) -> usize {
        self.first_local
    }
}

/// `a.b.c` as text, when the expression is nothing but names.
pub(super) fn path_of(expr: &IdedExpr) -> Option<String> {
    match &expr.expr {
        Cel::Ident(name) => Some(name.clone()),
        Cel::Select(select) => {
            let mut path = path_of(&select.operand)?;
            path.push('.');
            path.push_str(&select.field);
            Some(path)
        }
        _ => None,
    }
}

/// The paths that are not null when `expr` has the value `holds`.
pub(super) fn collect_facts(expr: &IdedExpr, holds: bool, facts: &mut Vec<String>) {
    let Cel::Call(call) = &expr.expr else { return };
    let args = call.args.as_slice();
    match (call.func_name.as_str(), args) {
        (op::LOGICAL_NOT, [inner]) => collect_facts(inner, !holds, facts),
        (op::LOGICAL_AND, [one, other]) if holds => {
            collect_facts(one, true, facts);
            collect_facts(other, true, facts);
        }
        (op::LOGICAL_OR, [one, other]) if !holds => {
            collect_facts(one, false, facts);
            collect_facts(other, false, facts);
        }
        (op::NOT_EQUALS, [one, other]) if holds => facts.extend(compared_with_null(one, other)),
        (op::EQUALS, [one, other]) if !holds => facts.extend(compared_with_null(one, other)),
        (op::HAS, [inner]) if holds && call.target.is_none() => facts.extend(path_of(inner)),
        _ => {}
    }
}

fn compared_with_null(one: &IdedExpr, other: &IdedExpr) -> Option<String> {
    let is_null = |expr: &IdedExpr| matches!(expr.expr, Cel::Literal(LiteralValue::Null));
    if is_null(other) {
        path_of(one)
    } else if is_null(one) {
        path_of(other)
    } else {
        None
    }
}
