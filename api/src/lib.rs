//! The role `api`: a game's actions and events over HTTP, and the relay that moves events from the outbox to the log.
//!
//! Read [`router`] first: it is the table of contents. An action goes through `endpoints/game_route.rs` or
//! `endpoints/actions.rs` to `execute.rs`; a client's event through `endpoints/events.rs` to `ingest.rs`.
//!
//! May import: domain, config, service, the ports `StateStore` and `EventLog`, axum and hyper. Must not import the
//! streamer, SQL, the lake, or an implementation of a port.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use gamepipe_config::api::ApiConfig;
use gamepipe_domain::definition::Game;
use gamepipe_domain::time::Timestamp;
use gamepipe_eventlog::EventLog;
use gamepipe_service::Shutdown;
use gamepipe_service::clock::SharedClock;
use gamepipe_service::http::{self as server, Drained, HttpLimits};
use gamepipe_service::probes::Probes;
use gamepipe_state::StateStore;

mod admit;
mod answer;
mod body;
mod decompress;
mod endpoints;
mod execute;
mod formats;
mod guard;
mod hot_keys;
mod idempotency;
mod ingest;
mod json;
mod metrics;
mod near;
pub mod openapi;
pub mod problem;
mod query;
mod relay;
mod request;
mod router;

use body::BodyLimits;
use hot_keys::HotKeys;
use idempotency::InFlightKeys;
use metrics::Metrics;
use problem::{Problem, codes};

pub use answer::{EVENT_IDS, REPLAYED};

/// The part of the readiness probe that speaks of this role.
const PART: &str = "api";
/// How long the role is not ready after the log refused a client's events: longer than probes are apart, so that a log which
/// refuses some is seen.
const LOG_REFUSAL_MICROS: i64 = 3_000_000;

/// Why the role had to stop.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The listener can't be used.
    #[error("the api can't serve its address: {0}")]
    Listen(#[from] std::io::Error),
    /// Events can't be relayed, and trying again can't help.
    #[error("events can't be moved from the outbox to the log: {0}")]
    Relay(String),
    /// The stores do not answer now; trying again may help.
    #[error("the state store and the event log can't be compared: {0}")]
    Unavailable(String),
    /// One store is an older copy than the other, or has lost its end.
    #[error(
        "the state store and the event log don't belong together: {0}; bring back the two as they were at one moment, or begin with an empty data directory"
    )]
    Diverged(String),
}

/// One game's API. Build it once, share it behind its `Arc`, run [`Self::serve`] and [`Self::run_relay`] side by side.
#[derive(Debug)]
pub struct Api {
    config: ApiConfig,
    game: Arc<Game>,
    state: Arc<dyn StateStore>,
    log: Arc<dyn EventLog>,
    clock: SharedClock,
    probes: Probes,
    metrics: Metrics,
    bodies: BodyLimits,
    hot_keys: HotKeys,
    in_flight_keys: InFlightKeys,
    in_flight: AtomicUsize,
    outbox_depth: AtomicU64,
    /// When the log refused a client's events the last time, microseconds since the Unix epoch.
    log_refused_micros: AtomicI64,
    routes: router::RouteTable,
    /// The actions whose rules read the request's context, by name, sorted.
    context_readers: Vec<String>,
}

impl Api {
    /// Puts an API together. It is ready at once as far as its own parts go; the relay reports on the log.
    pub fn build(
        config: ApiConfig,
        game: Arc<Game>,
        state: Arc<dyn StateStore>,
        log: Arc<dyn EventLog>,
        clock: SharedClock,
        probes: Probes,
    ) -> Arc<Self> {
        let routes = router::RouteTable::of(&game);
        let metrics = Metrics::register(&probes, routes.templates());
        probes.ready(PART);
        Arc::new(Self {
            bodies: BodyLimits::new(&config),
            context_readers: context_readers(&game),
            config,
            game,
            state,
            log,
            clock,
            probes,
            metrics,
            hot_keys: HotKeys::new(),
            in_flight_keys: InFlightKeys::default(),
            in_flight: AtomicUsize::new(0),
            outbox_depth: AtomicU64::new(0),
            log_refused_micros: AtomicI64::new(i64::MIN),
            routes,
        })
    }

    /// Refuses stores of which one is an older copy than the other. Call it before serving: afterwards events might be
    /// promised that the log takes for old ones.
    pub async fn check_stores(&self) -> Result<(), ApiError> {
        relay::check_stores(self).await
    }

    /// All routes.
    pub fn router(self: &Arc<Self>) -> axum::Router {
        router::router(self)
    }

    /// Serves `listener` until `shutdown`; then is not ready, accepts nothing, and finishes what is in flight within the
    /// configured time. Ends with an error only when the listener can't be used.
    pub async fn serve(
        self: Arc<Self>,
        listener: tokio::net::TcpListener,
        shutdown: Shutdown,
    ) -> Result<(), ApiError> {
        let limits = HttpLimits {
            max_connections: self.config.max_connections,
            head_timeout: Duration::from_millis(self.config.head_timeout_ms),
            max_head_bytes: self.config.max_head_bytes,
            drain: Duration::from_millis(self.config.drain_ms),
        };
        let serving = server::serve(listener, self.router(), limits, shutdown.clone());
        let mut serving = std::pin::pin!(serving);
        let drained = tokio::select! {
            ended = &mut serving => ended?,
            () = shutdown.cancelled() => {
                self.probes.not_ready(PART, "draining");
                serving.await?
            }
        };
        if let Drained::CutOff(connections) = drained {
            tracing::warn!(
                http.connections = connections,
                "requests were cut off: they took longer than the drain"
            );
        }
        Ok(())
    }

    /// Moves events from the outbox to the log until `shutdown`, then what is left, within the configured time. Readiness
    /// follows the log's health. Ends with an error only when what is stored can't be read.
    pub async fn run_relay(self: Arc<Self>, shutdown: Shutdown) -> Result<(), ApiError> {
        relay::run(&self, &shutdown).await
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.now_micros())
    }

    /// The log refused a client's events: the role is not ready until it has not done so for a while.
    fn note_log_refusal(&self, reason: String) {
        let now = self.clock.now_micros();
        self.log_refused_micros.store(now, Ordering::Relaxed);
        self.probes.not_ready(relay::LOG_PART, reason);
    }

    fn was_log_refused_lately(&self) -> bool {
        let refused = self.log_refused_micros.load(Ordering::Relaxed);
        let passed = self.clock.now_micros().saturating_sub(refused);
        // A clock that was set back must not hold the role up for as long.
        (0..LOG_REFUSAL_MICROS).contains(&passed)
    }

    /// True when no request is being worked on.
    fn is_idle(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) == 0
    }

    fn outbox_depth(&self) -> u64 {
        self.outbox_depth.load(Ordering::Relaxed)
    }

    fn note_outbox_depth(&self, depth: u64) {
        self.outbox_depth.store(depth, Ordering::Relaxed);
        self.metrics
            .outbox_depth
            .set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Counts what was committed since the relay last looked.
    fn note_outbox_growth(&self, events: usize) {
        let events = u64::try_from(events).unwrap_or(u64::MAX);
        self.outbox_depth.fetch_add(events, Ordering::Relaxed);
    }

    /// The log has not taken events for long: taking more would only postpone the news.
    fn refuse_when_outbox_is_full(&self) -> Result<(), Problem> {
        let depth = self.outbox_depth();
        if depth < self.config.max_outbox {
            return Ok(());
        }
        Err(Problem::new(
            codes::UNAVAILABLE,
            format!("{depth} events wait for the event log; no more are taken"),
        ))
    }

    fn reads_context(&self, action: &str) -> bool {
        self.context_readers
            .binary_search_by(|name| name.as_str().cmp(action))
            .is_ok()
    }
}

/// The actions that mention `context` anywhere. One too many costs nothing: its idempotency keys are told apart by host.
fn context_readers(game: &Game) -> Vec<String> {
    let actions = &game.document().spec.actions;
    let reads = |spec| serde_json::to_string(spec).is_ok_and(|text| text.contains("context"));
    actions
        .iter()
        .filter(|(_, spec)| reads(*spec))
        .map(|(name, _)| name.clone())
        .collect()
}
