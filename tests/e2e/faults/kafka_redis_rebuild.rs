//! Redis is emptied, or lost its end: nobody goes on in silence, and a person decides.

use std::process::Command;

use gamepipe_tests::tools::gamepipe;

use super::*;

/// What `gamepipe state` says about the scene's pipeline.
fn state(scene: &Scene, servers: &Servers, arguments: &[&str]) -> Result<String> {
    let output = Command::new(gamepipe()?)
        .arg("state")
        .args(arguments)
        .args(["--game", "arena"])
        .envs(servers.services().variables(scene.platform.data()))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {text}", output.status);
    Ok(text)
}

#[test]
fn an_emptied_redis_is_refused_and_the_log_restores_the_state() -> Result<()> {
    let servers = Servers::start(&[]);
    let mut scene = Scene::start("redis emptied", servers.services(), [1, 1, 1])?;
    scene.answers(200)?;
    // Players make way: what is on the log is what the state must be.
    let seen = std::mem::replace(
        &mut scene.crowd,
        StubbornCrowd::start(&Targets::default(), 0, &mut scene.random),
    )
    .finish();
    scene.seen.merge(seen);
    scene.platform.wait_until_landed()?;
    ensure!(
        scene.platform.stop()?.success(),
        "{}",
        scene.platform.output()
    );
    servers.redis.ask(&["FLUSHALL"]);

    scene.platform.bury()?;
    scene.platform.add(Role::Api, "")?;
    let api = scene.platform.of(Role::Api)[0];
    wait_for("the API to refuse an empty Redis", PATIENCE, || {
        let reply = api.client("api")?.get("/readyz")?;
        Ok((reply.status == 503 && reply.text().contains("gamepipe state rebuild")).then_some(()))
    })
    .with_context(|| api.output())?;
    api.kill()?;

    let rebuild = |arguments: &[&str]| state(&scene, &servers, &[&["rebuild"], arguments].concat());
    ensure!(
        rebuild(&["--dry-run"])?.contains("nothing was changed"),
        "a dry run"
    );
    let told = rebuild(&[])?;
    ensure!(told.contains("restored"), "{told}");

    for role in [Role::Api, Role::Streamer, Role::Sql] {
        scene.replace(role)?;
    }
    // Every balance equals its ledger, and the game goes on from there.
    scene.crowd = StubbornCrowd::start(&scene.targets, PLAYERS, &mut scene.random);
    scene.answers(100)?;
    scene.check()
}

/// More than a few commits and their trims.
const LOST_BYTES: u64 = 20_000;

#[test]
fn a_redis_that_lost_its_end_is_refused_until_the_loss_is_accepted() -> Result<()> {
    let mut servers = Servers::start(&[]);
    let scene = Scene::start("redis lost its end", servers.services(), [1, 1, 1])?;
    scene.answers(300)?;
    servers.redis.kill();
    let folder = servers.redis.folder().join("appendonlydir");
    let file = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.to_string_lossy().ends_with(".incr.aof"))
        .context("no append-only file")?;
    let file = std::fs::OpenOptions::new().write(true).open(file)?;
    file.set_len(file.metadata()?.len().saturating_sub(LOST_BYTES))?;
    servers.redis.restart();
    wait_for("the API to tell of the loss", PATIENCE, || {
        let reply = scene.platform.api()?.get("/readyz")?;
        Ok((reply.status == 503 && reply.text().contains("lost commits")).then_some(()))
    })
    .with_context(|| scene.platform.output())?;
    let refused = scene.platform.api()?.get("/dig_for_gold?username=ann")?;
    ensure!(
        refused.status == 503,
        "{}: {}",
        refused.status,
        refused.text()
    );

    let told = state(&scene, &servers, &["accept-loss"])?;
    ensure!(told.contains("the store goes on"), "{told}");
    scene.platform.wait_until_ready()?;
    scene.answers(100)?;
    let Scene {
        _stage,
        platform,
        crowd,
        ..
    } = scene;
    crowd.finish();
    platform.wait_until_landed()
}
