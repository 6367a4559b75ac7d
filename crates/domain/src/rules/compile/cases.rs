//! Cases: effects, events and replies.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Compiler;
use crate::definition::document::{CaseSpec, EmitSpec, Expr, TransferSpec, ValueKind, ValueSpec};
use crate::definition::suggest::did_you_mean;
use crate::rules::check::{Scope, check, check_as};
use crate::rules::plan::{
    CasePlan, EmitPlan, EntityPlan, EntityType, FieldEffect, PropertyPlan, TransferPart,
    TransferPlan, slot,
};
use crate::rules::types::{Type, default_of};
use crate::rules::value::Value;

impl Compiler<'_> {
    pub(super) fn case(
        &mut self,
        index: usize,
        case: &CaseSpec,
        entities: &[EntityPlan],
        scope: &mut Scope,
    ) -> CasePlan {
        let path = format!("{}.cases[{index}]", self.path);
        let mut inner = scope.clone();
        let when = case.when.as_ref().and_then(|when| {
            let outcome = check_as(when, &format!("{path}.when"), scope, &Type::Bool);
            let checked = self.keep(outcome)?;
            inner.learn(&checked.facts);
            scope.learn(&checked.facts_if_false);
            Some(checked.expression)
        });
        let set = self.field_effects(&format!("{path}.set"), &case.set, entities, &inner, false);
        let add = self.field_effects(&format!("{path}.add"), &case.add, entities, &inner, true);
        let transfer = case
            .transfer
            .iter()
            .enumerate()
            .filter_map(|(place, spec)| {
                self.transfer(&format!("{path}.transfer[{place}]"), spec, entities, &inner)
            })
            .collect();
        let after = entities
            .iter()
            .map(|entity| (entity.name.as_ref(), entity.entity_type.ty()));
        inner.slot("after", Type::record(after), slot::AFTER);
        let emit: Vec<EmitPlan> = case
            .emit
            .iter()
            .enumerate()
            .filter_map(|(place, spec)| self.emit(&format!("{path}.emit[{place}]"), spec, &inner))
            .collect();
        let reply = case.reply.as_ref().and_then(|reply| {
            let outcome = check(reply, &format!("{path}.reply"), &inner);
            self.keep(outcome).map(|checked| checked.expression)
        });
        let in_events = emit.iter().flat_map(|emit| {
            emit.key.iter().chain(
                emit.data
                    .iter()
                    .filter_map(|property| property.value.as_ref()),
            )
        });
        let needs_after = in_events
            .chain(&reply)
            .any(|expression| expression.reads(slot::AFTER));
        CasePlan {
            when,
            set,
            add,
            transfer,
            emit,
            reply,
            needs_after,
        }
    }

    fn entity(&mut self, path: &str, name: &str, entities: &[EntityPlan]) -> Option<usize> {
        let found = entities
            .iter()
            .position(|entity| entity.name.as_ref() == name);
        if found.is_none() {
            let hint = did_you_mean(name, entities.iter().map(|entity| entity.name.as_ref()));
            self.problem(path, format!("the action has no entity `{name}`{hint}"));
        }
        found
    }

    fn field(
        &mut self,
        path: &str,
        entity_type: &EntityType,
        name: &str,
    ) -> Option<(ValueSpec, Type)> {
        let found = entity_type
            .fields
            .iter()
            .find(|(field, _, _)| field.as_ref() == name);
        if found.is_none() {
            let hint = did_you_mean(
                name,
                entity_type
                    .fields
                    .iter()
                    .map(|(field, _, _)| field.as_ref()),
            );
            self.problem(
                path,
                format!("`{}` has no field `{name}`{hint}", entity_type.name),
            );
        }
        found.map(|(_, spec, ty)| (spec.clone(), ty.clone()))
    }

    fn field_effects(
        &mut self,
        path: &str,
        effects: &BTreeMap<String, BTreeMap<String, Expr>>,
        entities: &[EntityPlan],
        scope: &Scope,
        adds: bool,
    ) -> Vec<FieldEffect> {
        let mut compiled = Vec::new();
        for (entity_name, fields) in effects {
            let entity_path = format!("{path}.{entity_name}");
            let Some(entity) = self.entity(&entity_path, entity_name, entities) else {
                continue;
            };
            let Some(entity_type) = entities.get(entity).map(|plan| plan.entity_type.clone())
            else {
                continue;
            };
            for (field, expr) in fields {
                let field_path = format!("{entity_path}.{field}");
                let Some((_, ty)) = self.field(&field_path, &entity_type, field) else {
                    continue;
                };
                let wanted = if adds { addend(&ty) } else { Some(ty.clone()) };
                let Some(wanted) = wanted else {
                    self.problem(
                        &field_path,
                        format!("only a number or a bag can be added to, and `{field}` is {ty}"),
                    );
                    continue;
                };
                if let Some(value) = self.compile_as(expr, &field_path, scope, &wanted) {
                    compiled.push(FieldEffect {
                        entity,
                        field: Arc::from(field.as_str()),
                        ty,
                        value,
                    });
                }
            }
        }
        compiled
    }

    fn transfer(
        &mut self,
        path: &str,
        spec: &TransferSpec,
        entities: &[EntityPlan],
        scope: &Scope,
    ) -> Option<TransferPlan> {
        let from = self.entity(&format!("{path}.from"), &spec.from, entities)?;
        let to = self.entity(&format!("{path}.to"), &spec.to, entities)?;
        let (giver, taker) = (
            &entities.get(from)?.entity_type,
            &entities.get(to)?.entity_type,
        );
        let mut parts = Vec::with_capacity(spec.fields.len());
        for (field, expr) in &spec.fields {
            let field_path = format!("{path}.{field}");
            let given = self.field(&field_path, giver, field);
            let taken = self.field(&field_path, taker, field);
            let (Some((spec, ty)), Some((_, taken))) = (given, taken) else {
                continue;
            };
            let is_movable = matches!(
                spec.kind,
                ValueKind::Integer | ValueKind::Number | ValueKind::Bag
            );
            if ty != taken || !is_movable || spec.nullable {
                self.problem(
                    &field_path,
                    format!("a transfer moves numbers or bags of one type, found {ty} and {taken}"),
                );
                continue;
            }
            if let Some(amount) = self.compile_as(expr, &field_path, scope, &ty) {
                parts.push(TransferPart {
                    field: Arc::from(field.as_str()),
                    amount,
                    minimum: spec.minimum,
                });
            }
        }
        if spec.fields.is_empty() {
            self.problem(
                path,
                "a transfer names what moves, such as `money: params.amount`".to_owned(),
            );
        }
        Some(TransferPlan { from, to, parts })
    }

    fn emit(&mut self, path: &str, emit: &EmitSpec, scope: &Scope) -> Option<EmitPlan> {
        let event = self.spec.events.get(&emit.event)?;
        let key_path = format!("{path}.key");
        let key = emit
            .key
            .as_ref()
            .and_then(|key| self.compile_as(key, &key_path, scope, &Type::String));
        let mut data = Vec::with_capacity(event.properties.len());
        for (name, spec) in &event.properties {
            let ty = Type::of(spec);
            let value = emit
                .data
                .get(name)
                .and_then(|expr| self.compile_as(expr, &format!("{path}.data.{name}"), scope, &ty));
            let default = default_of(spec, &ty).unwrap_or(Value::Null);
            data.push(PropertyPlan {
                name: name.clone(),
                ty,
                spec: spec.clone(),
                value,
                default,
            });
        }
        Some(EmitPlan {
            event: emit.event.clone(),
            path: path.to_owned(),
            key,
            data,
        })
    }
}

/// What may be added to a field of that type.
fn addend(ty: &Type) -> Option<Type> {
    match ty {
        Type::Int | Type::Double => Some(ty.clone()),
        Type::Bag => Some(Type::Map(Arc::new(Type::Int))),
        _ => None,
    }
}
