//! The roles' processes die, stall and are restarted.

use anyhow::Context;

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
    for round in 0..6 {
        scene.answers(50)?;
        let streamer = scene.platform.of(Role::Streamer)[0];
        if round % 2 == 0 {
            let status = streamer.stop()?;
            ensure!(status.success(), "{status}: {}", streamer.output());
        } else {
            streamer.kill()?;
        }
        scene.replace(Role::Streamer)?;
    }
    scene.check()
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
        let woken = landed_without(&scene);
        scene.platform.of(Role::Streamer)[0].signal("CONT")?;
        woken?;
        scene.answers(50)?;
    }
    scene.check()
}

/// Waits until all that is on the log now has landed.
fn landed_without(scene: &Scene) -> Result<()> {
    let (api, sql) = (scene.platform.api()?, scene.platform.sql()?);
    let log = api.get("/v1/log")?.json()?;
    let newest = "select ranges from arena_raw.\"_epochs\" order by epoch desc limit 1";
    wait_for(
        "the other streamer to land all partitions",
        PATIENCE,
        || {
            let rows = sql.rows(newest)?;
            let text = rows
                .first()
                .and_then(|row| row[0].as_str())
                .context("no epoch")?;
            let ranges: Vec<serde_json::Value> = serde_json::from_str(text)?;
            let highs = log["partitions"].as_array().context("no partitions")?;
            let landed = highs
                .iter()
                .zip(&ranges)
                .all(|(high, range)| range["to"].as_u64() >= high["high"].as_u64());
            Ok(landed.then_some(()))
        },
    )
    .with_context(|| scene.platform.output())
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
        outbox_drains(&scene)?;
    }
    scene.check()
}

/// Waits until events move again from the outbox to the log.
fn outbox_drains(scene: &Scene) -> Result<()> {
    let before = high(scene)?;
    wait_for("the relay to go on", PATIENCE, || {
        Ok((high(scene)? > before).then_some(()))
    })
    .with_context(|| scene.platform.output())
}

fn high(scene: &Scene) -> Result<u64> {
    let api = scene.platform.of(Role::Api)[0].client("api")?;
    let log = api.get("/v1/log")?.json()?;
    let partitions = log["partitions"].as_array().context("no partitions")?;
    Ok(partitions
        .iter()
        .filter_map(|partition| partition["high"].as_u64())
        .sum())
}
