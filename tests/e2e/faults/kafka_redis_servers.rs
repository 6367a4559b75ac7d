//! Kafka and Redis die and stall.

use super::*;

#[test]
fn kafka_killed_under_load_is_waited_for_and_loses_nothing() -> Result<()> {
    let mut servers = Servers::start(&[]);
    let scene = Scene::start("kafka killed", servers.services(), [2, 2, 1])?;
    for _ in 0..2 {
        scene.answers(50)?;
        servers.kafka.kill();
        wait_for("the API to say that the log is away", PATIENCE, || {
            let reply = scene.platform.api()?.get("/readyz")?;
            Ok((reply.status == 503 && reply.text().contains("event log")).then_some(()))
        })?;
        let reply = scene.platform.api()?.post_json(
            "/v1/events",
            &serde_json::json!({"event_type": "nothing", "x": 1}),
        )?;
        ensure!(
            reply.status == 503 && reply.header("retry-after").is_some(),
            "{}: {}",
            reply.status,
            reply.text()
        );
        // Actions go on: their events wait in Redis.
        scene.answers(50)?;
        servers.kafka.restart();
        scene.platform.wait_until_ready()?;
    }
    scene.check()
}

#[test]
fn redis_killed_under_load_is_waited_for_and_loses_nothing_that_was_synced() -> Result<()> {
    let mut servers = Servers::start(&["--appendfsync", "always"]);
    let settings = [("GAMEPIPE_STATE_REDIS_DURABILITY", "always")];
    let scene = Scene::start_with("redis killed", servers.services(), [2, 1, 1], &settings)?;
    for _ in 0..3 {
        scene.answers(50)?;
        servers.redis.kill();
        wait_for(
            "the API to say that the state store is away",
            PATIENCE,
            || {
                let reply = scene.platform.api()?.get("/readyz")?;
                Ok((reply.status == 503 && reply.text().contains("state store")).then_some(()))
            },
        )?;
        let reply = scene.platform.api()?.get("/dig_for_gold?username=ann")?;
        ensure!(
            reply.status == 503 && reply.header("retry-after").is_some(),
            "{}: {}",
            reply.status,
            reply.text()
        );
        servers.redis.restart();
        scene.platform.wait_until_ready()?;
    }
    scene.check()
}

#[test]
fn a_full_redis_refuses_actions_and_takes_them_again_when_it_has_room() -> Result<()> {
    let servers = Servers::start(&["--maxmemory-policy", "noeviction"]);
    let scene = Scene::start("redis full", servers.services(), [1, 1, 1])?;
    scene.answers(50)?;
    servers.redis.ask(&["CONFIG", "SET", "maxmemory", "1mb"]);
    let refused = wait_for("actions to be refused", PATIENCE, || {
        let reply = scene.platform.api()?.get("/dig_for_gold?username=ann")?;
        Ok((reply.status == 503).then_some(reply))
    })?;
    ensure!(
        refused.header("retry-after").is_some(),
        "{}",
        refused.text()
    );
    servers.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    scene.answers(50)?;
    scene.check()
}
