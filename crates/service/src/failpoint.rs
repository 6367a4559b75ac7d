//! Failpoints: named places where a test can kill the process or make a step fail.
//!
//! They are compiled into every build (one profile, one feature set) and cost one relaxed load while unused. They are
//! armed by the environment variable `GAMEPIPE_FAILPOINTS`, read once: `name=kill`, `name=kill@N` (on the N-th visit),
//! `name=error` or `name=error@N`, separated by commas.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// The environment variable that arms failpoints.
pub const VARIABLE: &str = "GAMEPIPE_FAILPOINTS";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Kill,
    Error,
}

#[derive(Debug)]
struct Armed {
    effect: Effect,
    on_visit: Option<u64>,
    visits: AtomicU64,
}

static ARMED: OnceLock<HashMap<String, Armed>> = OnceLock::new();

/// What an armed failpoint of effect `error` makes a step return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("failpoint {0} failed on purpose")]
pub struct FailpointError(pub &'static str);

/// Passes a failpoint: nothing happens unless it is armed. `kill` ends the process at once, as SIGKILL would.
pub fn hit(name: &'static str) -> Result<(), FailpointError> {
    let armed = ARMED.get_or_init(|| parse(&std::env::var(VARIABLE).unwrap_or_default()));
    let Some(point) = armed.get(name) else {
        return Ok(());
    };
    let visit = point.visits.fetch_add(1, Ordering::Relaxed) + 1;
    if point.on_visit.is_some_and(|wanted| wanted != visit) {
        return Ok(());
    }
    match point.effect {
        // Exit without destructors, buffers or handlers: what a power cut leaves, as far as this process goes.
        Effect::Kill => std::process::abort(),
        Effect::Error => Err(FailpointError(name)),
    }
}

fn parse(text: &str) -> HashMap<String, Armed> {
    text.split(',')
        .filter_map(|item| {
            let (name, effect) = item.trim().split_once('=')?;
            let (effect, on_visit) = match effect.split_once('@') {
                Some((effect, visit)) => (effect, Some(visit.parse().ok()?)),
                None => (effect, None),
            };
            let effect = match effect {
                "kill" => Effect::Kill,
                "error" => Effect::Error,
                _ => return None,
            };
            Some((
                name.to_owned(),
                Armed {
                    effect,
                    on_visit,
                    visits: AtomicU64::new(0),
                },
            ))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Effect, parse};

    #[test]
    fn text_arms_failpoints_by_name_effect_and_visit() {
        let armed = parse("relay.appended=kill@3, epoch.committed=error,nonsense,x=y");
        assert_eq!(armed.len(), 2);
        assert_eq!(armed["relay.appended"].effect, Effect::Kill);
        assert_eq!(armed["relay.appended"].on_visit, Some(3));
        assert_eq!(armed["epoch.committed"].effect, Effect::Error);
        assert_eq!(armed["epoch.committed"].on_visit, None);
    }
}
