//! The network between a role and a server is cut, and mended.

use gamepipe_testkit::network::Network;

use super::*;

#[test]
fn streamers_cut_off_from_kafka_catch_up_when_the_network_is_mended() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let kafka = KafkaServer::start(Options {
        behind_network: true,
        ..Options::default()
    });
    let near = Services::of(&redis, &kafka);
    let far = Services {
        kafka: kafka.far_bootstrap().leak(),
        ..near
    };
    let mut scene = Scene::start("streamers cut off", near, [1, 1, 1])?;
    // From here on the streamers are beyond the network; the API stays near.
    scene.platform.move_to(far);
    scene.platform.of(Role::Streamer)[0].stop()?;
    scene.replace(Role::Streamer)?;
    scene.platform.add(Role::Streamer, "")?;
    scene.platform.wait_until_ready()?;
    for _ in 0..2 {
        scene.answers(50)?;
        kafka.network().cut();
        // Beyond the session time-out: the group forgets both of them.
        scene.pass(7000, 500);
        scene.answers(50)?;
        kafka.network().mend();
        scene.platform.wait_until_ready()?;
    }
    scene.check()
}

#[test]
fn an_api_cut_off_from_redis_refuses_and_goes_on_when_the_network_is_mended() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let kafka = KafkaServer::start(Options::default());
    let near = Services::of(&redis, &kafka);
    let network = Network::to(redis.port());
    let far = Services {
        redis: format!("redis://127.0.0.1:{}", network.port()).leak(),
        ..near
    };
    let mut scene = Scene::start("an API cut off", near, [1, 1, 1])?;
    scene.platform.move_to(far);
    scene.platform.add(Role::Api, "")?;
    scene.platform.wait_until_ready()?;
    scene.retarget()?;
    for _ in 0..2 {
        scene.answers(50)?;
        network.cut();
        let cut_off = scene.platform.of(Role::Api)[1].client("api")?;
        wait_for("the API that is cut off to refuse", PATIENCE, || {
            let reply = cut_off.get("/dig_for_gold?username=ann")?;
            Ok((reply.status == 503 && reply.header("retry-after").is_some()).then_some(()))
        })?;
        // The other one goes on.
        scene.answers(20)?;
        network.mend();
        scene.platform.wait_until_ready()?;
    }
    scene.check()
}
