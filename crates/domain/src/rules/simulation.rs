//! How simulated players behave: the expressions of a definition's `simulation`, compiled. Pure: who plays keeps the
//! players and the draws.
//!
//! Expressions see `me` and, in steps for a pair, `other` (each `{index, name, memory}`), `players`, `catalogs`, the
//! random functions and, in `remember`, `reply`. The name of a player sees only `me.index`.

mod constants;

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::catalogs::catalogs;
use super::check::{Scope, check_as};
use super::eval::Machine;
use super::fault::Fault;
use super::node::{Expression, Node};
use super::random::Draws;
use super::types::Type;
use super::value::Value;
use crate::JsonMap;
use crate::definition::document::{
    ActionSpec, Expr, GameSpec, SimulationSpec, SimulationStep, ValueSpec,
};
use crate::definition::problem::PathProblem;
use crate::definition::suggest::did_you_mean;
use crate::time::Timestamp;

const ME: usize = 0;
const OTHER: usize = 1;
const PLAYERS: usize = 2;
const REPLY: usize = 3;
const SLOTS: usize = 4;

/// A simulated player.
#[derive(Debug, Clone, PartialEq)]
pub struct Player {
    /// 0, 1, ...
    pub index: u32,
    /// From [`CompiledSimulation::name`].
    pub name: String,
    /// What it remembers from replies; null at first.
    pub memory: Json,
}

/// An expression of a simulation that has no value: its place and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SimulationError(String);

impl From<Fault> for SimulationError {
    fn from(fault: Fault) -> Self {
        Self(fault.detail().to_owned())
    }
}

/// Who acts in a step.
#[derive(Debug, Clone, Copy)]
pub struct Actors<'a> {
    /// The player that acts.
    pub me: &'a Player,
    /// The second player of a step for a pair.
    pub other: Option<&'a Player>,
    /// How many players there are.
    pub players: u32,
}

/// What is to be remembered after a reply: the new memories.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remembered {
    /// The new memory of the player that acted.
    pub me: Option<Json>,
    /// The new memory of the second player.
    pub other: Option<Json>,
}

/// A simulation, checked and compiled.
#[derive(Debug)]
pub struct CompiledSimulation {
    players: u32,
    name: Option<Expression>,
    host: Option<Expression>,
    setup: Vec<CompiledStep>,
    steps: Vec<CompiledStep>,
}

/// Something a simulated player does.
#[derive(Debug)]
pub struct CompiledStep {
    action: String,
    weight: u32,
    pair: bool,
    params: BTreeMap<String, Expression>,
    remember: BTreeMap<String, Expression>,
}

impl CompiledSimulation {
    /// How many players there are unless told otherwise.
    pub fn players(&self) -> u32 {
        self.players
    }

    /// The name of the player with that index.
    pub fn name(&self, index: u32, draws: &mut Draws) -> Result<String, SimulationError> {
        let Some(name) = &self.name else {
            return Ok(format!("player{index}"));
        };
        let nobody = Player {
            index,
            name: String::new(),
            memory: Json::Null,
        };
        let actors = Actors {
            me: &nobody,
            other: None,
            players: self.players,
        };
        with_machine(actors, None, draws, |machine| {
            Ok(machine.text(name)?.as_ref().to_owned())
        })
    }

    /// The `Host` header that a player sends; `None`: the server's address.
    pub fn host(
        &self,
        actors: Actors<'_>,
        draws: &mut Draws,
    ) -> Result<Option<String>, SimulationError> {
        let Some(host) = &self.host else {
            return Ok(None);
        };
        with_machine(actors, None, draws, |machine| {
            Ok(Some(machine.text(host)?.as_ref().to_owned()))
        })
    }

    /// What every player does once, in order, before anything else.
    pub fn setup(&self) -> &[CompiledStep] {
        &self.setup
    }

    /// What players do then.
    pub fn steps(&self) -> &[CompiledStep] {
        &self.steps
    }

    /// One of [`Self::steps`], drawn by weight; `None` only when there is none.
    pub fn draw_step(&self, draws: &mut Draws) -> Option<&CompiledStep> {
        let weights: Vec<i64> = self
            .steps
            .iter()
            .map(|step| i64::from(step.weight))
            .collect();
        self.steps.get(draws.weighted(&weights)?)
    }
}

impl CompiledStep {
    /// The action.
    pub fn action(&self) -> &str {
        &self.action
    }

    /// True when the step needs a second player; neither does anything else meanwhile.
    pub fn is_pair(&self) -> bool {
        self.pair
    }

    /// True when [`Self::remember`] has something to do.
    pub fn remembers(&self) -> bool {
        !self.remember.is_empty()
    }

    /// The parameters to send.
    pub fn params(
        &self,
        actors: Actors<'_>,
        draws: &mut Draws,
    ) -> Result<JsonMap, SimulationError> {
        with_machine(actors, None, draws, |machine| {
            let mut params = JsonMap::new();
            for (name, expression) in &self.params {
                let value = machine
                    .run(expression)?
                    .to_json()
                    .map_err(|fault| fault.inside(&expression.path))?;
                params.insert(name.clone(), value);
            }
            Ok(params)
        })
    }

    /// The new memories after a reply with 2xx.
    pub fn remember(
        &self,
        actors: Actors<'_>,
        reply: &Json,
        draws: &mut Draws,
    ) -> Result<Remembered, SimulationError> {
        with_machine(actors, Some(reply), draws, |machine| {
            let mut memory = |who: &str| match self.remember.get(who) {
                None => Ok(None),
                Some(expression) => {
                    let value = machine.run(expression)?;
                    value
                        .to_json()
                        .map(Some)
                        .map_err(|fault| fault.inside(&expression.path))
                }
            };
            Ok(Remembered {
                me: memory("me")?,
                other: memory("other")?,
            })
        })
    }
}

/// Runs `work` with the caller's draws, which go on where they were.
fn with_machine<T>(
    actors: Actors<'_>,
    reply: Option<&Json>,
    draws: &mut Draws,
    work: impl FnOnce(&mut Machine) -> Result<T, Fault>,
) -> Result<T, SimulationError> {
    let mut machine = Machine::new(SLOTS, draws.clone(), Timestamp::from_micros(0));
    machine.set(ME, player_value(actors.me));
    machine.set(OTHER, actors.other.map_or(Value::Null, player_value));
    machine.set(PLAYERS, Value::Int(i64::from(actors.players)));
    machine.set(REPLY, reply.map_or(Value::Null, Value::from_dynamic_json));
    let outcome = work(&mut machine);
    *draws = machine.draws;
    Ok(outcome?)
}

fn player_value(player: &Player) -> Value {
    Value::map(vec![
        ("index".into(), Value::Int(i64::from(player.index))),
        ("memory".into(), Value::from_dynamic_json(&player.memory)),
        ("name".into(), Value::text(&player.name)),
    ])
}

/// Compiles the simulation of a definition, if it has one. What is wrong besides expressions is left to the
/// definition's own checks.
pub fn compile_simulation(spec: &GameSpec) -> Result<Option<CompiledSimulation>, Vec<PathProblem>> {
    let Some(simulation) = &spec.simulation else {
        return Ok(None);
    };
    let catalogs = catalogs(spec)?;
    let mut scope = Scope::new(SLOTS);
    scope.allow_draws();
    scope.constant("catalogs", catalogs.ty, catalogs.value);
    scope.slot("players", Type::Int, PLAYERS);
    let mut compiler = Compiler {
        spec,
        problems: Vec::new(),
    };
    let compiled = compiler.simulation(simulation, &scope);
    if compiler.problems.is_empty() {
        Ok(Some(compiled))
    } else {
        Err(compiler.problems)
    }
}

struct Compiler<'a> {
    spec: &'a GameSpec,
    problems: Vec<PathProblem>,
}

impl Compiler<'_> {
    fn simulation(&mut self, simulation: &SimulationSpec, scope: &Scope) -> CompiledSimulation {
        let mut naming = scope.clone();
        naming.slot("me", Type::record([("index", Type::Int)]), ME);
        let name = simulation.name.as_ref();
        let name = name
            .and_then(|name| self.compile(name, "spec.simulation.name", &naming, &Type::String));
        let mut alone = scope.clone();
        alone.slot("me", player_type(), ME);
        let host = simulation.host.as_ref();
        let host =
            host.and_then(|host| self.compile(host, "spec.simulation.host", &alone, &Type::String));
        let mut steps = |list: &str, steps: &[SimulationStep]| -> Vec<CompiledStep> {
            let path = |index| format!("spec.simulation.{list}[{index}]");
            steps
                .iter()
                .enumerate()
                .map(|(index, step)| self.step(&path(index), step, &alone))
                .collect()
        };
        let setup = steps("setup", &simulation.setup);
        let steps = steps("steps", &simulation.steps);
        CompiledSimulation {
            players: simulation.players,
            name,
            host,
            setup,
            steps,
        }
    }

    fn compile(
        &mut self,
        expr: &Expr,
        path: &str,
        scope: &Scope,
        wanted: &Type,
    ) -> Option<Expression> {
        match check_as(expr, path, scope, wanted) {
            Ok(checked) => Some(checked.expression),
            Err(problem) => {
                self.problems.push(problem);
                None
            }
        }
    }

    fn step(&mut self, path: &str, step: &SimulationStep, alone: &Scope) -> CompiledStep {
        let mut scope = alone.clone();
        if step.pair {
            scope.slot("other", player_type(), OTHER);
        }
        let params = match self.spec.actions.get(&step.action) {
            Some(action) => self.params(&format!("{path}.params"), step, action, &scope),
            None => BTreeMap::new(),
        };
        scope.slot("reply", Type::Dyn, REPLY);
        let mut remember = BTreeMap::new();
        for (who, expr) in &step.remember {
            if let Some(expression) =
                self.compile(expr, &format!("{path}.remember.{who}"), &scope, &Type::Dyn)
            {
                remember.insert(who.clone(), expression);
            }
        }
        CompiledStep {
            action: step.action.clone(),
            weight: step.weight,
            pair: step.pair,
            params,
            remember,
        }
    }

    fn params(
        &mut self,
        path: &str,
        step: &SimulationStep,
        action: &ActionSpec,
        scope: &Scope,
    ) -> BTreeMap<String, Expression> {
        let mut compiled = BTreeMap::new();
        for (name, expr) in &step.params {
            let path = format!("{path}.{name}");
            let Some(spec) = action.params.get(name) else {
                let hint = did_you_mean(name, action.params.keys().map(String::as_str));
                let message = format!("`{}` has no parameter `{name}`{hint}", step.action);
                self.problems.push(PathProblem::new(path, message));
                continue;
            };
            if let Some(expression) = self.compile(expr, &path, scope, &Type::of(spec)) {
                self.check_constants(&path, step, spec, &expression.node);
                compiled.insert(name.clone(), expression);
            }
        }
        compiled
    }

    /// What the API would answer with 400 each time is a mistake; what a rule refuses is a player's.
    fn check_constants(
        &mut self,
        path: &str,
        step: &SimulationStep,
        spec: &ValueSpec,
        node: &Node,
    ) {
        for reason in constants::never_taken(node, spec) {
            let message = format!("`{}` never takes this: {reason}", step.action);
            self.problems.push(PathProblem::new(path, message));
        }
    }
}

fn player_type() -> Type {
    Type::record([
        ("index", Type::Int),
        ("memory", Type::Dyn),
        ("name", Type::String),
    ])
}
