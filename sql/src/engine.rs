//! The one path of every query: admit -> plan -> run -> stream -> finish.
//!
//! Queries run on threads of their own with large stacks; what waits for them runs elsewhere, so that a query which
//! blocks its thread can't delay its own deadline, a health check or another client.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use arrow::record_batch::RecordBatch;
use datafusion::execution::SessionState;
use datafusion::execution::runtime_env::RuntimeEnv;
use futures::FutureExt;
use gamepipe_config::sql::SqlConfig;
use gamepipe_domain::definition::game::Game;
use gamepipe_lake::reader::LakeReader;
use gamepipe_service::clock::SharedClock;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::dialect::parameters::Parameters;
use crate::error::{ErrorCode, QueryError, SqlError};
use crate::result::Columns;
use crate::session::Session;

mod batches;
pub(crate) mod catalog;
mod cooperate;
pub(crate) mod explain;
pub(crate) mod history;
pub(crate) mod ids;
pub(crate) mod metrics;
mod once;
pub(crate) mod plan;
pub(crate) mod runtime;
pub(crate) mod show;
pub(crate) mod stream;
pub(crate) mod update;

use history::{History, QueryInfo, State};
use ids::QueryIds;
use metrics::Metrics;
pub(crate) use update::{SessionChange, Update};

/// Batches between the query and a slow client: enough to overlap their work, too few to matter in memory.
const BATCHES_AHEAD: usize = 2;

/// The query engine.
#[derive(Debug)]
pub(crate) struct Engine {
    config: SqlConfig,
    reader: Arc<LakeReader>,
    clock: SharedClock,
    ids: QueryIds,
    env: Arc<RuntimeEnv>,
    base: OnceLock<SessionState>,
    threads: Mutex<Option<Arc<tokio::runtime::Runtime>>>,
    slots: Arc<Semaphore>,
    waiting: AtomicUsize,
    stopping: AtomicBool,
    pub(crate) history: Arc<History>,
    pub(crate) metrics: Metrics,
}

/// What a front end asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ask {
    /// One statement.
    pub(crate) sql: String,
    /// Values for its parameters.
    pub(crate) parameters: Parameters,
    /// The client's session.
    pub(crate) session: Session,
    /// A limit below the server's, for the whole life of the query.
    pub(crate) timeout: Option<Duration>,
}

/// What a query sends, in this order: columns and then batches, or one update.
#[derive(Debug)]
pub(crate) enum Event {
    /// The result's columns.
    Columns(Arc<Columns>),
    /// Some of its rows.
    Batch(RecordBatch),
    /// The statement was a command: what the client should remember.
    Update(Update),
}

/// A submitted query. Dropping it cancels it.
#[derive(Debug)]
pub(crate) struct Query {
    /// What is known about it.
    pub(crate) info: Arc<QueryInfo>,
    events: mpsc::Receiver<Result<Event, QueryError>>,
    deadline: Instant,
    limit: Duration,
    _cancel_on_drop: DropGuard,
}

impl Query {
    /// The next event; `None` at the end. Keeps the deadline even when the query's thread is blocked.
    pub(crate) async fn next(&mut self) -> Option<Result<Event, QueryError>> {
        tokio::select! {
            biased;
            event = self.events.recv() => event,
            () = tokio::time::sleep_until(self.deadline) => {
                self.info.cancel(time_limit(self.limit));
                Some(Err(time_limit(self.limit)))
            }
            () = self.info.cancelled() => match self.events.try_recv() {
                Ok(event) => Some(event),
                Err(_) => Some(Err(self.info.cancel_reason())),
            },
        }
    }
}

fn time_limit(limit: Duration) -> QueryError {
    let text = format!(
        "Query exceeded the maximum run time limit of {:.2}s",
        limit.as_secs_f64()
    );
    QueryError::new(ErrorCode::ExceededTimeLimit, text)
}

impl Engine {
    pub(crate) fn build(
        config: SqlConfig,
        reader: Arc<LakeReader>,
        clock: SharedClock,
    ) -> Result<Arc<Self>, SqlError> {
        let env = runtime::environment(&config, &reader)
            .map_err(|error| SqlError::Engine(error.to_string()))?;
        Ok(Arc::new(Self {
            ids: QueryIds::new(clock.seed()),
            env,
            base: OnceLock::new(),
            threads: Mutex::default(),
            slots: Arc::new(Semaphore::new(config.max_concurrent.max(1))),
            waiting: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            history: Arc::default(),
            metrics: Metrics::default(),
            config,
            reader,
            clock,
        }))
    }

    /// The game that is asked about.
    pub(crate) fn game(&self) -> &Arc<Game> {
        self.reader.game()
    }

    /// The time, for headers and ages.
    pub(crate) fn clock(&self) -> &SharedClock {
        &self.clock
    }

    /// The settings.
    pub(crate) fn config(&self) -> &SqlConfig {
        &self.config
    }

    /// How many threads run queries.
    pub(crate) fn thread_count(&self) -> usize {
        match self.config.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        }
    }

    /// Takes no more queries.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    /// Ends the query threads; queries that still run are dropped.
    pub(crate) fn end_threads(&self) {
        let threads = self
            .threads
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(threads) = threads.and_then(Arc::into_inner) {
            threads.shutdown_background();
        }
    }

    /// Starts a query. Returns at once: what happens to it comes as events.
    pub(crate) fn submit(self: &Arc<Self>, ask: Ask) -> Query {
        let now = self.clock.now_micros();
        let limit = Duration::from_millis(self.config.max_query_ms);
        let limit = ask.timeout.map_or(limit, |asked| asked.min(limit));
        let deadline = Instant::now() + limit;
        let cancel = CancellationToken::new();
        let info = Arc::new(QueryInfo::new(
            self.ids.next(now),
            &ask,
            now,
            cancel.clone(),
        ));
        self.history.add(info.clone());
        let (sender, events) = mpsc::channel(BATCHES_AHEAD);
        match self.threads() {
            Ok(threads) => {
                let work = self
                    .clone()
                    .life(ask, info.clone(), sender, deadline, limit);
                threads.spawn(work);
            }
            Err(error) => {
                let _ = sender.try_send(Err(error));
            }
        }
        Query {
            info,
            events,
            deadline,
            limit,
            _cancel_on_drop: cancel.drop_guard(),
        }
    }

    /// The query threads, started when the first query comes: an idle process needs neither them nor their memory.
    fn threads(&self) -> Result<tokio::runtime::Handle, QueryError> {
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if self.stopping.load(Ordering::Relaxed) {
            return Err(QueryError::new(
                ErrorCode::ServerShuttingDown,
                "Server is shutting down",
            ));
        }
        if let Some(running) = threads.as_ref() {
            return Ok(running.handle().clone());
        }
        let started = runtime::start_threads(self.thread_count()).map_err(|error| {
            tracing::error!(%error, "can't start the query threads");
            QueryError::new(
                ErrorCode::GenericInternalError,
                "the query threads can't be started",
            )
        })?;
        let handle = started.handle().clone();
        *threads = Some(Arc::new(started));
        Ok(handle)
    }

    /// A query from its admission to its end, on a query thread.
    async fn life(
        self: Arc<Self>,
        ask: Ask,
        info: Arc<QueryInfo>,
        events: mpsc::Sender<Result<Event, QueryError>>,
        deadline: Instant,
        limit: Duration,
    ) {
        let work = std::panic::AssertUnwindSafe(self.work(&ask, &info, &events)).catch_unwind();
        let outcome = tokio::select! {
            biased;
            done = work => done.unwrap_or_else(|_| {
                tracing::error!(query.id = %info.id, "a query panicked");
                Err(QueryError::new(ErrorCode::GenericInternalError, "the query failed inside the engine"))
            }),
            () = info.cancelled() => Err(info.cancel_reason()),
            () = tokio::time::sleep_until(deadline) => Err(time_limit(limit)),
        };
        let now = self.clock.now_micros();
        info.finish(now, outcome.as_ref().err().cloned());
        self.metrics.finished(&info, now);
        if let Err(error) = outcome {
            // The client may be gone; then nobody needs to know.
            let _ = events.send(Err(error)).await;
        }
    }

    async fn work(
        &self,
        ask: &Ask,
        info: &Arc<QueryInfo>,
        events: &mpsc::Sender<Result<Event, QueryError>>,
    ) -> Result<(), QueryError> {
        let _slot = self.admit().await?;
        info.enter(State::Planning, self.clock.now_micros());
        let planned = plan::plan(self, ask, info).await?;
        info.enter(State::Running, self.clock.now_micros());
        stream::run(self, planned, info, events).await
    }

    /// Waits for a turn; refuses when too many wait already.
    async fn admit(&self) -> Result<tokio::sync::OwnedSemaphorePermit, QueryError> {
        if let Ok(slot) = self.slots.clone().try_acquire_owned() {
            return Ok(slot);
        }
        let place = WaitingPlace::take(&self.waiting);
        if place.before >= self.config.max_queued {
            let text = format!("Too many queued queries: {}", self.config.max_queued);
            return Err(QueryError::new(ErrorCode::QueryQueueFull, text));
        }
        let slot = self.slots.clone().acquire_owned().await;
        slot.map_err(|_| QueryError::new(ErrorCode::ServerShuttingDown, "Server is shutting down"))
    }
}

/// Counts a query among those that wait, as long as it waits.
struct WaitingPlace<'a> {
    waiting: &'a AtomicUsize,
    before: usize,
}

impl<'a> WaitingPlace<'a> {
    fn take(waiting: &'a AtomicUsize) -> Self {
        Self {
            before: waiting.fetch_add(1, Ordering::Relaxed),
            waiting,
        }
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
