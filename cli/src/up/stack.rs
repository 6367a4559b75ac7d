//! The parts of a pipeline in one process: started together, drained in the order in which data flows.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gamepipe_api::Api;
use gamepipe_config::settings::Settings;
use gamepipe_domain::definition::Game;
use gamepipe_eventlog::EventLog;
use gamepipe_eventlog::embedded::EmbeddedLog;
use gamepipe_lake::Lake;
use gamepipe_lake::reader::LakeReader;
use gamepipe_service::clock::{SharedClock, SystemClock};
use gamepipe_service::probes::Probes;
use gamepipe_sql::SqlService;
use gamepipe_state::StateStore;
use gamepipe_state::embedded::EmbeddedStore;
use gamepipe_streamer::Streamer;
use tokio::net::TcpListener;

use super::disk_watch::DiskWatch;
use crate::parts::{Part, Parts, bind};

/// A running pipeline.
#[derive(Debug)]
pub(crate) struct Stack {
    /// Where the API listens.
    pub(crate) api: SocketAddr,
    /// Where SQL listens.
    pub(crate) sql: SocketAddr,
    /// In the order of a drain; SQL, which nothing waits for, is the last.
    parts: Parts,
}

/// The two addresses, taken before anything else: a port in use must not leave half a pipeline behind.
#[derive(Debug)]
pub(crate) struct Listeners {
    api: TcpListener,
    sql: TcpListener,
}

impl Listeners {
    /// Takes both addresses.
    pub(crate) async fn bind(settings: &Settings) -> anyhow::Result<Self> {
        let api = bind(&settings.api.listen, "the API", "--api").await?;
        let sql = bind(&settings.sql.listen, "SQL", "--sql").await?;
        Ok(Self { api, sql })
    }
}

impl Stack {
    /// Opens the stores, makes the tables and starts every part. `before_serving` is called when all is ready and nothing
    /// has been changed yet by a request.
    pub(crate) async fn start(
        settings: Settings,
        game: Arc<Game>,
        listeners: Listeners,
        before_serving: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let clock: SharedClock = Arc::new(SystemClock);
        let (api_address, sql_address) = (listeners.api.local_addr()?, listeners.sql.local_addr()?);
        let (state, log) = open_stores(&settings, &clock).await?;
        let lake = Arc::new(Lake::open(
            &settings.lake,
            Arc::clone(&game),
            Arc::clone(&clock),
        )?);

        // The API answers for what it takes; SQL answers for what has landed, so the streamer's health is its.
        let (api_probes, sql_probes) = (Probes::default(), Probes::default());
        let streamer = Streamer::build(
            settings.streamer,
            Arc::clone(&game),
            Arc::clone(&log),
            lake,
            Arc::clone(&clock),
            sql_probes.clone(),
        );
        streamer
            .prepare()
            .await
            .context("failed to prepare the lake")?;
        let reader = LakeReader::open(&settings.lake, Arc::clone(&game))?;
        // From here on a lake that vanishes is told from one that has nothing yet.
        reader.cut().await.context("failed to read the lake")?;
        let sql = SqlService::build(
            settings.sql,
            Arc::clone(&game),
            reader,
            Arc::clone(&clock),
            sql_probes,
        )?;
        let watch = DiskWatch::new(Path::new(&settings.state.path), api_probes.clone());
        let drain = settings.api.whole_drain();
        let api = Api::build(settings.api, game, state, log, clock, api_probes);
        api.check_stores().await?;
        before_serving()?;

        let (serving, relaying) = (Arc::clone(&api), api);
        let parts = vec![
            Part::start("API", |stop| async move {
                Ok(serving.serve(listeners.api, stop).await?)
            }),
            Part::start("relay", |stop| async move {
                Ok(relaying.run_relay(stop).await?)
            }),
            Part::start(
                "streamer",
                |stop| async move { Ok(streamer.run(stop).await?) },
            ),
            Part::start("disk watch", |stop| watch.run(stop)),
            Part::start("SQL", |stop| async move {
                Ok(sql.serve(listeners.sql, stop).await?)
            }),
        ];
        Ok(Self {
            api: api_address,
            sql: sql_address,
            parts: Parts::new(parts).draining_for(drain),
        })
    }

    /// Waits until a part ends that should not: gives its name and why.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        self.parts.failed().await
    }

    /// Drains: the API finishes what is in flight, then the relay empties the outbox, then the streamer lands the last
    /// epoch; SQL finishes its queries meanwhile.
    pub(crate) async fn drain(self) -> anyhow::Result<()> {
        self.parts.drain().await
    }
}

/// Opens both stores side by side; recovery reads files, so not on the threads that serve.
async fn open_stores(
    settings: &Settings,
    clock: &SharedClock,
) -> anyhow::Result<(Arc<dyn StateStore>, Arc<dyn EventLog>)> {
    let (config, own_clock) = (settings.state.clone(), Arc::clone(clock));
    let state = tokio::task::spawn_blocking(move || EmbeddedStore::open(&config, own_clock));
    let (config, own_clock) = (settings.log.clone(), Arc::clone(clock));
    let log = tokio::task::spawn_blocking(move || EmbeddedLog::open(&config, own_clock));
    Ok((state.await??, log.await??))
}
