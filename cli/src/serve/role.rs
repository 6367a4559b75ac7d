//! One role in this process: opened, served, drained.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use gamepipe_api::{Api, ApiError};
use gamepipe_config::settings::Settings;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::{EventLog, LogError};
use gamepipe_lake::reader::LakeReader;
use gamepipe_lake::{Lake, LakeError};
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_service::http::{self, HttpLimits};
use gamepipe_service::probes::Probes;
use gamepipe_service::starting::while_starting;
use gamepipe_sql::SqlService;
use gamepipe_state::StateError;
use gamepipe_streamer::{Streamer, StreamerError};
use tokio::net::TcpListener;

use super::backends;
use super::opening::until_open;
use crate::parts::{Part, Parts};

/// What the probes' own server allows: a few scrapers and a kubelet.
const PROBES_LIMITS: HttpLimits = HttpLimits {
    max_connections: 64,
    head_timeout: Duration::from_secs(10),
    max_head_bytes: 16 << 10,
    drain: Duration::from_secs(1),
};

/// What a role is made of before it is started.
#[derive(Debug)]
pub(crate) struct Role {
    /// Its settings, checked.
    pub(crate) settings: Settings,
    /// Its game.
    pub(crate) game: Arc<Game>,
    /// Where it answers.
    pub(crate) listener: TcpListener,
}

impl Role {
    /// Where it answers.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Opens the state store and the log, waiting for them as long as it takes, and serves the game's API.
    pub(crate) async fn api(self) -> anyhow::Result<Parts> {
        let Self {
            settings,
            game,
            listener,
        } = self;
        let (clock, probes) = (clock(), Probes::default());
        let drain = settings.api.whole_drain();
        let opening = async {
            let log = open_log(&settings, &game, &clock, &probes).await?;
            let state = until_open("state store", &probes, is_final_state, || {
                backends::state(&settings, log.as_ref(), &clock)
            })
            .await?;
            let api = Api::build(
                settings.api.clone(),
                Arc::clone(&game),
                state,
                log,
                Arc::clone(&clock),
                probes.clone(),
            );
            let is_final = |error: &ApiError| !matches!(error, ApiError::Unavailable(_));
            until_open("stores' agreement", &probes, is_final, || {
                api.check_stores()
            })
            .await?;
            anyhow::Ok(api)
        };
        let (listener, api) = while_starting(listener, &probes, PROBES_LIMITS, opening).await?;
        let (serving, relaying) = {
            let api = api?;
            (Arc::clone(&api), api)
        };
        Ok(Parts::new(vec![
            Part::start("API", |stop| async move {
                Ok(serving.serve(listener, stop).await?)
            }),
            Part::start("relay", |stop| async move {
                Ok(relaying.run_relay(stop).await?)
            }),
        ])
        .draining_for(drain))
    }

    /// Opens the log and the lake, waiting for them as long as it takes, and lands.
    pub(crate) async fn streamer(self) -> anyhow::Result<Parts> {
        let Self {
            settings,
            game,
            listener,
        } = self;
        let (clock, probes) = (clock(), Probes::default());
        let opening = async {
            let log = open_log(&settings, &game, &clock, &probes).await?;
            let lake = until_open("lake", &probes, is_final_lake, async || {
                Lake::open(&settings.lake, Arc::clone(&game), Arc::clone(&clock))
            })
            .await?;
            let streamer = Streamer::build(
                settings.streamer.clone(),
                Arc::clone(&game),
                log,
                Arc::new(lake),
                Arc::clone(&clock),
                probes.clone(),
            );
            until_open("tables", &probes, StreamerError::is_final, || {
                streamer.prepare()
            })
            .await
            .context("failed to prepare the lake")?;
            anyhow::Ok(streamer)
        };
        let (listener, streamer) =
            while_starting(listener, &probes, PROBES_LIMITS, opening).await?;
        let streamer = streamer?;
        Ok(Parts::new(vec![
            Part::start(
                "streamer",
                |stop| async move { Ok(streamer.run(stop).await?) },
            ),
            Part::start("probes", |stop| async move {
                http::serve(listener, probes.router(), PROBES_LIMITS, stop).await?;
                Ok(())
            }),
        ]))
    }

    /// Opens the lake for reading, waiting for it as long as it takes, and answers SQL.
    pub(crate) async fn sql(self) -> anyhow::Result<Parts> {
        let Self {
            settings,
            game,
            listener,
        } = self;
        let (clock, probes) = (clock(), Probes::default());
        let opening = async {
            let reader = LakeReader::open(&settings.lake, Arc::clone(&game))?;
            until_open("lake", &probes, |_| false, || reader.cut()).await?;
            anyhow::Ok(reader)
        };
        let (listener, reader) = while_starting(listener, &probes, PROBES_LIMITS, opening).await?;
        let sql = SqlService::build(settings.sql, game, reader?, clock, probes)?;
        Ok(Parts::new(vec![Part::start("SQL", |stop| async move {
            Ok(sql.serve(listener, stop).await?)
        })]))
    }
}

async fn open_log(
    settings: &Settings,
    game: &Game,
    clock: &SharedClock,
    probes: &Probes,
) -> Result<Arc<dyn EventLog>, LogError> {
    let open = || backends::log(settings, game, clock);
    until_open("event log", probes, is_final_log, open).await
}

fn clock() -> SharedClock {
    Arc::new(SystemClock)
}

/// Settings that can't be right, and stores that are damaged, stay so; everything else may come right by itself.
fn is_final_state(error: &StateError) -> bool {
    matches!(error, StateError::Invalid(_) | StateError::Corrupt(_))
}

fn is_final_log(error: &LogError) -> bool {
    matches!(error, LogError::Invalid(_) | LogError::Corrupt(_))
}

fn is_final_lake(error: &LakeError) -> bool {
    matches!(error, LakeError::Path { .. })
}
