//! Faults of a cluster: every process and both servers die, stall and come back under load, and nothing acknowledged is
//! lost, doubled or invented.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use gamepipe_testkit::kafka_server::{KafkaServer, Options};
use gamepipe_testkit::redis_server::RedisServer;
use gamepipe_tests::backends::Services;
use gamepipe_tests::ledger::check_arena;
use gamepipe_tests::load::{StubbornCrowd, Targets, initialize_players};
use gamepipe_tests::random::Random;
use gamepipe_tests::wait::{PATIENCE, wait_for};
use gamepipe_tests::{Backends, Platform, Role, Start};
use serde_json::Value;

mod clocks;
mod kafka_redis_brokers;
mod kafka_redis_disk;
mod kafka_redis_drain;
mod kafka_redis_network;
mod kafka_redis_rebuild;
mod kafka_redis_roles;
mod kafka_redis_servers;
mod kafka_redis_storm;

/// Players at work during a fault.
const PLAYERS: usize = 6;

/// Held by the scene that is on: two brokers, a dozen processes and two crowds at a time would be slow, not thorough.
static STAGE: Mutex<()> = Mutex::new(());

/// A cluster under load, with servers of its own that may be killed.
struct Scene {
    _stage: MutexGuard<'static, ()>,
    platform: Platform,
    targets: Targets,
    crowd: StubbornCrowd,
    random: Random,
    seen: gamepipe_tests::load::Acknowledged,
}

impl Scene {
    /// Starts that many processes of each role, and players.
    fn start(test: &str, services: Services, roles: [usize; 3]) -> Result<Self> {
        Self::start_with(test, services, roles, &[])
    }

    fn start_with(
        test: &str,
        services: Services,
        [apis, streamers, sqls]: [usize; 3],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut start = Start::game("arena")
            .on(Backends::Cluster(services))
            .roles(apis, streamers, sqls)
            .setting("GAMEPIPE_LOG_KAFKA_SESSION_TIMEOUT_MS", "6000");
        for (variable, value) in settings {
            start = start.setting(variable, value);
        }
        Self::of(test, start)
    }

    /// Starts players in a pipeline of arena.
    fn of(test: &str, start: Start) -> Result<Self> {
        let stage = STAGE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut random = Random::from_environment(test);
        let platform = start.up()?;
        let seen = initialize_players(&platform.api()?)?;
        let targets = Targets::default();
        let crowd = StubbornCrowd::start(&targets, PLAYERS, &mut random);
        let scene = Self {
            _stage: stage,
            platform,
            targets,
            crowd,
            random,
            seen,
        };
        scene.retarget()?;
        Ok(scene)
    }

    /// Tells the players where the APIs are now.
    fn retarget(&self) -> Result<()> {
        let mut bases = Vec::new();
        for process in self.platform.of(Role::Api) {
            if process.is_running()? {
                bases.extend(
                    process
                        .client("api")
                        .ok()
                        .map(|client| client.base().to_owned()),
                );
            }
        }
        *self.targets.write().unwrap_or_else(PoisonError::into_inner) = bases;
        Ok(())
    }

    /// Lets the players do nothing until [`Self::retarget`].
    fn rest(&self) {
        self.targets
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Waits until the players have been answered that often from now on.
    fn answers(&self, more: u64) -> Result<()> {
        let wanted = self.crowd.answered() + more;
        wait_for("players to be answered", PATIENCE, || {
            Ok((self.crowd.answered() >= wanted).then_some(()))
        })
        .with_context(|| self.platform.output())
    }

    /// Lets time pass under load: the moment of a fault, not a wait for anything.
    fn pass(&mut self, least_ms: u64, more_ms: u64) {
        thread::sleep(Duration::from_millis(least_ms + self.random.below(more_ms)));
    }

    /// Starts a process of `role` in the place of those that have ended.
    fn replace(&mut self, role: Role) -> Result<()> {
        self.platform.bury()?;
        self.platform.add(role, "")?;
        self.platform.wait_until_ready()?;
        self.retarget()
    }

    /// Waits until all that is on the log now has landed.
    fn lands(&self) -> Result<()> {
        let sql = self.platform.sql()?;
        let highs = self.highs()?;
        let newest = "select ranges from arena_raw.\"_epochs\" order by epoch desc limit 1";
        wait_for("all partitions to land", PATIENCE, || {
            let rows = sql.rows(newest)?;
            let text = rows
                .first()
                .and_then(|row| row[0].as_str())
                .context("no epoch")?;
            let ranges: Vec<Value> = serde_json::from_str(text)?;
            let landed = highs
                .iter()
                .zip(&ranges)
                .all(|(high, range)| range["to"].as_u64() >= Some(*high));
            Ok(landed.then_some(()))
        })
        .with_context(|| self.platform.output())
    }

    /// Waits until events move again from the outbox to the log.
    fn outbox_drains(&self) -> Result<()> {
        let before: u64 = self.highs()?.iter().sum();
        wait_for("the relay to go on", PATIENCE, || {
            Ok((self.highs()?.iter().sum::<u64>() > before).then_some(()))
        })
        .with_context(|| self.platform.output())
    }

    /// The end of each partition of the log, as soon as somebody says it.
    fn highs(&self) -> Result<Vec<u64>> {
        wait_for("the log's ends", PATIENCE, || {
            let log = self.platform.api()?.get("/v1/log")?.json()?;
            let partitions = log["partitions"].as_array().context("no partitions")?;
            let ends = partitions
                .iter()
                .filter_map(|partition| partition["high"].as_u64());
            Ok(Some(ends.collect()))
        })
    }

    /// Ends the load and checks that the tables have exactly what was acknowledged, by an independent count, by the ledger and
    /// by `gamepipe verify`; then that every process ends cleanly.
    fn check(self) -> Result<()> {
        let Self {
            _stage,
            platform,
            crowd,
            mut seen,
            ..
        } = self;
        seen.merge(crowd.finish());
        ensure!(
            seen.event_ids.len() > 100,
            "too little load to show anything: {}",
            seen.event_ids.len()
        );
        platform.wait_until_landed()?;
        check_arena(&platform, &seen).with_context(|| platform.output())?;
        let (is_well, text) = platform.verify()?;
        ensure!(is_well, "{text}");
        ensure!(platform.stop()?.success(), "{}", platform.output());
        ensure!(
            !platform.output().contains("panicked"),
            "{}",
            platform.output()
        );
        eprintln!(
            "{} acknowledged events, {} unanswered requests: all accounted for",
            seen.event_ids.len(),
            seen.unanswered
        );
        Ok(())
    }
}

/// Servers that this test alone uses, so that it may kill them.
struct Servers {
    redis: RedisServer,
    kafka: KafkaServer,
}

impl Servers {
    fn start(redis_settings: &[&str]) -> Self {
        Self {
            redis: RedisServer::start(redis_settings),
            kafka: KafkaServer::start(Options::default()),
        }
    }

    fn services(&self) -> Services {
        Services::of(&self.redis, &self.kafka)
    }
}

/// The servers that tests share which harm nobody but their own processes.
fn shared_services() -> Services {
    match Backends::shared_cluster() {
        Backends::Cluster(services) => services,
        Backends::Embedded => unreachable!("a cluster was asked for"),
    }
}
