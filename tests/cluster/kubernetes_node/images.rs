//! The images run: gamepipe's own as it ships, and Kafka and Redis laid out as the official ones are.

use anyhow::{Result, ensure};
use gamepipe_tests::tools::tool;

use super::in_namespace;

const PODS: &str = include_str!("images.yaml");

#[test]
fn the_images_of_gamepipe_kafka_and_redis_run() -> Result<()> {
    in_namespace("images", |space| {
        let beside = tool("GAMEPIPE_TEST_IMAGES")?;
        space.cluster.load_image(&tool("GAMEPIPE_TEST_IMAGE")?)?;
        for image in ["kafka.tar", "redis.tar"] {
            space.cluster.load_image(&beside.join(image))?;
        }
        space.apply(PODS)?;

        space.kubectl(&[
            "wait",
            "--for=jsonpath={.status.phase}=Succeeded",
            "--timeout=120s",
            "pod/gamepipe",
        ])?;
        let version = space.kubectl(&["logs", "gamepipe"])?;
        ensure!(version.starts_with("gamepipe "), "{version}");

        space.wait_for_pod("redis-0", "Ready")?;
        let redis = [
            "exec",
            "redis-client",
            "--",
            "redis-cli",
            "-h",
            "redis-0.redis",
            "-a",
            "secret",
            "ping",
        ];
        space.cluster.wait("Redis in another pod", |_| {
            let answer = space.kubectl(&redis)?;
            ensure!(answer.trim() == "PONG", "{answer}");
            Ok(())
        })?;

        space.wait_for_pod("kafka-0", "Ready")?;
        let kafka = |arguments: &[&str]| {
            let client = [
                "exec",
                "kafka-client",
                "--",
                "/opt/kafka/bin/kafka-topics.sh",
            ];
            let server = ["--bootstrap-server", "kafka-0.kafka:9092"];
            space.kubectl(&[&client[..], &server, arguments].concat())
        };
        space.cluster.wait("Kafka in another pod", |_| {
            kafka(&["--create", "--if-not-exists", "--topic", "t"])
        })?;
        // The folder was formatted once, and is known again.
        space.kubectl(&["delete", "pod", "kafka-0"])?;
        space
            .cluster
            .wait("kafka-0 again", |_| space.address("kafka-0"))?;
        space.wait_for_pod("kafka-0", "Ready")?;
        space.cluster.wait("the topic", |_| {
            let topics = kafka(&["--list"])?;
            ensure!(topics.lines().any(|topic| topic == "t"), "{topics}");
            Ok(())
        })
    })
}
