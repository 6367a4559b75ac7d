//! Processes of the platform: streamers and compactors, each with a lake, a clock, a place at the log and a way to the
//! store of its own, as if it were alone on a machine.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::EventLog;
use gamepipe_lake::Lake;
use gamepipe_lake::maintenance::{Maintained, Rounds};
use gamepipe_service::Shutdown;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::{Streamer, StreamerError};
use gamepipe_tests::random::Random;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::chance::{Heat, WrongClock};
use crate::log::MemoryLog;
use crate::seats::{Group, Seat};
use crate::store::{Link, World};

/// How wrong a clock may be: a little late, or hours early. Much too late would be more than vacuum's grace for readers.
const LATE_MICROS: u64 = 20 * 60 * 1_000_000;
const EARLY_MICROS: u64 = 3 * 3600 * 1_000_000;
/// A process that can't start tries again, as whatever starts processes would.
const START_AGAIN: Duration = Duration::from_millis(30);
/// One process in so many looks at the store through a client that meets hardly any faults.
const LUCKY: u64 = 3;

/// What all processes share.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) game: Arc<Game>,
    pub(crate) world: Arc<World>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) group: Arc<Group>,
    pub(crate) heat: Heat,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Streamer,
    Compactor,
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Process {
    pub(crate) role: Role,
    pub(crate) seat: u64,
    pub(crate) link: Arc<Link>,
    probes: Probes,
    shutdown: Shutdown,
    task: JoinHandle<Result<Maintained>>,
}

impl Scene {
    /// A lake of a new process, on a way to the store of its own.
    pub(crate) fn lake(&self, link: &Arc<Link>, random: &mut Random) -> Result<Arc<Lake>> {
        let span = LATE_MICROS + EARLY_MICROS;
        let ahead = i64::try_from(random.below(span))? - i64::try_from(LATE_MICROS)?;
        let clock = WrongClock::new(ahead, random.fork());
        Ok(Arc::new(Lake::open_on(link.objects(), &self.game, clock)?))
    }

    /// A way to the store without any faults.
    pub(crate) fn calm_link(&self) -> Arc<Link> {
        Link::new(&self.world, &Heat::default(), 0, u64::MAX)
    }

    /// What a streamer does before it starts, without any faults.
    pub(crate) async fn prepare(&self) -> Result<(), StreamerError> {
        let mut random = Random::from_seed(2);
        let link = self.calm_link();
        let clock = WrongClock::new(0, random.fork());
        let lake = Lake::open_on(link.objects(), &self.game, clock.clone())?;
        let log = Arc::<MemoryLog>::clone(&self.log);
        let config = StreamerConfig::default();
        let game = Arc::clone(&self.game);
        Streamer::build(config, game, log, Arc::new(lake), clock, Probes::default())
            .prepare()
            .await
    }

    pub(crate) fn start(&self, role: Role, random: &mut Random) -> Result<Process> {
        let one_in = match random.below(LUCKY) {
            0 => 400,
            _ => 6 + random.below(30),
        };
        let link = Link::new(&self.world, &self.heat, random.bits(), one_in);
        let lake = self.lake(&link, random)?;
        let seat = self.group.sit();
        let log = Seat::new(&self.log, &self.group, seat, &self.heat, random.bits());
        let config = StreamerConfig {
            commit_interval_ms: 1 + random.below(12),
            max_epoch_events: *random.pick(&[2, 5, 50, 500_000]),
            compact_files: *random.pick(&[2, 4, 8]),
            maintenance_seconds: 1,
            vacuum_seconds: 3600,
            ..StreamerConfig::default()
        };
        let (shutdown, probes) = (Shutdown::new(), Probes::default());
        let stop = shutdown.clone();
        let span = tracing::info_span!("process", seat);
        let task = match role {
            Role::Streamer => {
                let (game, log) = (Arc::clone(&self.game), Arc::new(log));
                let clock = WrongClock::new(0, random.fork());
                let streamer = Streamer::build(config, game, log, lake, clock, probes.clone());
                tokio::spawn(stream(streamer, stop).instrument(span))
            }
            Role::Compactor => {
                tokio::spawn(compact(config, lake, log, random.fork(), stop).instrument(span))
            }
        };
        Ok(Process {
            role,
            seat,
            link,
            probes,
            shutdown,
            task,
        })
    }
}

impl Process {
    /// Ends it as a power cut would: at once, wherever it is.
    pub(crate) async fn kill(self) {
        self.link.cut();
        self.task.abort();
        let _ = self.task.await;
    }

    /// True when it has ended by itself, which nothing here gives it a reason for.
    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// Where it is, for whoever looks for what it waits for.
    pub(crate) fn describe(&self) -> String {
        let (role, seat, link) = (self.role, self.seat, &self.link);
        let problems = self.probes.problems();
        format!("{role:?} {seat}: {}, {problems:?}", link.describe())
    }

    /// Asks it to stop, and waits until it has landed what was left.
    pub(crate) async fn stop(self) -> Result<Maintained> {
        self.shutdown.cancel();
        let (role, seat) = (self.role, self.seat);
        let done = self.task.await.context("a panic")?;
        done.with_context(|| format!("{role:?} {seat} ended badly"))
    }
}

async fn stream(streamer: Streamer, stop: Shutdown) -> Result<Maintained> {
    loop {
        match streamer.prepare().await {
            Ok(()) => break,
            Err(error) if error.is_final() => bail!(error),
            Err(_) if stop.is_cancelled() => return Ok(Maintained::default()),
            Err(_) => tokio::time::sleep(START_AGAIN).await,
        }
    }
    streamer.run(stop).await?;
    Ok(Maintained::default())
}

/// Nothing but maintenance, one round after the other; returns what all have done.
async fn compact(
    config: StreamerConfig,
    lake: Arc<Lake>,
    log: Seat,
    mut random: Random,
    stop: Shutdown,
) -> Result<Maintained> {
    let mut all = Maintained::default();
    let mut rounds = Rounds::default();
    let mut has_begun = false;
    while !stop.is_cancelled() {
        if !has_begun {
            has_begun = lake.prepare().await.is_ok()
                && lake
                    .resume(log.generation(), log.partitions())
                    .await
                    .is_ok();
        }
        // Without its memory it looks at everything, and for files that belong to no version.
        if random.below(4) == 0 {
            rounds = Rounds::default();
        }
        if let Ok(done) = lake.maintain_once(&config, &mut rounds).await {
            all.merged_files += done.merged_files;
            all.checkpoints += done.checkpoints;
            all.vacuumed_files += done.vacuumed_files;
        }
        let pause = Duration::from_millis(100 + random.below(400));
        let _ = tokio::time::timeout(pause, stop.cancelled()).await;
    }
    Ok(all)
}
