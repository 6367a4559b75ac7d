//! The streamer itself: joins the processes that share the log, begins anew after trouble and with every new share, and
//! lands what it holds before it stops.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::{EventLog, Membership};
use gamepipe_lake::Lake;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::probes::Probes;

use crate::error::StreamerError;
use crate::metrics::Metrics;

mod attempt;
mod lag;

use lag::Lag;

/// The part of the process that probes name.
const PART: &str = "landing";
/// Waits between attempts after trouble: short at first, at most as long as somebody would wait to see an outage end. A
/// lost race is over when it is noticed, so it costs the first one every time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How long leaving the others may take. It waits until partitions that are being given anew have been: one that goes away in the
/// middle of that is missed only when its session ends, and all wait for it.
const LEAVING: Duration = Duration::from_secs(8);

/// Lands one game's log in its lake, or its share of it when several processes do. What keeps their work apart is the log's
/// membership; what makes it right, also when two believe in the same share, is the lake's commit.
#[derive(Debug)]
pub struct Streamer {
    config: StreamerConfig,
    game: Arc<str>,
    log: Arc<dyn EventLog>,
    lake: Arc<Lake>,
    clock: SharedClock,
    probes: Probes,
    metrics: Metrics,
    lag: Lag,
}

impl Streamer {
    /// A streamer, not started.
    pub fn build(
        config: StreamerConfig,
        game: Arc<Game>,
        log: Arc<dyn EventLog>,
        lake: Arc<Lake>,
        clock: SharedClock,
        probes: Probes,
    ) -> Self {
        Self::build_for(config, game.name(), log, lake, clock, probes)
    }

    /// As [`Self::build`], for a game that is known by its name and by the tables of its lake.
    pub fn build_for(
        config: StreamerConfig,
        game: &str,
        log: Arc<dyn EventLog>,
        lake: Arc<Lake>,
        clock: SharedClock,
        probes: Probes,
    ) -> Self {
        let metrics = Metrics::register(&probes);
        Self {
            config,
            game: game.into(),
            log,
            lake,
            clock,
            probes,
            metrics,
            lag: Lag::default(),
        }
    }

    /// Makes and grows all tables, so that they are there before the first event, and refuses a log and a lake that don't
    /// belong together.
    pub async fn prepare(&self) -> Result<(), StreamerError> {
        if self.lake.game() != &*self.game {
            return Err(StreamerError::OtherGame {
                lake: self.lake.game().to_owned(),
                game: self.game.to_string(),
            });
        }
        self.lake.prepare().await?;
        // Before anybody is promised anything: a log that was cut gives offsets again that count as landed.
        let all: Vec<u32> = (0..self.log.partitions()).collect();
        self.begin(&all).await?;
        Ok(())
    }

    /// Lands until `shutdown`, then lands what is left and returns. Trouble that may pass is waited out, and shows in the
    /// probes meanwhile; an error comes back only when somebody has to do something.
    pub async fn run(self, shutdown: Shutdown) -> Result<(), StreamerError> {
        let membership = self.await_share(&shutdown).await?;
        // Of all processes the one that lands the first partition maintains the lake.
        let is_turn = || membership.share().partitions.first() == Some(&0);
        let maintenance = self
            .lake
            .maintain(&self.config, is_turn, shutdown.child_token());
        let landing = async {
            let done = tokio::select! {
                done = self.land(membership.as_ref(), &shutdown) => done,
                never = self.lag.watch(self.log.as_ref(), &self.metrics) => match never {},
            };
            shutdown.cancel();
            if tokio::time::timeout(LEAVING, membership.leave())
                .await
                .is_err()
            {
                tracing::warn!("the other streamers could not be told that this one stops");
            }
            done
        };
        tokio::join!(landing, maintenance).0
    }

    /// Joins the processes that share the log. Not ready meanwhile, nor as long as it has no share; a log of one's own is all there at once.
    async fn await_share(&self, shutdown: &Shutdown) -> Result<Arc<dyn Membership>, StreamerError> {
        let waits = || {
            self.probes
                .not_ready(PART, "waiting for its share of the log");
        };
        let mut joining = pin!(self.join(shutdown));
        let membership = tokio::select! {
            biased;
            joined = &mut joining => joined?,
            () = std::future::ready(()) => {
                waits();
                joining.await?
            }
        };
        if membership.share().partitions.is_empty() {
            waits();
        }
        Ok(membership)
    }

    /// Joins the processes that share the log, however long that takes.
    async fn join(&self, shutdown: &Shutdown) -> Result<Arc<dyn Membership>, StreamerError> {
        let mut wait = FIRST_WAIT;
        loop {
            let error = match self.log.join().await {
                Ok(membership) => return Ok(membership),
                Err(error) => StreamerError::from(error),
            };
            self.trouble(&error, &mut wait, shutdown).await;
            if shutdown.is_cancelled() {
                return Err(error);
            }
        }
    }

    async fn land(
        &self,
        membership: &dyn Membership,
        shutdown: &Shutdown,
    ) -> Result<(), StreamerError> {
        let mut wait = FIRST_WAIT;
        loop {
            let before = self.metrics.epochs.get();
            let is_last = shutdown.is_cancelled();
            let share = membership.share();
            membership.settled(share.turn);
            let done = self.attempt(membership, &share, shutdown).await;
            if self.metrics.epochs.get() > before || done.is_ok() {
                wait = FIRST_WAIT;
            }
            match done {
                Ok(()) if shutdown.is_cancelled() => return Ok(()),
                Ok(()) => tracing::debug!(turn = share.turn, "the share of partitions has changed"),
                Err(error) if error.is_lost_race() => {
                    tracing::info!(%error, "landing goes on from the newest epoch");
                    if shutdown.is_cancelled() {
                        // Whoever was first has these partitions now.
                        return Ok(());
                    }
                    pause(FIRST_WAIT, shutdown).await;
                }
                Err(error) => {
                    self.metrics.failures.inc();
                    // What an attempt met that began before the word to stop may have passed since.
                    if error.is_final() || is_last {
                        self.probes.not_ready(PART, error.to_string());
                        return Err(error);
                    }
                    self.trouble(&error, &mut wait, shutdown).await;
                }
            }
        }
    }

    /// Tells of trouble, and waits before the next attempt.
    async fn trouble(&self, error: &StreamerError, wait: &mut Duration, shutdown: &Shutdown) {
        self.probes.not_ready(PART, error.to_string());
        tracing::warn!(%error, wait_ms = wait.as_millis(), "landing begins anew from the last epoch");
        pause(*wait, shutdown).await;
        *wait = (*wait * 2).min(LONGEST_WAIT);
    }
}

async fn pause(time: Duration, shutdown: &Shutdown) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = shutdown.cancelled() => {}
    }
}
