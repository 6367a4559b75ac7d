//! From a full topic in Kafka to landed tables, beside Spark Structured Streaming on the same topic.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use gamepipe_config::kafka::KafkaConfig;
use gamepipe_config::log::LogConfig;
use gamepipe_eventlog::kafka::KafkaLog;
use gamepipe_eventlog::{EventLog, Record};
use gamepipe_service::clock::SystemClock;
use gamepipe_testkit::kafka_server::KafkaServer;
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_tests::backends::Services;
use gamepipe_tests::wait::wait_for;
use gamepipe_tests::{Backends, Role, Start};

use crate::machine::{cpu_seconds, describe, memory_mib, say};
use crate::queries::dataset;
use crate::spark::{Job, Spark};

/// Events in the larger topic and in the smaller one: what a job costs once, at its start, weighs more there.
const EVENTS: u64 = 5_000_000;
const FEWER: u64 = 1_000_000;
/// How many events are appended at a time.
const APPEND: u64 = 20_000;
/// How long filling and landing may take.
const LANDING: Duration = Duration::from_secs(600);

/// One way of landing a topic, measured.
#[derive(Debug)]
struct Landed {
    cpu_seconds: f64,
    seconds: f64,
}

pub(crate) fn run() -> Result<()> {
    say(&format!("# landing from Kafka\n{}", describe()));
    let redis = RedisServer::start(&[]);
    let kafka = super::measured();
    let spark = Spark::installed()?;
    beside(&spark, &redis, &kafka, FEWER, &[Job::Course])?;
    beside(
        &spark,
        &redis,
        &kafka,
        EVENTS,
        &[Job::Parquet, Job::Delta, Job::Course],
    )
}

/// Lands as many events with our streamer and with jobs of Spark.
fn beside(
    spark: &Spark,
    redis: &RedisServer,
    kafka: &KafkaServer,
    events: u64,
    jobs: &[Job],
) -> Result<()> {
    let services = Services::of(redis, kafka);
    let data = tempfile::TempDir::new()?;
    let topic = services.topic(data.path());
    say(&format!("filling topic {topic} with {events} events"));
    let bytes = fill(&kafka.bootstrap(), &topic, events)?;
    say(&format!("{} bytes an event", bytes / events));
    let ours = ours(services, data.path(), events)?;
    for job in jobs {
        let theirs = spark.land(*job, &kafka.bootstrap(), &topic)?;
        say(&format!(
            "Spark, {job}: {}, peak {} MiB; {} rows",
            rates(events, theirs.cpu_seconds, theirs.seconds),
            theirs.peak_mib,
            theirs.rows
        ));
        say(&format!(
            "ratio: {:.1} x in events for each CPU second, {:.1} x in events/s",
            theirs.cpu_seconds / ours.cpu_seconds,
            theirs.seconds / ours.seconds
        ));
    }
    Ok(())
}

/// One streamer, from its start to the last event's commit.
fn ours(services: Services, data: &std::path::Path, events: u64) -> Result<Landed> {
    let definition = dataset::eleven().definition_file()?;
    let path = definition.path().to_str().context("a path in UTF-8")?;
    let mut platform = Start::game(path)
        .on(Backends::Cluster(services))
        .data(data)
        .roles(0, 0, 1)
        .up()?;
    let sql = platform.sql()?;
    let begun = Instant::now();
    platform.add(Role::Streamer, "")?;
    wait_for("all events to land", LANDING, || {
        let landed = sql.value("select sum(records) from eleven_raw.\"_epochs\"")?;
        Ok((landed.as_u64() == Some(events)).then_some(()))
    })
    .with_context(|| platform.output())?;
    let seconds = begun.elapsed().as_secs_f64();
    let pid = platform.of(Role::Streamer)[0].pid();
    let cpu_seconds = cpu_seconds(pid)?;
    let (_, peak) = memory_mib(pid)?;
    say(&format!(
        "gamepipe streamer: {} with its start, peak {peak:.0} MiB (targets: 300000 for each CPU second, 400 MiB)",
        rates(events, cpu_seconds, seconds)
    ));
    platform.stop()?;
    Ok(Landed {
        cpu_seconds,
        seconds,
    })
}

fn rates(events: u64, cpu_seconds: f64, seconds: f64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a count of millions")]
    let events = events as f64;
    format!(
        "{:.0} events for each CPU second, {:.0} events/s ({cpu_seconds:.1} CPU s, {seconds:.1} s)",
        events / cpu_seconds,
        events / seconds
    )
}

/// Fills the topic as the API would; gives the bytes of all values.
fn fill(bootstrap: &str, topic: &str, events: u64) -> Result<u64> {
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
        for first in (0..events).step_by(usize::try_from(APPEND)?) {
            let records: Vec<Record> = (first..(first + APPEND).min(events))
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
