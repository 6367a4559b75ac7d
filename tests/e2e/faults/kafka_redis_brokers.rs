//! Several brokers: leaders die, and all brokers are restarted in turn.

use gamepipe_testkit::kafka_server::KafkaCluster;

use super::*;

const BROKERS: usize = 3;

#[test]
fn brokers_that_die_and_are_rolled_in_turn_lose_and_double_nothing() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let mut kafka = KafkaCluster::start(BROKERS);
    let services = Services {
        redis: redis.url().leak(),
        kafka: kafka.bootstrap().leak(),
    };
    let mut scene = Scene::start("brokers in turn", services, [2, 2, 1])?;
    // Each leads some of the partitions, so that each partition loses its leader once.
    for (broker, is_killed) in kafka.brokers_mut().iter_mut().zip([true, false, true]) {
        scene.answers(50)?;
        scene.pass(0, 500);
        if is_killed {
            broker.kill();
        } else {
            broker.stop();
        }
        // Others lead what it led: all goes on while it is away.
        scene.outbox_drains()?;
        scene.lands()?;
        broker.restart();
        scene.platform.wait_until_ready()?;
    }
    scene.check()
}
