//! Checks of the simulation: known actions, all required parameters, weights that can be drawn.

use super::Report;
use crate::definition::document::{GameSpec, SimulationStep};
use crate::definition::schema::required_names;
use crate::definition::suggest::did_you_mean;

/// More simulated players than this do not fit one machine.
const MAX_PLAYERS: u32 = 1_000_000;

pub(super) fn check(spec: &GameSpec, report: &mut Report) {
    let Some(simulation) = &spec.simulation else {
        return;
    };
    if simulation.players == 0 || simulation.players > MAX_PLAYERS {
        report.add(
            "spec.simulation.players",
            format!(
                "expected 1 to {MAX_PLAYERS} players, got {}",
                simulation.players
            ),
        );
    }
    if simulation.steps.is_empty() {
        report.add(
            "spec.simulation.steps",
            "needs at least one step: what players do",
        );
    }
    for (list, steps) in [("setup", &simulation.setup), ("steps", &simulation.steps)] {
        for (index, step) in steps.iter().enumerate() {
            let path = format!("spec.simulation.{list}[{index}]");
            if list == "setup" && step.pair {
                report.add(
                    format!("{path}.pair"),
                    "the steps of `setup` are done by each player alone",
                );
            }
            self::step(report, &path, spec, step);
        }
    }
    if simulation.players == 1 && simulation.steps.iter().any(|step| step.pair) {
        report.add(
            "spec.simulation.players",
            "a step is for a pair, so there must be at least 2 players",
        );
    }
}

fn step(report: &mut Report, path: &str, spec: &GameSpec, step: &SimulationStep) {
    if step.weight == 0 {
        report.add(
            format!("{path}.weight"),
            "expected a weight of at least 1; leave the step out if it is never drawn",
        );
    }
    for who in step.remember.keys() {
        let remember = format!("{path}.remember.{who}");
        match who.as_str() {
            "me" => {}
            "other" if step.pair => {}
            "other" => report.add(
                remember,
                "there is no `other` unless the step has `pair: true`",
            ),
            _ => report.add(remember, format!("expected `me` or `other`, got `{who}`")),
        }
    }
    let Some(action) = spec.actions.get(&step.action) else {
        let hint = did_you_mean(&step.action, super::keys(&spec.actions));
        return report.add(
            format!("{path}.action"),
            format!("no action `{}`{hint}", step.action),
        );
    };
    for name in step
        .params
        .keys()
        .filter(|name| !action.params.contains_key(*name))
    {
        let hint = did_you_mean(name, super::keys(&action.params));
        report.add(
            format!("{path}.params.{name}"),
            format!("action `{}` has no parameter `{name}`{hint}", step.action),
        );
    }
    for name in required_names(&action.params) {
        if !step.params.contains_key(&name) {
            report.add(
                path,
                format!("missing parameter `{name}` of action `{}`", step.action),
            );
        }
    }
}
