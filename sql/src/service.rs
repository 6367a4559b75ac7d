//! The role `sql`: the engine, its front ends, and an orderly end.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gamepipe_config::lake::LakeConfig;
use gamepipe_config::sql::SqlConfig;
use gamepipe_domain::definition::game::Game;
use gamepipe_lake::reader::LakeReader;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::probes::Probes;

use crate::engine::history::State;
use crate::engine::{Ask, Engine, Event};
use crate::error::SqlError;
use crate::frontends::trino::statements::Statements;
use crate::frontends::{self, Shared};

/// How long running queries get to end after the signal to stop; with the next one it stays within ten seconds.
const QUERIES_DRAIN: Duration = Duration::from_secs(6);
/// How long open connections get after that.
const CONNECTIONS_DRAIN: Duration = Duration::from_secs(2);
/// How often the drain looks whether queries still run.
const DRAIN_STEP: Duration = Duration::from_millis(20);
/// The name under which readiness speaks of this role.
const PART: &str = "sql";

/// How long a statement may take that is only tried, on tables without rows.
const TRIAL: Duration = Duration::from_secs(10);

/// A column of a statement's result: its name, and its type as Trino names it.
pub type ResultColumn = (String, String);

/// Why a statement can't be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StatementProblem {
    /// The line of the statement, from 1; 0 when the reason has no place.
    pub line: u64,
    /// The column in that line, from 1; 0 when the reason has no place.
    pub column: u64,
    /// What is wrong.
    pub message: String,
}

/// Tries statements on a lake of `game` that has no rows: gives the columns of each result, or why there is none. `nowhere`
/// is a directory that does not exist, for nothing is read or written.
///
/// # Errors
/// When the engine can't be built.
pub async fn try_statements(
    game: Arc<Game>,
    nowhere: &Path,
    clock: SharedClock,
    statements: impl IntoIterator<Item = &str>,
) -> Result<Vec<Result<Vec<ResultColumn>, StatementProblem>>, SqlError> {
    let config = SqlConfig {
        threads: 1,
        ..SqlConfig::default()
    };
    let nowhere = LakeConfig {
        path: nowhere.display().to_string(),
        ..LakeConfig::default()
    };
    let reader =
        LakeReader::open(&nowhere, game).map_err(|error| SqlError::Engine(error.to_string()))?;
    let engine = Engine::build(config, reader, clock)?;
    let mut results = Vec::new();
    for statement in statements {
        results.push(try_statement(&engine, statement).await);
    }
    engine.end_threads();
    Ok(results)
}

async fn try_statement(
    engine: &Arc<Engine>,
    sql: &str,
) -> Result<Vec<ResultColumn>, StatementProblem> {
    let mut query = engine.submit(Ask {
        sql: sql.to_owned(),
        timeout: Some(TRIAL),
        ..Ask::default()
    });
    let mut columns = None;
    while let Some(event) = query.next().await {
        match event {
            Ok(Event::Columns(found)) => {
                let kinds = found.types.iter().map(|kind| kind.display.clone());
                columns = Some(found.names.iter().cloned().zip(kinds).collect());
            }
            Ok(_) => {}
            Err(error) => {
                return Err(StatementProblem {
                    line: error.position.map_or(0, |at| at.line),
                    column: error.position.map_or(0, |at| at.column),
                    message: error.detail,
                });
            }
        }
    }
    columns.ok_or_else(|| StatementProblem {
        line: 0,
        column: 0,
        message: "a command, which gives no rows".to_owned(),
    })
}

/// The SQL endpoint.
#[derive(Debug)]
pub struct SqlService {
    engine: Arc<Engine>,
    statements: Arc<Statements>,
    probes: Probes,
}

impl SqlService {
    /// Builds the endpoint. Starts nothing yet; query threads start with the first query.
    ///
    /// # Errors
    /// When the engine refuses the settings.
    pub fn build(
        config: SqlConfig,
        game: Arc<Game>,
        reader: Arc<LakeReader>,
        clock: SharedClock,
        probes: Probes,
    ) -> Result<Arc<Self>, SqlError> {
        if game.name() != reader.game().name() {
            let text = format!(
                "the reader is of game {}, not of {}",
                reader.game().name(),
                game.name()
            );
            return Err(SqlError::Engine(text));
        }
        let engine = Engine::build(config, reader, clock)?;
        probes.register(|registry| engine.metrics.register(registry));
        probes.not_ready(PART, "not serving yet");
        Ok(Arc::new(Self {
            engine,
            statements: Arc::default(),
            probes,
        }))
    }

    /// Serves until `shutdown`, then lets running queries end and closes.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        shutdown: Shutdown,
    ) -> Result<(), SqlError> {
        let shared = Shared {
            engine: self.engine.clone(),
            statements: self.statements.clone(),
        };
        let router = frontends::router(shared).merge(self.probes.router());
        let close = Shutdown::new();
        let closing = close.clone();
        let server = axum::serve(listener, router)
            .with_graceful_shutdown(async move { closing.cancelled().await });
        let reaper = tokio::spawn(self.statements.clone().reap(close.clone()));
        self.probes.ready(PART);
        let drain = async {
            shutdown.cancelled().await;
            self.probes.not_ready(PART, "stopping");
            self.engine.stop();
            self.queries_ended().await;
            close.cancel();
            tokio::time::sleep(CONNECTIONS_DRAIN).await;
        };
        let served = tokio::select! {
            served = server.into_future() => served.map_err(SqlError::Serve),
            () = drain => Ok(()),
        };
        close.cancel();
        // It ends by itself once told to close.
        let _ = reaper.await;
        self.engine.end_threads();
        served
    }

    /// Waits until no query runs and every result has been fetched, or for the time that a drain may take.
    async fn queries_ended(&self) {
        let busy = || {
            let running = self
                .engine
                .history
                .all()
                .iter()
                .any(|query| query.state() < State::Finished);
            running || self.statements.unfetched() > 0
        };
        let ended = async {
            while busy() {
                tokio::time::sleep(DRAIN_STEP).await;
            }
        };
        if tokio::time::timeout(QUERIES_DRAIN, ended).await.is_err() {
            tracing::warn!("queries were still running at the end of the drain");
        }
    }
}
