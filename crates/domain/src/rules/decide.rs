//! The decision itself: keys, existence, conditions, values, the case, its effects, its events.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::effects::{self, Cast, check_bounds};
use super::eval::Machine;
use super::fault::Fault;
use super::input::{Input, first_broken};
use super::node::{Expression, Node};
use super::plan::{CasePlan, CompiledAction, EmitPlan, EntityPlan, slot};
use super::value::{Value, entries_to_json};
use super::{Decision, EntityWrite, MAX_KEY_BYTES, Outcome, Refusal, RefusalKind};
use crate::JsonMap;
use crate::definition::document::Exists;
use crate::entity::{Entity, EntityId, Snapshot};
use crate::event::{ACTION_REJECTED, Event, STATE_CHANGED};

/// The field of a counter's state with the id that is next.
const NEXT: &str = "next";

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self {
            kind: RefusalKind::Rule,
            code: fault.code().to_owned(),
            message: fault.detail().to_owned(),
        }
    }
}

/// Which entities the action touches, once each.
pub(super) fn entities(input: &Input<'_>, snapshot: &Snapshot) -> Result<Vec<EntityId>, Refusal> {
    let mut machine = input.machine()?;
    load_counters(&mut machine, input.plan, snapshot)?;
    let mut ids = resolve(input.plan, &mut machine)?;
    let mut seen = Vec::with_capacity(ids.len());
    ids.retain(|id| {
        let is_new = !seen.contains(id);
        seen.extend(is_new.then(|| id.clone()));
        is_new
    });
    Ok(ids)
}

fn load_counters(
    machine: &mut Machine,
    plan: &CompiledAction,
    snapshot: &Snapshot,
) -> Result<(), Fault> {
    for id in &plan.counters {
        let next = match snapshot.get(id) {
            None => 0,
            Some(counter) => counter
                .state
                .get(NEXT)
                .and_then(Json::as_i64)
                .ok_or_else(|| {
                    Fault::wrong_type("a counter with an integer `next`", "something else")
                        .inside(&id.key)
                })?,
        };
        machine.counters.insert(id.key.clone(), next);
    }
    Ok(())
}

/// The entities by name, and their keys in the frame.
fn resolve(plan: &CompiledAction, machine: &mut Machine) -> Result<Vec<EntityId>, Fault> {
    let mut ids = Vec::with_capacity(plan.entities.len());
    let mut keys = Vec::with_capacity(plan.entities.len());
    for entity in &plan.entities {
        let key = machine.text(&entity.key)?;
        check_key(&key).map_err(|fault| fault.inside(&source_of(&entity.key, &entity.name)))?;
        keys.push((entity.name.clone(), Value::Text(key.clone())));
        ids.push(EntityId {
            entity_type: entity.entity_type.name.clone(),
            key: key.as_ref().to_owned(),
        });
    }
    machine.set(slot::KEY, Value::sorted_map(keys));
    Ok(ids)
}

/// Where a key comes from, in the words of whoever sent the request: the parameter, else what the key is of.
fn source_of(key: &Expression, owner: &str) -> String {
    match &key.node {
        Node::Field(of, name) if matches!(**of, Node::Slot(slot::PARAMS)) => {
            format!("parameter `{name}`")
        }
        _ => format!("the key of {owner}"),
    }
}

fn check_key(key: &str) -> Result<(), Fault> {
    if key.is_empty() {
        return Err(Fault::invalid_key("a key must not be empty".to_owned()));
    }
    if key.len() > MAX_KEY_BYTES {
        return Err(Fault::invalid_key(format!(
            "a key has at most {MAX_KEY_BYTES} bytes, found {}",
            key.len()
        )));
    }
    if key.chars().any(char::is_control) {
        return Err(Fault::invalid_key(
            "a key must not have control characters".to_owned(),
        ));
    }
    Ok(())
}

fn action_key(
    plan: &CompiledAction,
    ids: &[EntityId],
    machine: &mut Machine,
) -> Result<String, Fault> {
    match (&plan.key, ids) {
        (Some(key), _) => {
            let text = machine.text(key)?;
            check_key(&text).map_err(|fault| fault.inside(&source_of(key, "the events")))?;
            Ok(text.as_ref().to_owned())
        }
        (None, [id, ..]) => Ok(id.key.clone()),
        (None, []) => Err(Fault::missing("the action has no key".to_owned())),
    }
}

/// The whole decision.
pub(super) fn decide(input: &Input<'_>, snapshot: &Snapshot) -> Decision {
    let prepared = input.machine().and_then(|mut machine| {
        load_counters(&mut machine, input.plan, snapshot)?;
        // Keys may draw ids, so what the counters were is taken before.
        let counters = machine.counters.clone();
        let ids = resolve(input.plan, &mut machine)?;
        let key = action_key(input.plan, &ids, &mut machine)?;
        Ok((machine, counters, ids, key))
    });
    match prepared {
        Err(fault) => refused(input, input.host_or_action(), fault.into()),
        Ok((machine, counters, ids, key)) => {
            decide_for(input, snapshot, machine, &counters, &ids, &key)
                .unwrap_or_else(|refusal| refused(input, key, refusal))
        }
    }
}

/// The decision to refuse, when not even the entities are known.
pub(super) fn refuse(input: &Input<'_>, refusal: Refusal) -> Decision {
    let key = input.machine().and_then(|mut machine| {
        let ids = resolve(input.plan, &mut machine)?;
        action_key(input.plan, &ids, &mut machine)
    });
    refused(
        input,
        key.unwrap_or_else(|_| input.host_or_action()),
        refusal,
    )
}

fn refused(input: &Input<'_>, key: String, refusal: Refusal) -> Decision {
    let data: JsonMap = [
        ("action", Json::from(input.action)),
        ("code", Json::from(refusal.code.as_str())),
        ("message", Json::from(refusal.message.as_str())),
        ("params", Json::Object(input.params.clone())),
        ("key", Json::from(key.as_str())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let event = input.event(ACTION_REJECTED, 0, key, data);
    Decision {
        outcome: Outcome::Refused(refusal),
        writes: Vec::new(),
        events: vec![event],
    }
}

fn decide_for(
    input: &Input<'_>,
    snapshot: &Snapshot,
    mut machine: Machine,
    counters: &BTreeMap<String, i64>,
    ids: &[EntityId],
    key: &str,
) -> Result<Decision, Refusal> {
    let plan = input.plan;
    let machine = &mut machine;
    let before = states(plan, ids, snapshot)?;
    for (index, state) in before.iter().enumerate() {
        machine.set(slot::FIRST_ENTITY + index, state.clone());
    }
    if let Some((code, message)) = first_broken(&plan.require, machine)? {
        return Err(Refusal {
            kind: RefusalKind::Rule,
            code,
            message,
        });
    }
    for (place, expression) in &plan.bindings {
        // A value that fails is a problem only for the case that reads it.
        let outcome = machine.run(expression);
        machine.set_outcome(*place, outcome);
    }
    let case = choose(plan, machine)?;
    let first_name = ids
        .iter()
        .map(|id| ids.iter().position(|other| other == id).unwrap_or(0))
        .collect();
    let cast = Cast {
        plans: &plan.entities,
        ids,
        before,
        first_name,
    };
    let after = effects::apply(case, &cast, machine)?;
    if case.needs_after {
        let named = plan
            .entities
            .iter()
            .zip(&after)
            .map(|(entity, state)| (entity.name.clone(), state.clone()));
        machine.set(slot::AFTER, Value::sorted_map(named.collect()));
    }
    let events = events(input, case, key, machine)?;
    let reply = match &case.reply {
        Some(reply) => Some(
            machine
                .run(reply)?
                .to_json()
                .map_err(|fault| fault.inside(&reply.path))?,
        ),
        None => None,
    };
    // Ids may be drawn anywhere, so the counters are written last.
    let mut writes = counter_writes(plan, counters, machine);
    let entities = entity_writes(&cast, &after, snapshot, &mut writes)?;
    let mut events = events;
    record_writes(input, key, snapshot, &writes, &mut events);
    Ok(Decision {
        outcome: Outcome::Done { reply, entities },
        writes,
        events,
    })
}

/// Puts what changes into the first event, so that the log alone can restore the state. Nothing changes without an event.
fn record_writes(
    input: &Input<'_>,
    key: &str,
    snapshot: &Snapshot,
    writes: &[EntityWrite],
    events: &mut Vec<Event>,
) {
    if writes.is_empty() {
        return;
    }
    if events.is_empty() {
        events.push(input.event(STATE_CHANGED, 0, key.to_owned(), JsonMap::new()));
    }
    let after = |write: &EntityWrite| {
        let before = snapshot.get(&write.id).map_or(0, |entity| entity.version);
        let entity = Entity {
            version: before + 1,
            state: write.state.clone(),
        };
        (write.id.clone(), entity)
    };
    if let Some(origin) = events.first_mut().and_then(|event| event.origin.as_mut()) {
        origin.writes = writes.iter().map(after).collect();
    }
}

fn counter_writes(
    plan: &CompiledAction,
    before: &BTreeMap<String, i64>,
    machine: &Machine,
) -> Vec<EntityWrite> {
    let mut writes = Vec::new();
    for id in &plan.counters {
        if let Some(next) = machine.counters.get(&id.key)
            && before.get(&id.key) != Some(next)
        {
            let state = JsonMap::from_iter([(NEXT.to_owned(), Json::from(*next))]);
            writes.push(EntityWrite {
                id: id.clone(),
                state,
            });
        }
    }
    writes
}

/// Adds a write for each entity that is new or has changed; gives all of them as they are afterwards.
fn entity_writes(
    cast: &Cast<'_>,
    after: &[Value],
    snapshot: &Snapshot,
    writes: &mut Vec<EntityWrite>,
) -> Result<Vec<(String, EntityId, JsonMap)>, Fault> {
    let mut entities = Vec::with_capacity(after.len());
    for (index, ((entity, id), state)) in cast.plans.iter().zip(cast.ids).zip(after).enumerate() {
        let Value::Map(fields) = state else { continue };
        let json = entries_to_json(fields)?;
        let is_first = cast.first_name.get(index) == Some(&index);
        if is_first && (snapshot.get(id).is_none() || cast.before.get(index) != Some(state)) {
            writes.push(EntityWrite {
                id: id.clone(),
                state: json.clone(),
            });
        }
        entities.push((entity.name.as_ref().to_owned(), id.clone(), json));
    }
    Ok(entities)
}

fn states(
    plan: &CompiledAction,
    ids: &[EntityId],
    snapshot: &Snapshot,
) -> Result<Vec<Value>, Refusal> {
    plan.entities
        .iter()
        .zip(ids)
        .map(|(entity, id)| state(entity, id, snapshot))
        .collect()
}

fn state(entity: &EntityPlan, id: &EntityId, snapshot: &Snapshot) -> Result<Value, Refusal> {
    match (snapshot.get(id), entity.exists) {
        (Some(_), Exists::MustNot) => Err(Refusal {
            kind: RefusalKind::NameTaken,
            code: "name_taken".to_owned(),
            message: format!("{} '{}' exists already", id.entity_type, id.key),
        }),
        (None, Exists::Must) => Err(Refusal {
            kind: RefusalKind::UnknownEntity,
            code: "unknown_entity".to_owned(),
            message: format!("there is no {} '{}'", id.entity_type, id.key),
        }),
        (None, Exists::MustNot | Exists::Any) => Ok(entity.entity_type.defaults.clone()),
        (Some(found), _) => Value::object_from_json(&found.state, &entity.entity_type.state)
            .map_err(|fault| {
                fault
                    .inside(&format!("{} '{}'", id.entity_type, id.key))
                    .into()
            }),
    }
}

fn choose<'a>(plan: &'a CompiledAction, machine: &mut Machine) -> Result<&'a CasePlan, Fault> {
    for case in &plan.cases {
        let holds = match &case.when {
            Some(when) => machine.holds(when)?,
            None => true,
        };
        if holds {
            return Ok(case);
        }
    }
    Err(Fault::missing("no case applies".to_owned()))
}

fn events(
    input: &Input<'_>,
    case: &CasePlan,
    key: &str,
    machine: &mut Machine,
) -> Result<Vec<Event>, Fault> {
    let mut events = Vec::with_capacity(case.emit.len());
    for (index, emit) in case.emit.iter().enumerate() {
        let key = match &emit.key {
            Some(own) => {
                let text = machine.text(own)?;
                check_key(&text).map_err(|fault| fault.inside(&source_of(own, &emit.event)))?;
                text.as_ref().to_owned()
            }
            None => key.to_owned(),
        };
        events.push(input.event(&emit.event, index, key, event_data(emit, machine)?));
    }
    Ok(events)
}

fn event_data(emit: &EmitPlan, machine: &mut Machine) -> Result<JsonMap, Fault> {
    let mut data = JsonMap::new();
    for property in &emit.data {
        let value = match &property.value {
            Some(expression) => {
                let value = machine.run(expression)?;
                value
                    .coerce(&property.ty)
                    .and_then(|fitted| check_bounds(&fitted, &property.spec).map(|()| fitted))
                    .map_err(|fault| fault.inside(&expression.path))?
            }
            None => property.default.clone(),
        };
        let json = value.to_json().map_err(|fault| fault.inside(&emit.path))?;
        data.insert(property.name.clone(), json);
    }
    Ok(data)
}
