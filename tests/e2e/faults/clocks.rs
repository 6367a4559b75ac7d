//! Wall clocks jump by hours, in one process and not in others.

use super::*;

/// What looks at the time as often and as closely as it can.
const SETTINGS: [(&str, &str); 4] = [
    ("GAMEPIPE_LOG_RETENTION_SECONDS", "60"),
    ("GAMEPIPE_STREAMER_VACUUM_SECONDS", "3600"),
    ("GAMEPIPE_STREAMER_MAINTENANCE_SECONDS", "1"),
    ("GAMEPIPE_STREAMER_COMPACT_FILES", "4"),
];

fn on(backends: Backends) -> Start {
    let mut start = Start::game("arena").on(backends).clocks();
    for (variable, value) in SETTINGS {
        start = start.setting(variable, value);
    }
    start
}

/// A request that is sent again and again under its key, and the reply that it must have.
struct Repeated {
    reply: Option<String>,
}

impl Repeated {
    fn send(&mut self, scene: &mut Scene) -> Result<()> {
        for api in scene.platform.apis()? {
            let key = [("idempotency-key", "before the first jump")];
            let reply = api.get_with("/dig_for_gold?username=ann", &key)?;
            ensure!(reply.status < 500, "{}: {}", reply.status, reply.text());
            scene.seen.event_ids.extend(reply.event_ids());
            let told = format!("{} {:?}", reply.text(), reply.event_ids());
            let first = self.reply.get_or_insert_with(|| told.clone());
            ensure!(*first == told, "once {first}, then {told}");
        }
        Ok(())
    }
}

/// Sets a process's clock, and waits until everything has gone on under it.
fn jump(scene: &mut Scene, repeated: &mut Repeated, number: usize, hours: i64) -> Result<()> {
    let process = &scene.platform.processes()[number];
    eprintln!("{}: {hours:+} h", process.name());
    process.clock()?.set(hours)?;
    scene.answers(50)?;
    repeated.send(scene)?;
    scene.outbox_drains()?;
    scene.lands()?;
    scene.platform.wait_until_ready()
}

#[test]
fn an_embedded_pipeline_whose_clock_jumps_loses_and_doubles_nothing() -> Result<()> {
    let mut scene = Scene::of("a clock jumps", on(Backends::Embedded))?;
    let mut repeated = Repeated { reply: None };
    for hours in [0, 5, -4, 20, 0] {
        jump(&mut scene, &mut repeated, 0, hours)?;
    }
    scene.check()
}

#[test]
fn kafka_redis_roles_whose_clocks_disagree_lose_and_double_nothing() -> Result<()> {
    let start = on(Backends::Cluster(shared_services())).roles(2, 2, 1);
    let mut scene = Scene::of("clocks disagree", start)?;
    let mut repeated = Repeated { reply: None };
    // APIs, streamers, SQL.
    let jumps = [(0, 5), (1, -4), (2, 20), (4, 5), (0, -4), (2, 0)];
    for (process, hours) in jumps {
        jump(&mut scene, &mut repeated, process, hours)?;
    }
    scene.check()
}

#[test]
fn kafka_redis_api_whose_clock_is_set_back_after_a_refusal_is_ready_again() -> Result<()> {
    let mut servers = Servers::start(&[]);
    // A request that hangs is given up after a multiple of this.
    let start = on(Backends::Cluster(servers.services()))
        .roles(1, 1, 1)
        .setting("GAMEPIPE_LOG_KAFKA_TIMEOUT_MS", "1000");
    let scene = Scene::of("set back while Kafka is away", start)?;
    scene.answers(50)?;
    servers.kafka.kill();
    let telemetry = serde_json::json!({"event_type": "nothing", "x": 1});
    let api = scene.platform.api()?;
    wait_for("telemetry to be refused", PATIENCE, || {
        let reply = api.post_json("/v1/events", &telemetry)?;
        Ok((reply.status == 503).then_some(()))
    })?;
    scene.rest();
    for process in scene.platform.processes() {
        process.clock()?.set(-4)?;
    }
    servers.kafka.restart();
    scene.platform.wait_until_ready()?;
    scene.retarget()?;
    scene.answers(50)?;
    scene.lands()?;
    scene.check()
}

#[test]
fn kafka_redis_idle_roles_whose_clocks_are_set_back_go_on() -> Result<()> {
    let start = on(Backends::Cluster(shared_services())).roles(2, 2, 1);
    let mut scene = Scene::of("set back while idle", start)?;
    scene.answers(50)?;
    scene.lands()?;
    // Nothing wakes the clients of Kafka while nobody plays.
    idle_and_set(&scene, -4)?;
    // Beyond the session time-out.
    scene.pass(8000, 500);
    scene.retarget()?;
    scene.answers(50)?;
    scene.outbox_drains()?;
    scene.lands()?;
    scene.platform.wait_until_ready()?;
    // And they end when they are asked to.
    idle_and_set(&scene, -8)?;
    scene.check()
}

fn idle_and_set(scene: &Scene, hours: i64) -> Result<()> {
    scene.rest();
    scene.lands()?;
    for process in scene.platform.processes() {
        process.clock()?.set(hours)?;
    }
    Ok(())
}
