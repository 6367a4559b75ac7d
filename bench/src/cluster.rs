//! The cluster's backends: actions through Redis, telemetry through Kafka, landing from Kafka.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use gamepipe_config::kafka::KafkaConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, Record};
use gamepipe_service::clock::SystemClock;
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_tests::backends::Services;
use gamepipe_tests::wait::wait_for;
use gamepipe_tests::{Backends, Platform, Role, Start};

use crate::actions;
use crate::load::{self, MakeRequest};
use crate::machine::{cpu_seconds, describe, memory_mib, quantile, say};
use crate::peers::{FastApi, address};
use crate::queries::dataset;

const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);
const PLAYERS: u64 = 1000;
/// Events that are landed, and how many of them are appended at a time.
const EVENTS: u64 = 5_000_000;
const APPEND: u64 = 20_000;
/// How long filling and landing may take.
const LANDING: Duration = Duration::from_secs(600);

/// Durable actions through three API processes on one player set.
pub(crate) fn actions() -> Result<()> {
    say(&format!(
        "# actions through Redis and Kafka\n{}",
        describe()
    ));
    let redis = RedisServer::start(&["--appendfsync", "everysec"]);
    let kafka = measured();
    let platform = Start::game("arena")
        .on(Backends::Cluster(Services::of(&redis, &kafka)))
        .roles(3, 1, 1)
        .up()?;
    let apis = platform.apis()?;
    actions::initialize(apis.first().context("no API")?)?;
    for connections in [32, 64] {
        actions::measure_among(&apis, connections, WARM_UP)?;
        let before = cpu_of(&platform, Role::Api)?;
        let outcome = actions::measure_among(&apis, connections, MEASURED)?;
        let cpu = cpu_of(&platform, Role::Api)? - before;
        actions::report(
            &format!("three API processes, {connections} connections (target: 6000/s, p99 25 ms)"),
            &outcome,
            cpu,
        );
    }
    platform.wait_until_landed()?;
    let sql = platform.sql()?;
    let mut wallets = 0;
    for player in 0..PLAYERS {
        let api = apis.first().context("no API")?;
        let entity = api.get(&format!("/v1/entities/player/p{player}"))?.json()?;
        let money = entity["state"]["money"].as_i64().context("no money")?;
        ensure!(money >= 0, "p{player} has overspent: {money}");
        wallets += money;
    }
    let due = sql.value(
        "select 1000 * 100 + coalesce((select sum(wallet_after - wallet_before) from dig_for_gold_events), 0) \
         + coalesce((select sum(wallet_after - wallet_before) from purchase_weapon_events), 0)",
    )?;
    say(&format!(
        "wallets hold {wallets} gold, their events say {due}"
    ));
    Ok(())
}

/// Single telemetry events, acknowledged by Kafka.
pub(crate) fn events() -> Result<()> {
    const CONNECTIONS: usize = 128;
    say(&format!(
        "# single events acknowledged by Kafka\n{}",
        describe()
    ));
    let redis = RedisServer::start(&[]);
    let kafka = measured();
    let event = serde_json::json!({
        "event_type": "purchase_weapon", "player": "p003825", "weapon": "axe", "wallet_before": 4189, "wallet_after": 4109,
        "ts": "2026-01-01T00:00:00.001Z",
    });
    let mut own = event.clone();
    if let Some(fields) = own.as_object_mut() {
        fields.remove("ts");
    }
    let definition = dataset::eleven().definition_file()?;
    let path = definition.path().to_str().context("a path in UTF-8")?;
    let platform = Start::game(path)
        .on(Backends::Cluster(Services::of(&redis, &kafka)))
        .roles(1, 0, 0)
        .up()?;
    let body = own.to_string().into_bytes();
    let make: Arc<MakeRequest> = Arc::new(move |_, _| load::post_json("/v1/events", &body));
    let api = platform.api()?;
    let ours = rate(
        "gamepipe, one API process",
        address(api.base()).context("no address")?,
        CONNECTIONS,
        make,
        || cpu_of(&platform, Role::Api),
    )?;
    platform.stop()?;

    let peer = FastApi::start(&kafka.bootstrap())?;
    let body = event.to_string().into_bytes();
    let make: Arc<MakeRequest> = Arc::new(move |_, _| load::post_json("/events", &body));
    let theirs = rate(
        "FastAPI, 2 workers, confluent-kafka",
        &peer.address(),
        CONNECTIONS,
        make,
        || peer.cpu_seconds(),
    )?;
    say(&format!(
        "ratio: {:.1} x FastAPI in requests/s, {:.1} x in requests for each CPU second (target: 3)",
        ours.0 / theirs.0,
        theirs.1 / ours.1
    ));
    Ok(())
}

/// Requests a second, and server CPU in microseconds for each.
fn rate(
    name: &str,
    address: &str,
    connections: usize,
    make: Arc<MakeRequest>,
    cpu: impl Fn() -> Result<f64>,
) -> Result<(f64, f64)> {
    load::run(address, connections, WARM_UP, Arc::clone(&make))?;
    let before = cpu()?;
    let outcome = load::run(address, connections, MEASURED, make)?;
    let cpu = cpu()? - before;
    #[expect(clippy::cast_precision_loss, reason = "counts of a bench are small")]
    let ok = outcome.ok as f64;
    let (rate, micros) = (ok / outcome.seconds, cpu * 1e6 / ok);
    say(&format!(
        "{name}, {connections} connections: {rate:.0} requests/s, {micros:.0} us CPU each, p50 {} us, p99 {} us, {} failed",
        quantile(&outcome.micros, 0.5),
        quantile(&outcome.micros, 0.99),
        outcome.failed + outcome.refused,
    ));
    Ok((rate, micros))
}

/// From a full topic to landed tables.
pub(crate) fn landing() -> Result<()> {
    say(&format!("# landing from Kafka\n{}", describe()));
    let redis = RedisServer::start(&[]);
    let kafka = measured();
    let services = Services::of(&redis, &kafka);
    let definition = dataset::eleven().definition_file()?;
    let path = definition.path().to_str().context("a path in UTF-8")?;
    let data = tempfile::TempDir::new()?;
    let topic = services.topic(data.path());
    say(&format!(
        "filling a topic with {EVENTS} events (a minute or so)"
    ));
    let bytes = fill(&kafka.bootstrap(), &topic)?;
    say(&format!(
        "topic {topic} on {}: {} bytes an event",
        kafka.bootstrap(),
        bytes / EVENTS
    ));
    let mut platform = Start::game(path)
        .on(Backends::Cluster(services))
        .data(data.path())
        .roles(0, 0, 1)
        .up()?;
    let sql = platform.sql()?;
    let begun = Instant::now();
    platform.add(Role::Streamer, "")?;
    wait_for("all events to land", LANDING, || {
        let landed = sql.value("select sum(records) from eleven_raw.\"_epochs\"")?;
        Ok((landed.as_u64() == Some(EVENTS)).then_some(()))
    })
    .with_context(|| platform.output())?;
    let seconds = begun.elapsed().as_secs_f64();
    let pid = platform.of(Role::Streamer)[0].pid();
    let cpu = cpu_seconds(pid)?;
    let (_, peak) = memory_mib(pid)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of millions")]
    let events = EVENTS as f64;
    say(&format!(
        "gamepipe streamer: {:.0} events for each CPU second (target: 300000), {:.0} events/s, {cpu:.1} CPU s, {seconds:.1} s with its start, peak {peak:.0} MiB (target: 400)",
        events / cpu,
        events / seconds,
    ));
    Ok(())
}

fn measured() -> KafkaServer {
    KafkaServer::start(Options {
        measured: true,
        // The peer's topic is made by its first event.
        properties: vec![
            "auto.create.topics.enable=true".to_owned(),
            "num.partitions=12".to_owned(),
        ],
        ..Options::default()
    })
}

/// Fills the topic as the API would; gives the bytes of all values.
fn fill(bootstrap: &str, topic: &str) -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let config = LogConfig {
            kafka: KafkaConfig {
                bootstrap_servers: bootstrap.to_owned(),
                topic: topic.to_owned(),
                timeout_ms: 60_000,
                ..KafkaConfig::default()
            },
            ..LogConfig::default()
        };
        let log = KafkaLog::open(&config, topic, Arc::new(SystemClock)).await?;
        let event = dataset::logged();
        let mut bytes = 0;
        for first in (0..EVENTS).step_by(usize::try_from(APPEND)?) {
            let records: Vec<Record> = (first..(first + APPEND).min(EVENTS))
                .map(|number| {
                    let (key, value) = event(number);
                    bytes += value.len() as u64;
                    Record {
                        key,
                        value: value.into(),
                        dedupe_id: None,
                    }
                })
                .collect();
            log.append(records).await?;
        }
        Ok(bytes)
    })
}

fn cpu_of(platform: &Platform, role: Role) -> Result<f64> {
    let all = platform.of(role);
    all.iter().map(|process| cpu_seconds(process.pid())).sum()
}
