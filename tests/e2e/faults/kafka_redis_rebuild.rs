//! Redis is emptied: nobody begins anew in silence, and the log restores the state.

use std::process::Command;

use gamepipe_tests::tools::gamepipe;

use super::*;

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

    let rebuild = |arguments: &[&str]| -> Result<String> {
        let output = Command::new(gamepipe()?)
            .args(["state", "rebuild", "--game", "arena"])
            .args(arguments)
            .envs(servers.services().variables(scene.platform.data()))
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}: {text}", output.status);
        Ok(text)
    };
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
