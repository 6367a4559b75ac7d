//! A lake with a past: more than a thousand epochs, so that in the rounds that begin with a copy of it clean-up has entries to
//! take, and vacuum files.

use std::sync::Arc;

use anyhow::{Context, Result};
use gamepipe_config::streamer::StreamerConfig;
use gamepipe_domain::definition::Game;
use gamepipe_lake::Lake;
use gamepipe_lake::maintenance::Rounds;
use gamepipe_service::Shutdown;
use gamepipe_service::probes::Probes;
use gamepipe_streamer::Streamer;
use gamepipe_testkit::clock::ManualClock;
use gamepipe_tests::random::Random;

use crate::appender::Ledger;
use crate::chance::{Heat, WrongClock, mixed};
use crate::log::{Limits, MemoryLog};
use crate::process::Scene;
use crate::round::landed;
use crate::seats::{Group, Seat};
use crate::store::{Link, World};

/// Files that are written from now on are of later epochs; those of the first hundred are old enough for vacuum, which spares
/// a thousand.
const EPOCHS: u64 = 1_100;
/// Maintained this often on the way.
const MAINTAINED_EVERY: u64 = 220;
const MONTH_MICROS: i64 = 30 * 24 * 3600 * 1_000_000;
pub(crate) const PARTITIONS: u32 = 5;

/// The beginning of every round.
#[derive(Debug)]
pub(crate) struct Template {
    pub(crate) game: Arc<Game>,
    pub(crate) world: Arc<World>,
    pub(crate) log: Arc<MemoryLog>,
    pub(crate) ledger: Arc<Ledger>,
}

impl Template {
    pub(crate) fn empty(seed: u64) -> Result<Self> {
        let game = Game::load("game.yaml", include_str!("game.yaml"), &|_| {
            Err("no files".to_owned())
        });
        let game = game.map_err(|problems| anyhow::anyhow!("{problems}"))?;
        let clock = ManualClock::new(seed);
        Ok(Self {
            game: Arc::new(game),
            world: Arc::default(),
            log: Arc::new(MemoryLog::new("sim", PARTITIONS, Limits::FORGETFUL, clock)),
            ledger: Arc::default(),
        })
    }

    /// A lake that has landed for a long time, a month ago.
    pub(crate) async fn with_a_past(seed: u64) -> Result<Self> {
        let template = Self::empty(seed)?;
        let scene = template.scene();
        let mut random = Random::from_seed(mixed(seed));
        let link = Link::new(&template.world, &Heat::default(), 0, u64::MAX);
        let clock = WrongClock::new(-MONTH_MICROS, random.fork());
        let lake = Arc::new(Lake::open_on(
            link.objects(),
            &template.game,
            clock.clone(),
        )?);
        let seat = template_seat(&scene);
        let config = StreamerConfig {
            commit_interval_ms: 0,
            max_epoch_events: 1,
            compact_files: 16,
            maintenance_seconds: 0,
            ..StreamerConfig::default()
        };
        let game = Arc::clone(&template.game);
        let streamer = Streamer::build(
            config.clone(),
            game,
            Arc::new(seat),
            Arc::clone(&lake),
            clock,
            Probes::default(),
        );
        streamer.prepare().await?;
        let shutdown = Shutdown::new();
        let running = tokio::spawn(streamer.run(shutdown.clone()));
        let mut rounds = Rounds::default();
        for _ in 0..EPOCHS / MAINTAINED_EVERY {
            template
                .ledger
                .append(template.log.as_ref(), MAINTAINED_EVERY, &mut random)
                .await;
            landed(&lake, &template.log).await.context("the past")?;
            lake.maintain_once(&config, &mut rounds).await?;
        }
        shutdown.cancel();
        running.await??;
        Ok(template)
    }

    fn scene(&self) -> Scene {
        Scene {
            game: Arc::clone(&self.game),
            world: Arc::clone(&self.world),
            log: Arc::clone(&self.log),
            group: Arc::default(),
            heat: Heat::default(),
        }
    }

    /// A copy to play a round in.
    pub(crate) fn copy(&self) -> (Scene, Arc<Ledger>) {
        let scene = Scene {
            world: self.world.fork(),
            log: Arc::new(self.log.copy()),
            ..self.scene()
        };
        (scene, Arc::new(self.ledger.copy()))
    }
}

/// A seat with all partitions that reads one record at a time.
fn template_seat(scene: &Scene) -> Seat {
    let group = Group::default();
    let number = group.sit();
    group.hand_out(number, (0..PARTITIONS).collect());
    Seat::new(&scene.log, &group, number, &scene.heat, 0).one_by_one()
}
