//! The roles' processes die, stall and are restarted.

use std::collections::BTreeMap;

use gamepipe_tests::failpoints::{KAFKA_RELAY, LANDING, RELAY, STATE};

use super::*;

#[test]
fn death_at_every_failpoint_loses_and_doubles_nothing() -> Result<()> {
    let mut scene = Scene::start("death at every failpoint", shared_services(), [1, 1, 1])?;
    let of_api = [&STATE[..], &RELAY, &KAFKA_RELAY].concat();
    let cases = (of_api.into_iter().map(|point| (Role::Api, point)))
        .chain(LANDING.map(|point| (Role::Streamer, point)));
    for (role, failpoint) in cases {
        // Two of the role from here on: the first goes on while the second dies of its failpoint.
        let visit = 1 + scene.random.below(4);
        scene
            .platform
            .add(role, &format!("{failpoint}=kill@{visit}"))?;
        let count = scene.platform.of(role).len();
        let (first, doomed) = (
            scene.platform.of(role)[0],
            scene.platform.of(role)[count - 1],
        );
        // It may die before it is ready.
        let _ = doomed.wait_until_ready();
        scene.retarget()?;
        // Only the one that has the work meets its failpoints: the other makes way, as in a roll-out.
        first.signal("TERM")?;
        wait_for(
            &format!("{failpoint} to kill its process"),
            PATIENCE,
            || Ok((!doomed.is_running()?).then_some(())),
        )
        .with_context(|| scene.platform.output())?;
        first.wait()?;
        scene.replace(role).with_context(|| failpoint.to_owned())?;
        scene.answers(20).with_context(|| failpoint.to_owned())?;
    }
    scene.check()
}

#[test]
fn rolling_restarts_of_three_streamers_lose_and_double_nothing() -> Result<()> {
    let mut scene = Scene::start("rolling restarts", shared_services(), [1, 3, 1])?;
    scene.lands()?;
    let first = newest_epoch(&scene)?;
    for _ in 0..3 {
        scene.answers(50)?;
        let streamer = scene.platform.of(Role::Streamer)[0];
        let status = streamer.stop()?;
        ensure!(status.success(), "{status}: {}", streamer.output());
        scene.replace(Role::Streamer)?;
    }
    scene.lands()?;
    let stopped = newest_epoch(&scene)?;
    eprintln!("stopped in turn: {}", stalls(&scene, first, stopped)?);
    for _ in 0..3 {
        scene.answers(50)?;
        scene.platform.of(Role::Streamer)[0].kill()?;
        scene.replace(Role::Streamer)?;
    }
    scene.lands()?;
    let killed = newest_epoch(&scene)?;
    eprintln!("killed in turn: {}", stalls(&scene, stopped, killed)?);
    scene.check()
}

fn newest_epoch(scene: &Scene) -> Result<u64> {
    let newest = scene
        .platform
        .sql()?
        .value("select max(epoch) from arena_raw.\"_epochs\"")?;
    newest.as_u64().context("no epoch")
}

/// How long no events landed at most between two epochs: any at all, and of one partition.
fn stalls(scene: &Scene, first: u64, last: u64) -> Result<String> {
    let rows = scene.platform.sql()?.rows(&format!(
        "select to_unixtime(committed_at), ranges from arena_raw.\"_epochs\" where epoch between {first} and {last} and records > 0 order by epoch"
    ))?;
    let mut any = (None, 0.0);
    let mut each = BTreeMap::new();
    for row in &rows {
        let at = row[0].as_f64().context("no time")?;
        let longer = |(before, longest): (Option<f64>, f64)| {
            (Some(at), longest.max(at - before.unwrap_or(at)))
        };
        any = longer(any);
        let ranges: Vec<Value> = serde_json::from_str(row[1].as_str().context("no ranges")?)?;
        for range in ranges.iter().filter(|range| range["from"] != range["to"]) {
            let partition = range["partition"].as_u64().context("no partition")?;
            let known = each.entry(partition).or_insert((None, 0.0));
            *known = longer(*known);
        }
    }
    let of_one = each.values().map(|(_, longest)| *longest);
    Ok(format!(
        "landing stalled {:.2} s at most, of one partition {:.2} s, in {} epochs",
        any.1,
        of_one.fold(0.0, f64::max),
        rows.len()
    ))
}

#[test]
fn a_streamer_that_was_stopped_beyond_its_session_and_wakes_doubles_nothing() -> Result<()> {
    let mut scene = Scene::start("a zombie streamer", shared_services(), [1, 2, 1])?;
    for _ in 0..2 {
        scene.answers(50)?;
        scene.pass(0, 1500);
        let zombie = scene.platform.of(Role::Streamer)[0];
        zombie.signal("STOP")?;
        // The other one must take all partitions over and land what comes.
        let woken = scene.lands();
        scene.platform.of(Role::Streamer)[0].signal("CONT")?;
        woken?;
        scene.answers(50)?;
    }
    scene.check()
}

#[test]
fn the_api_that_relays_dies_or_stalls_and_another_takes_over() -> Result<()> {
    let mut scene = Scene::start("relays", shared_services(), [3, 1, 1])?;
    for round in 0..3 {
        scene.answers(50)?;
        // Which one relays is not known: each in turn.
        let api = scene.platform.of(Role::Api)[0];
        if round == 1 {
            api.signal("STOP")?;
            scene.pass(8000, 500);
            scene.platform.of(Role::Api)[0].signal("CONT")?;
            scene.answers(50)?;
        }
        scene.platform.of(Role::Api)[0].kill()?;
        scene.replace(Role::Api)?;
        scene.outbox_drains()?;
    }
    scene.check()
}
