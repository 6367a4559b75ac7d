//! Rounds of random faults; the seed replays them.

use super::*;

/// Rounds in a usual run; `GAMEPIPE_TEST_ROUNDS` sets another number, for long runs by hand.
const ROUNDS: u64 = 12;

#[derive(Debug, Clone, Copy)]
enum Fault {
    Kill(Role),
    Stop(Role),
    Stall(Role),
    KillKafka,
    StallKafka,
    KillRedis,
    StallRedis,
}

const FAULTS: [Fault; 12] = [
    Fault::Kill(Role::Api),
    Fault::Kill(Role::Streamer),
    Fault::Kill(Role::Streamer),
    Fault::Kill(Role::Sql),
    Fault::Stop(Role::Api),
    Fault::Stop(Role::Streamer),
    Fault::Stall(Role::Api),
    Fault::Stall(Role::Streamer),
    Fault::KillKafka,
    Fault::StallKafka,
    Fault::KillRedis,
    Fault::StallRedis,
];

#[test]
fn a_storm_of_faults_loses_doubles_and_invents_nothing() -> Result<()> {
    let rounds = match std::env::var("GAMEPIPE_TEST_ROUNDS") {
        Ok(text) => text
            .parse()
            .context("GAMEPIPE_TEST_ROUNDS must be a number")?,
        Err(_) => ROUNDS,
    };
    let mut servers = Servers::start(&["--appendfsync", "always"]);
    let settings = [("GAMEPIPE_STATE_REDIS_DURABILITY", "always")];
    let mut scene = Scene::start_with(
        "a storm of faults",
        servers.services(),
        [2, 3, 1],
        &settings,
    )?;
    for round in 1..=rounds {
        let fault = *scene.random.pick(&FAULTS);
        eprintln!("round {round}: {fault:?}");
        scene.answers(10)?;
        scene.pass(0, 1000);
        strike(&mut scene, &mut servers, fault)
            .with_context(|| format!("round {round}: {fault:?}"))?;
    }
    scene.check()
}

fn strike(scene: &mut Scene, servers: &mut Servers, fault: Fault) -> Result<()> {
    match fault {
        Fault::Kill(role) => {
            victim(scene, role).kill()?;
            scene.pass(0, 1000);
            scene.replace(role)
        }
        Fault::Stop(role) => {
            let process = victim(scene, role);
            let status = process.stop()?;
            ensure!(status.success(), "{status}: {}", process.output());
            scene.replace(role)
        }
        Fault::Stall(role) => {
            let pid = victim(scene, role).pid();
            let process = move |platform: &Platform, signal: &str| {
                let mut all = platform.processes().iter();
                all.find(|process| process.pid() == pid)
                    .context("the process is gone")?
                    .signal(signal)
            };
            process(&scene.platform, "STOP")?;
            // Now and then beyond the session time-out.
            scene.pass(200, 9000);
            process(&scene.platform, "CONT")
        }
        Fault::KillKafka => {
            servers.kafka.kill();
            scene.pass(0, 2000);
            servers.kafka.restart();
            scene.platform.wait_until_ready()
        }
        Fault::StallKafka => {
            servers.kafka.freeze();
            scene.pass(200, 5000);
            servers.kafka.thaw();
            scene.platform.wait_until_ready()
        }
        Fault::KillRedis => {
            servers.redis.kill();
            scene.pass(0, 2000);
            servers.redis.restart();
            scene.platform.wait_until_ready()
        }
        Fault::StallRedis => {
            servers.redis.freeze();
            scene.pass(200, 5000);
            servers.redis.thaw();
            scene.platform.wait_until_ready()
        }
    }
}

/// One of the role's processes.
fn victim(scene: &mut Scene, role: Role) -> &gamepipe_tests::process::Process {
    let count = scene.platform.of(role).len() as u64;
    let index = usize::try_from(scene.random.below(count)).unwrap_or(0);
    scene.platform.of(role)[index]
}
