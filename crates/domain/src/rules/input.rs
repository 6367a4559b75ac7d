//! A request as the rules see it, and what can be said of it before any entity is known: is it valid?

use super::ActionRequest;
use super::eval::Machine;
use super::fault::Fault;
use super::plan::{CompiledAction, Requirement, slot};
use super::random::{Draws, event_id};
use super::value::Value;
use crate::JsonMap;
use crate::definition::Game;
use crate::entity::EntityId;
use crate::event::{Event, Origin};
use crate::request::RequestContext;
use crate::time::Timestamp;

/// A request as the decision sees it, without the game around it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) plan: &'a CompiledAction,
    pub(super) action: &'a str,
    pub(super) rules_version: &'a str,
    pub(super) params: &'a JsonMap,
    pub(super) context: &'a RequestContext,
    pub(super) seed: u64,
    pub(super) now: Timestamp,
}

impl<'a> Input<'a> {
    pub(super) fn of(game: &'a Game, request: &ActionRequest<'a>) -> Self {
        Self {
            plan: request.action.rules(),
            action: request.action.name(),
            rules_version: game.version(),
            params: request.params.values(),
            context: request.context,
            seed: request.seed,
            now: request.now,
        }
    }

    pub(super) fn machine(&self) -> Result<Machine, Fault> {
        let mut machine = Machine::new(self.plan.slots, Draws::from_seed(self.seed), self.now);
        fill(&mut machine, self.plan, self.params, self.context)?;
        machine.set(slot::NOW, Value::Time(self.now));
        Ok(machine)
    }

    pub(super) fn host_or_action(&self) -> String {
        self.context
            .host
            .clone()
            .unwrap_or_else(|| self.action.to_owned())
    }

    pub(super) fn event(
        &self,
        event_type: &str,
        index: usize,
        key: String,
        data: JsonMap,
    ) -> Event {
        Event {
            id: event_id(
                self.now,
                self.seed,
                u64::try_from(index).unwrap_or(u64::MAX),
            ),
            event_type: event_type.to_owned(),
            time: self.now,
            key,
            data,
            context: self.context.clone(),
            origin: Some(Origin {
                action: self.action.to_owned(),
                seed: self.seed,
                rules: self.rules_version.to_owned(),
                writes: Vec::new(),
            }),
        }
    }
}

/// Puts what a request brought into a frame.
fn fill(
    machine: &mut Machine,
    plan: &CompiledAction,
    params: &JsonMap,
    context: &RequestContext,
) -> Result<(), Fault> {
    let params =
        Value::object_from_json(params, &plan.params).map_err(|fault| fault.inside("params"))?;
    machine.set(slot::PARAMS, params);
    let text = |value: &Option<String>| value.as_deref().map_or(Value::Null, Value::text);
    let context = Value::map(vec![
        ("accept".into(), text(&context.accept)),
        ("host".into(), text(&context.host)),
        ("user_agent".into(), text(&context.user_agent)),
    ]);
    machine.set(slot::CONTEXT, context);
    Ok(())
}

/// A condition of `validate` that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The condition's code.
    pub code: String,
    /// Its message.
    pub message: String,
}

impl CompiledAction {
    /// The counters that must be in the snapshot before anything is decided.
    pub fn counters(&self) -> &[EntityId] {
        &self.counters
    }

    /// Checks the conditions of `validate`, in order, on parameters that have been checked already.
    pub fn validate(&self, params: &JsonMap, context: &RequestContext) -> Result<(), Invalid> {
        if self.validate.is_empty() {
            return Ok(());
        }
        let mut machine = Machine::new(self.slots, Draws::from_seed(0), Timestamp::from_micros(0));
        fill(&mut machine, self, params, context)
            .and_then(|()| first_broken(&self.validate, &mut machine))
            .unwrap_or_else(|fault| Some((fault.code().to_owned(), fault.detail().to_owned())))
            .map_or(Ok(()), |(code, message)| Err(Invalid { code, message }))
    }
}

/// The code and message of the first condition that does not hold.
pub(super) fn first_broken(
    requirements: &[Requirement],
    machine: &mut Machine,
) -> Result<Option<(String, String)>, Fault> {
    for requirement in requirements {
        if !machine.holds(&requirement.rule)? {
            let message = machine.text(&requirement.message)?;
            return Ok(Some((
                requirement.code.clone(),
                message.as_ref().to_owned(),
            )));
        }
    }
    Ok(None)
}
