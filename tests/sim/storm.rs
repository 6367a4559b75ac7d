//! Rounds of random faults; a seed replays one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, ensure};
use gamepipe_service::clock::{Clock, SystemClock};
use gamepipe_tests::random::SEED_VARIABLE;

use crate::chance::mixed;
use crate::journal::Journal;
use crate::round::{Played, play};
use crate::store::FAULTS;
use crate::template::Template;

/// The variable that sets the number of rounds, for long runs by hand.
const ROUNDS_VARIABLE: &str = "GAMEPIPE_TEST_ROUNDS";
/// Rounds in a usual run.
const ROUNDS: u64 = 22;
/// Rounds at a time: each is mostly waiting.
const AT_A_TIME: u64 = 6;

fn variable(name: &str) -> Result<Option<u64>> {
    match std::env::var(name) {
        Ok(text) => Ok(Some(
            text.parse()
                .with_context(|| format!("{name} must be a number"))?,
        )),
        Err(_) => Ok(None),
    }
}

fn in_a_runtime<T>(work: impl Future<Output = T>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(work))
}

/// The seeds of the rounds: the given one, or as many as are asked for.
fn seeds() -> Result<Vec<u64>> {
    if let Some(seed) = variable(SEED_VARIABLE)? {
        return Ok(vec![seed]);
    }
    let first = SystemClock.seed();
    let rounds = variable(ROUNDS_VARIABLE)?.unwrap_or(ROUNDS);
    Ok((0..rounds).map(|number| mixed(first ^ number)).collect())
}

#[test]
fn a_storm_over_streamers_and_compactors_loses_doubles_and_invents_nothing() -> Result<()> {
    let seeds = seeds()?;
    let template = in_a_runtime(Template::with_a_past(1))??;
    let (next, all) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|threads| {
        for _ in 0..AT_A_TIME {
            threads.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst) as usize) {
                    let journal = Journal::default();
                    let heard = journal.listen();
                    let played = in_a_runtime(play(&template, *seed)).flatten();
                    drop(heard);
                    match &played {
                        Ok(played) => eprintln!("{SEED_VARIABLE}={seed}: {played:?}"),
                        Err(error) => eprintln!(
                            "{}replay with {SEED_VARIABLE}={seed}: {error:#}",
                            journal.text()
                        ),
                    }
                    all.lock().unwrap().push(played);
                }
            });
        }
    });
    let mut storm = Played::default();
    for played in all.into_inner().unwrap() {
        storm.add(played?);
    }
    eprintln!("in all: {storm:?}");
    // A storm without wind proves nothing.
    if seeds.len() as u64 >= ROUNDS {
        let done = storm.maintained;
        ensure!(storm.met.len() == FAULTS, "not all kinds of faults");
        let maintained = [done.merged_files, done.checkpoints, done.vacuumed_files];
        ensure!(!maintained.contains(&0), "not all was maintained");
        ensure!(storm.sightings > 0, "nobody read");
        ensure!(storm.stalls > 0, "nobody was stopped in a call");
    }
    Ok(())
}
