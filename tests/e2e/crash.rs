//! Kill it anywhere: nothing acknowledged is lost, nothing lands twice, nothing is invented (AT-1, EO-1).

use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use gamepipe_tests::failpoints::{EMBEDDED, LANDING, RELAY, STATE};
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::{Acknowledged, Crowd, initialize_players};
use gamepipe_tests::random::Random;
use gamepipe_tests::wait::{PATIENCE, wait_for};
use gamepipe_tests::{Backends, Platform, Start};
use tempfile::TempDir;

gamepipe_tests::on_both_backends! {
    sigkill_at_random_moments_loses_and_doubles_nothing
}

/// Clients at work when the process dies.
const CLIENTS: usize = 6;

fn sigkill_at_random_moments_loses_and_doubles_nothing(backends: Backends) -> Result<()> {
    let mut random = Random::from_environment("sigkill at random moments");
    let data = TempDir::new()?;
    let mut acknowledged = Acknowledged::default();
    for _ in 0..4 {
        let platform = Start::game("arena").on(backends).data(data.path()).up()?;
        let api = platform.api()?;
        acknowledged.merge(initialize_players(&api)?);
        let crowd = Crowd::start(&api, CLIENTS, &mut random);
        // The moment of death, not a wait for anything.
        thread::sleep(Duration::from_millis(200 + random.below(1800)));
        platform.kill()?;
        acknowledged.merge(crowd.finish());
    }
    check_after_restart(backends, data.path(), &acknowledged)
}

#[test]
fn death_at_every_failpoint_loses_and_doubles_nothing() -> Result<()> {
    let mut random = Random::from_environment("death at every failpoint");
    let data = TempDir::new()?;
    let mut acknowledged = Acknowledged::default();
    let all = [&STATE[..], &EMBEDDED, &RELAY, &LANDING].concat();
    for failpoint in all {
        // The first visits happen at start; later ones happen under load.
        let visit = 2 + random.below(4);
        let platform = Start::game("arena")
            .data(data.path())
            .failpoints(&format!("{failpoint}=kill@{visit}"))
            .spawn()?;
        acknowledged
            .merge(run_until_death(&platform, &mut random).with_context(|| failpoint.to_owned())?);
        let survivor = Start::game("arena").data(data.path()).up()?;
        survivor
            .wait_until_landed()
            .with_context(|| failpoint.to_owned())?;
        check_arena(&survivor, &acknowledged)
            .with_context(|| format!("after death at {failpoint}, visit {visit}"))?;
        anyhow::ensure!(
            survivor.stop()?.success(),
            "a clean stop after {failpoint} failed:\n{}",
            survivor.output()
        );
    }
    Ok(())
}

/// Loads a platform that has a failpoint armed until it dies of it.
fn run_until_death(platform: &Platform, random: &mut Random) -> Result<Acknowledged> {
    let mut seen = Acknowledged::default();
    // It may die before it is ready: then nothing was acknowledged.
    if platform.wait_until_ready().is_ok() {
        let api = platform.api()?;
        match initialize_players(&api) {
            Ok(players) => seen.merge(players),
            // Some of the players may have been made before it died.
            Err(_) => seen.unanswered += gamepipe_tests::load::PLAYERS.len(),
        }
        let crowd = Crowd::start(&api, CLIENTS, random);
        let died = wait_for("the failpoint to kill the process", PATIENCE, || {
            Ok((!platform.is_running()?).then_some(()))
        });
        platform.kill().ok();
        seen.merge(crowd.finish());
        died?;
    }
    Ok(seen)
}

fn check_after_restart(backends: Backends, data: &Path, acknowledged: &Acknowledged) -> Result<()> {
    let platform = Start::game("arena").on(backends).data(data).up()?;
    platform.wait_until_landed()?;
    anyhow::ensure!(
        acknowledged.event_ids.len() > 100,
        "too little load to show anything: {}",
        acknowledged.event_ids.len()
    );
    check_arena(&platform, acknowledged)?;
    anyhow::ensure!(
        platform.stop()?.success(),
        "a clean stop failed:\n{}",
        platform.output()
    );
    Ok(())
}
