//! What is played: the plan of a session, and the game's simulation with a request's form for each step.

use std::time::Duration;

use gamepipe_domain::definition::Game;
use gamepipe_domain::rules::simulation::{CompiledSimulation, CompiledStep, compile_simulation};

use super::request::Target;

/// What to play.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// How many requests after the setup; none: no limit.
    pub(crate) requests: Option<u64>,
    /// How long after the setup; none: no limit.
    pub(crate) duration: Option<Duration>,
    /// How many players.
    pub(crate) players: u32,
    /// How many connections.
    pub(crate) connections: u32,
    /// What everything random is drawn from.
    pub(crate) seed: u64,
    /// Requests per second, however long answers take; none: as fast as answers come.
    pub(crate) rate: Option<f64>,
    /// Only the first so many steps of the simulation.
    pub(crate) kinds: Option<usize>,
}

/// A game as players need it.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) simulation: CompiledSimulation,
    /// How the simulation's steps of setup are sent, in their order.
    pub(crate) setup: Vec<Target>,
    /// How its other steps are sent, in their order.
    pub(crate) steps: Vec<Target>,
    /// How often each of them is drawn.
    pub(crate) weights: Vec<i64>,
}

impl Script {
    /// `None` when the definition has no simulation.
    pub(crate) fn new(game: &Game) -> anyhow::Result<Option<Self>> {
        let spec = &game.document().spec;
        let compiled = compile_simulation(spec);
        let simulation = compiled
            .map_err(|_| anyhow::anyhow!("the simulation of {} does not compile", game.name()))?;
        let (Some(simulation), Some(document)) = (simulation, &spec.simulation) else {
            return Ok(None);
        };
        let targets = |steps: &[CompiledStep]| {
            steps
                .iter()
                .filter_map(|step| Some(Target::of(game.action(step.action())?)))
                .collect()
        };
        let setup = targets(simulation.setup());
        let steps = targets(simulation.steps());
        let weights = document
            .steps
            .iter()
            .map(|step| i64::from(step.weight))
            .collect();
        Ok(Some(Self {
            simulation,
            setup,
            steps,
            weights,
        }))
    }

    /// How many players there are unless told otherwise.
    pub(crate) fn players(&self) -> u32 {
        self.simulation.players()
    }

    /// How many requests the setup of so many players takes.
    pub(crate) fn setup_requests(&self, players: u32) -> u64 {
        u64::from(players) * u64::try_from(self.setup.len()).unwrap_or(0)
    }
}
