//! A compiled action: everything that a decision needs, resolved once at load.

use std::sync::Arc;

use super::node::Expression;
use super::types::{Fields, Type};
use super::value::Value;
use crate::definition::document::{Exists, ValueSpec};
use crate::entity::EntityId;

/// Where the values of an action's names are in an evaluation's frame.
pub(crate) mod slot {
    /// `params`.
    pub(crate) const PARAMS: usize = 0;
    /// `context`.
    pub(crate) const CONTEXT: usize = 1;
    /// `now`.
    pub(crate) const NOW: usize = 2;
    /// `key`: the keys of the action's entities by name.
    pub(crate) const KEY: usize = 3;
    /// `after`: the entities after the effects.
    pub(crate) const AFTER: usize = 4;
    /// The first entity; the others follow in the order of names, then the `let` values in the order of evaluation.
    pub(crate) const FIRST_ENTITY: usize = 5;
}

/// An action's rules, checked and compiled. See [`super::compile::compile_action`].
#[derive(Debug)]
pub struct CompiledAction {
    pub(crate) params: Arc<Fields>,
    pub(crate) validate: Vec<Requirement>,
    pub(crate) entities: Vec<EntityPlan>,
    /// The key of its events; `None`: the key of the only entity.
    pub(crate) key: Option<Expression>,
    pub(crate) require: Vec<Requirement>,
    /// In the order of evaluation, each with its slot.
    pub(crate) bindings: Vec<(usize, Expression)>,
    pub(crate) cases: Vec<CasePlan>,
    pub(crate) counters: Vec<EntityId>,
    /// How many slots a frame has.
    pub(crate) slots: usize,
}

/// A condition with what is said when it does not hold.
#[derive(Debug)]
pub(crate) struct Requirement {
    pub(crate) rule: Expression,
    pub(crate) code: String,
    pub(crate) message: Expression,
}

/// An entity that an action touches.
#[derive(Debug)]
pub(crate) struct EntityPlan {
    pub(crate) name: Arc<str>,
    pub(crate) exists: Exists,
    pub(crate) key: Expression,
    pub(crate) entity_type: Arc<EntityType>,
}

/// A type of entity.
#[derive(Debug)]
pub(crate) struct EntityType {
    pub(crate) name: String,
    /// Every field has a default.
    pub(crate) state: Arc<Fields>,
    pub(crate) fields: Vec<(Arc<str>, ValueSpec, Type)>,
    /// The state of an entity that has just been created.
    pub(crate) defaults: Value,
}

impl EntityType {
    /// The type of its state.
    pub(crate) fn ty(&self) -> Type {
        Type::Object(self.state.clone())
    }
}

/// One outcome.
#[derive(Debug)]
pub(crate) struct CasePlan {
    pub(crate) when: Option<Expression>,
    pub(crate) set: Vec<FieldEffect>,
    pub(crate) add: Vec<FieldEffect>,
    pub(crate) transfer: Vec<TransferPlan>,
    pub(crate) emit: Vec<EmitPlan>,
    pub(crate) reply: Option<Expression>,
    pub(crate) needs_after: bool,
}

/// A new value, or what is added, for one field of the entity with that index.
#[derive(Debug)]
pub(crate) struct FieldEffect {
    pub(crate) entity: usize,
    pub(crate) field: Arc<str>,
    pub(crate) ty: Type,
    pub(crate) value: Expression,
}

/// A move from one entity to another.
#[derive(Debug)]
pub(crate) struct TransferPlan {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) parts: Vec<TransferPart>,
}

/// What moves.
#[derive(Debug)]
pub(crate) struct TransferPart {
    pub(crate) field: Arc<str>,
    pub(crate) amount: Expression,
    /// The least that the giver may be left with, for numbers.
    pub(crate) minimum: Option<f64>,
}

/// An event.
#[derive(Debug)]
pub(crate) struct EmitPlan {
    pub(crate) event: String,
    pub(crate) path: String,
    pub(crate) key: Option<Expression>,
    pub(crate) data: Vec<PropertyPlan>,
}

/// One property of an event's data.
#[derive(Debug)]
pub(crate) struct PropertyPlan {
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) spec: ValueSpec,
    /// What the rule gives; else the default.
    pub(crate) value: Option<Expression>,
    pub(crate) default: Value,
}
