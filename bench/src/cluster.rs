//! The cluster's backends: actions through Redis, telemetry through Kafka, landing from Kafka.

pub(crate) mod landing;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_tests::backends::Services;
use gamepipe_tests::{Backends, Platform, Role, Start};

use crate::actions;
use crate::load::{self, MakeRequest};
use crate::machine::{cpu_seconds, describe, quantile, say};
use crate::peers::{FastApi, address};
use crate::queries::dataset;

const WARM_UP: Duration = Duration::from_secs(3);
const MEASURED: Duration = Duration::from_secs(10);
const PLAYERS: u64 = 1000;

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

fn cpu_of(platform: &Platform, role: Role) -> Result<f64> {
    let all = platform.of(role);
    all.iter().map(|process| cpu_seconds(process.pid())).sum()
}
