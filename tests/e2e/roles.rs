//! Roles that can't start as they are told: what is wrong is named, and they wait for it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_tests::load::initialize_players;
use gamepipe_tests::process::Process;
use gamepipe_tests::tools::gamepipe;
use gamepipe_tests::wait::{PATIENCE, wait_for};

/// Within this time a role says what is wrong, also on a machine that does much else; alone it takes ten seconds at most.
const SOON: Duration = Duration::from_secs(90);

fn serve(role: &'static str, variables: &[(&str, &str)]) -> Result<Process> {
    let mut command = Command::new(gamepipe()?);
    command.args(["serve", role, "--listen", "127.0.0.1:0"]);
    command.envs(variables.iter().copied());
    Process::start(role, &[role], &mut command)
}

/// A port of this machine where nobody listens.
const NOWHERE: &str = "127.0.0.1:9";

#[test]
fn a_role_without_its_backends_says_which_setting_is_missing() -> Result<()> {
    for (role, setting) in [
        ("api", "state.redis.url"),
        ("streamer", "log.kafka.bootstrapServers"),
        ("sql", "lake.path"),
    ] {
        let process = serve(role, &[])?;
        ensure!(process.wait()?.code() == Some(2), "{}", process.output());
        ensure!(process.output().contains(setting), "{}", process.output());
    }
    Ok(())
}

/// Waits until the role names `reason` on standard error and in `/readyz`, and refuses everything else politely.
fn names(process: &Process, role: &str, reason: &str) -> Result<()> {
    wait_for(&format!("the {role} to name {reason:?}"), SOON, || {
        let ready = process.client(role)?.get("/readyz")?;
        let is_named = ready.status == 503
            && ready.text().contains(reason)
            && process.output().contains(reason);
        Ok(is_named.then_some(()))
    })
    .with_context(|| process.output())?;
    let client = process.client(role)?;
    ensure!(client.get("/livez")?.status == 200, "it lives");
    let refused = client.get("/dig_for_gold?username=ann")?;
    ensure!(
        refused.status == 503
            && refused.header("retry-after").is_some()
            && refused.json()?["code"] == "unavailable",
        "{}: {}",
        refused.status,
        refused.text()
    );
    Ok(())
}

#[test]
fn kafka_redis_at_a_wrong_address_is_named_and_waited_for() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let kafka = KafkaServer::start(Options::default());
    let log = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", NOWHERE),
        ("GAMEPIPE_LAKE_PATH", "/tmp"),
    ];
    let process = serve("streamer", &log)?;
    names(&process, "streamer", NOWHERE)?;
    ensure!(
        process.output().contains("log.kafka.bootstrapServers"),
        "{}",
        process.output()
    );
    ensure!(process.stop()?.success(), "{}", process.output());

    let bootstrap = kafka.bootstrap();
    let state = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", bootstrap.as_str()),
        ("GAMEPIPE_LOG_KAFKA_TOPIC", "wrong-address"),
        ("GAMEPIPE_STATE_REDIS_URL", "redis://127.0.0.1:9"),
    ];
    let process = serve("api", &state)?;
    names(&process, "api", "127.0.0.1:9")?;
    ensure!(
        process.output().contains("state.redis.url"),
        "{}",
        process.output()
    );
    ensure!(process.stop()?.success(), "{}", process.output());

    // A server that comes late is met without a restart.
    let port = redis.port();
    drop(redis);
    let late = format!("redis://127.0.0.1:{port}");
    let process = serve(
        "api",
        &[state[0], state[1], ("GAMEPIPE_STATE_REDIS_URL", &late)],
    )?;
    names(&process, "api", &port.to_string())?;
    let mut redis = RedisServer::start(&[]);
    redis.restart_at(port);
    process.wait_until_ready()?;
    ensure!(process.stop()?.success(), "{}", process.output());
    Ok(())
}

#[test]
fn kafka_redis_with_a_wrong_password_is_named_without_the_password() -> Result<()> {
    let redis = RedisServer::start(&["--requirepass", "right"]);
    let kafka = KafkaServer::start(Options {
        sasl: true,
        ..Options::default()
    });
    let (plain, sasl) = (kafka.bootstrap(), kafka.sasl_bootstrap());
    let url = redis.url();
    let state = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", plain.as_str()),
        ("GAMEPIPE_LOG_KAFKA_TOPIC", "wrong-password"),
        ("GAMEPIPE_STATE_REDIS_URL", url.as_str()),
        ("GAMEPIPE_STATE_REDIS_PASSWORD", "open-sesame"),
    ];
    let api = serve("api", &state)?;
    names(&api, "api", "state.redis.password")?;
    let log = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", sasl.as_str()),
        ("GAMEPIPE_LOG_KAFKA_SECURITY_PROTOCOL", "saslPlaintext"),
        (
            "GAMEPIPE_LOG_KAFKA_USERNAME",
            gamepipe_testkit::kafka_server::USER,
        ),
        ("GAMEPIPE_LOG_KAFKA_PASSWORD", "open-sesame"),
        ("GAMEPIPE_LAKE_PATH", "/tmp"),
    ];
    let streamer = serve("streamer", &log)?;
    names(&streamer, "streamer", "log.kafka.password")?;
    for process in [api, streamer] {
        ensure!(process.stop()?.success(), "{}", process.output());
        ensure!(
            !process.output().contains("open-sesame"),
            "{}",
            process.output()
        );
    }
    Ok(())
}

#[test]
fn kafka_old_broker_is_named_with_what_to_change() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let kafka = KafkaServer::start(Options {
        old: true,
        ..Options::default()
    });
    let (bootstrap, url) = (kafka.bootstrap(), redis.url());
    let variables = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", bootstrap.as_str()),
        // With the brokers' own number they could not even make a topic.
        ("GAMEPIPE_LOG_KAFKA_REPLICATION_FACTOR", "1"),
        ("GAMEPIPE_STATE_REDIS_URL", url.as_str()),
        ("GAMEPIPE_LAKE_PATH", "/tmp"),
    ];
    for role in ["api", "streamer"] {
        let process = serve(role, &variables)?;
        names(&process, role, "is too old: use Kafka 2.4 or newer")?;
        ensure!(process.stop()?.success(), "{}", process.output());
    }
    Ok(())
}

#[test]
fn kafka_without_the_topic_is_named_where_none_may_be_made() -> Result<()> {
    let kafka = KafkaServer::start(Options::default());
    let bootstrap = kafka.bootstrap();
    let process = serve(
        "streamer",
        &[
            ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", bootstrap.as_str()),
            ("GAMEPIPE_LOG_KAFKA_TOPIC", "not-there"),
            ("GAMEPIPE_LOG_KAFKA_CREATE", "false"),
            ("GAMEPIPE_LAKE_PATH", "/tmp"),
        ],
    )?;
    wait_for("the missing topic to be named", PATIENCE, || {
        let output = process.output();
        Ok((output.contains("not-there") && output.contains("log.kafka.create")).then_some(()))
    })
    .with_context(|| process.output())
}

#[test]
fn kafka_that_stands_still_does_not_keep_an_api_from_stopping() -> Result<()> {
    let redis = RedisServer::start(&[]);
    let kafka = KafkaServer::start(Options::default());
    let (bootstrap, url) = (kafka.bootstrap(), redis.url());
    let settings = [
        ("GAMEPIPE_LOG_KAFKA_BOOTSTRAP_SERVERS", bootstrap.as_str()),
        ("GAMEPIPE_LOG_KAFKA_TOPIC", "stands-still"),
        ("GAMEPIPE_STATE_REDIS_URL", url.as_str()),
    ];
    let process = serve("api", &settings)?;
    process.wait_until_ready()?;
    kafka.freeze();
    let acknowledged = initialize_players(&process.client("api")?)?;
    ensure!(!acknowledged.event_ids.is_empty(), "Redis takes actions");
    ensure!(process.stop()?.success(), "{}", process.output());
    ensure!(
        process.output().contains("the rest stays in the outbox"),
        "{}",
        process.output()
    );
    kafka.thaw();
    let process = serve("api", &settings)?;
    process.wait_until_ready()?;
    ensure!(process.stop()?.success(), "{}", process.output());
    Ok(())
}
