//! From a definition's rules to a [`CompiledAction`], or to everything that is wrong with them.
//!
//! What an expression sees:
//!
//! | where | names |
//! |---|---|
//! | `validate` | `params`, `context`, `catalogs` |
//! | entity keys | these and `now` |
//! | `key` | these and `key.<entity>`: the keys of the action's entities |
//! | `require` | these and the entities |
//! | `let`, `when`, `set`, `add`, `transfer` | these and the `let` values |
//! | `emit`, `reply` | these and `after.<entity>` |
//!
//! A condition that holds is remembered: after `validate` or `require` made sure that `params.name != null`, and inside
//! `when`, `? :`, `&&` and `||`, the value counts as not null.

mod cases;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::catalogs::{Catalogs, catalogs};
use super::check::{Checked, Scope, check, check_as, names_in};
use super::node::Expression;
use super::plan::{CompiledAction, EntityPlan, EntityType, Requirement, slot};
use super::types::{Fields, Type, default_of};
use super::value::Value;
use crate::definition::document::{
    ActionSpec, EntitySpec, Expr, GameSpec, RequirementSpec, ValueSpec,
};
use crate::definition::problem::PathProblem;
use crate::entity::{COUNTER_TYPE, EntityId};

pub use super::simulation::compile_simulation;

/// Compiles the rules of the action of that name. What is wrong besides rules (unknown entity types and events, missing
/// event properties, the order of cases) is left to the definition's own checks. Problems of catalogs are reported for
/// each action alike. An unknown action gives a problem.
pub fn compile_action(spec: &GameSpec, name: &str) -> Result<CompiledAction, Vec<PathProblem>> {
    let path = format!("spec.actions.{name}");
    let Some(action) = spec.actions.get(name) else {
        return Err(vec![PathProblem::new(path, "there is no such action")]);
    };
    let catalogs = catalogs(spec)?;
    let mut compiler = Compiler {
        spec,
        path,
        problems: Vec::new(),
        counters: BTreeSet::new(),
    };
    let compiled = compiler.action(action, &catalogs);
    if compiler.problems.is_empty() {
        Ok(compiled)
    } else {
        Err(compiler.problems)
    }
}

/// The type of `context`.
pub(crate) fn context_type() -> Type {
    let text = || Type::String.or_null();
    Type::record([("accept", text()), ("host", text()), ("user_agent", text())])
}

struct Compiler<'a> {
    spec: &'a GameSpec,
    path: String,
    problems: Vec<PathProblem>,
    counters: BTreeSet<String>,
}

impl Compiler<'_> {
    fn action(&mut self, action: &ActionSpec, catalogs: &Catalogs) -> CompiledAction {
        let entity_count = action.entities.len();
        let first_binding = slot::FIRST_ENTITY + entity_count;
        let slots = first_binding + action.bindings.len();
        let params = Arc::new(Fields::of(&action.params));
        let mut scope = Scope::new(slots);
        scope.slot("params", Type::Object(params.clone()), slot::PARAMS);
        scope.slot("context", context_type(), slot::CONTEXT);
        scope.constant("catalogs", catalogs.ty.clone(), catalogs.value.clone());
        let validate = self.requirements("validate", &action.validate, &mut scope);

        scope.allow_decision(self.spec.entities.keys().cloned().collect());
        scope.slot("now", Type::Timestamp, slot::NOW);
        let entities = self.entities(action, &mut scope);
        let keys = Type::record(
            entities
                .iter()
                .map(|entity| (entity.name.as_ref(), Type::String)),
        );
        scope.slot("key", keys, slot::KEY);
        let key_path = format!("{}.key", self.path);
        let key = action
            .key
            .as_ref()
            .and_then(|key| self.compile_as(key, &key_path, &scope, &Type::String));

        for (index, entity) in entities.iter().enumerate() {
            scope.slot(
                &entity.name,
                entity.entity_type.ty(),
                slot::FIRST_ENTITY + index,
            );
        }
        let require = self.requirements("require", &action.require, &mut scope);
        let bindings = self.bindings(action, first_binding, &mut scope);
        let cases = action
            .cases
            .iter()
            .enumerate()
            .map(|(index, case)| self.case(index, case, &entities, &mut scope))
            .collect();
        let counter = |name: &String| EntityId {
            entity_type: COUNTER_TYPE.to_owned(),
            key: name.clone(),
        };
        CompiledAction {
            params,
            validate,
            entities,
            key,
            require,
            bindings,
            cases,
            counters: self.counters.iter().map(counter).collect(),
            slots,
        }
    }

    fn problem(&mut self, path: &str, message: String) {
        self.problems.push(PathProblem::new(path, message));
    }

    fn keep(&mut self, outcome: Result<Checked, PathProblem>) -> Option<Checked> {
        match outcome {
            Ok(checked) => {
                self.counters.extend(checked.counters.iter().cloned());
                Some(checked)
            }
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn compile_as(
        &mut self,
        expr: &Expr,
        path: &str,
        scope: &Scope,
        wanted: &Type,
    ) -> Option<Expression> {
        let outcome = check_as(expr, path, scope, wanted);
        self.keep(outcome).map(|checked| checked.expression)
    }

    fn requirements(
        &mut self,
        list: &str,
        specs: &[RequirementSpec],
        scope: &mut Scope,
    ) -> Vec<Requirement> {
        let mut compiled = Vec::with_capacity(specs.len());
        for (index, spec) in specs.iter().enumerate() {
            let path = format!("{}.{list}[{index}]", self.path);
            let outcome = check_as(&spec.rule, &format!("{path}.rule"), scope, &Type::Bool);
            let rule = self.keep(outcome);
            // The message is for when the rule does not hold.
            let mut refused = scope.clone();
            if let Some(rule) = &rule {
                refused.learn(&rule.facts_if_false);
                scope.learn(&rule.facts);
            }
            let message = self.compile_as(
                &spec.message,
                &format!("{path}.message"),
                &refused,
                &Type::String,
            );
            if let (Some(rule), Some(message)) = (rule, message) {
                compiled.push(Requirement {
                    rule: rule.expression,
                    code: spec.code.clone(),
                    message,
                });
            }
        }
        compiled
    }

    fn entities(&mut self, action: &ActionSpec, scope: &mut Scope) -> Vec<EntityPlan> {
        let mut types: BTreeMap<&str, Arc<EntityType>> = BTreeMap::new();
        let mut plans = Vec::with_capacity(action.entities.len());
        for (name, reference) in &action.entities {
            let path = format!("{}.entities.{name}", self.path);
            self.reserved(&path, name);
            let Some((type_name, key)) = reference.target.iter().next() else {
                continue;
            };
            let Some(spec) = self.spec.entities.get(type_name) else {
                continue;
            };
            let key = self.compile_as(key, &format!("{path}.{type_name}"), scope, &Type::String);
            let entity_type = types
                .entry(type_name)
                .or_insert_with(|| Arc::new(entity_type(type_name, spec)))
                .clone();
            if let Some(key) = key {
                plans.push(EntityPlan {
                    name: Arc::from(name.as_str()),
                    exists: reference.exists,
                    key,
                    entity_type,
                });
            }
        }
        plans
    }

    fn reserved(&mut self, path: &str, name: &str) {
        if matches!(name, "now" | "key") {
            self.problem(
                path,
                format!("rules have a variable `{name}` already: choose another name"),
            );
        }
    }

    /// The `let` values in the order of dependency, then of name.
    fn bindings(
        &mut self,
        action: &ActionSpec,
        first: usize,
        scope: &mut Scope,
    ) -> Vec<(usize, Expression)> {
        let mut waiting: BTreeMap<&str, BTreeSet<String>> = action
            .bindings
            .iter()
            .map(|(name, expr)| {
                let needs = names_in(expr)
                    .into_iter()
                    .filter(|used| action.bindings.contains_key(used))
                    .collect();
                (name.as_str(), needs)
            })
            .collect();
        let mut compiled = Vec::with_capacity(waiting.len());
        while let Some(name) = next_ready(&waiting) {
            waiting.remove(name.as_str());
            for needs in waiting.values_mut() {
                needs.remove(&name);
            }
            let Some(expr) = action.bindings.get(&name) else {
                continue;
            };
            let path = format!("{}.let.{name}", self.path);
            self.reserved(&path, &name);
            let place = first + compiled.len();
            let outcome = check(expr, &path, scope);
            if let Some(checked) = self.keep(outcome) {
                scope.slot(&name, checked.ty, place);
                compiled.push((place, checked.expression));
            } else {
                // What uses it would only repeat the problem in other words.
                scope.slot(&name, Type::Dyn, place);
            }
        }
        for (name, needs) in &waiting {
            let others: Vec<&str> = needs.iter().map(String::as_str).collect();
            let path = format!("{}.let.{name}", self.path);
            self.problem(
                &path,
                format!("depends on itself, through {}", others.join(", ")),
            );
            scope.slot(name, Type::Dyn, first);
        }
        compiled
    }
}

/// The first name, by the order of names, that waits for nothing.
fn next_ready(waiting: &BTreeMap<&str, BTreeSet<String>>) -> Option<String> {
    waiting
        .iter()
        .find(|(_, needs)| needs.is_empty())
        .map(|(name, _)| (*name).to_owned())
}

fn entity_type(name: &str, spec: &EntitySpec) -> EntityType {
    let fields: Vec<_> = spec
        .state
        .iter()
        .map(|(field, spec)| {
            (
                Arc::<str>::from(field.as_str()),
                spec.clone(),
                Type::of(spec),
            )
        })
        .collect();
    // Every field of a checked definition has a default; where it has not, a problem is on its way.
    let first = |spec: &ValueSpec, ty: &Type| default_of(spec, ty).unwrap_or(Value::Null);
    let defaults = Value::map(
        fields
            .iter()
            .map(|(field, spec, ty)| (field.clone(), first(spec, ty)))
            .collect(),
    );
    EntityType {
        name: name.to_owned(),
        state: Arc::new(Fields::of(&spec.state)),
        fields,
        defaults,
    }
}
