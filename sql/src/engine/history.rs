//! What is known about queries, running and finished.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::memory_pool::PeakRecordingPool;
use datafusion::physical_plan::ExecutionPlan;
use tokio_util::sync::CancellationToken;

use super::Ask;
use crate::error::{ErrorCode, QueryError};

/// How many finished queries are remembered, as in Trino.
const REMEMBERED: usize = 100;
/// How much of a statement's text is remembered, in characters.
const REMEMBERED_TEXT: usize = 10_000;

/// Where a query is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
pub(crate) enum State {
    Queued,
    Planning,
    Running,
    Finished,
    Failed,
}

impl State {
    /// As Trino names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Queued => "QUEUED",
            Self::Planning => "PLANNING",
            Self::Running => "RUNNING",
            Self::Finished => "FINISHED",
            Self::Failed => "FAILED",
        }
    }
}

/// One query. All times are microseconds since the Unix epoch; 0 means not yet.
#[derive(Debug)]
pub(crate) struct QueryInfo {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) source: String,
    pub(crate) sql: String,
    pub(crate) created: i64,
    pub(crate) planning: AtomicI64,
    pub(crate) running: AtomicI64,
    pub(crate) ended: AtomicI64,
    pub(crate) rows: AtomicU64,
    state: RwLock<State>,
    error: OnceLock<QueryError>,
    cancelled_by: OnceLock<QueryError>,
    cancel: CancellationToken,
    plan: OnceLock<Arc<dyn ExecutionPlan>>,
    memory: OnceLock<Arc<dyn MemoryPool>>,
}

/// What a query's scans have done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Progress {
    /// Rows that came out of the scans.
    pub(crate) rows: u64,
    /// Bytes read from files.
    pub(crate) bytes: u64,
    /// Partitions of all scans: what Trino calls splits.
    pub(crate) splits: u64,
    /// The most memory that was in use, in bytes.
    pub(crate) peak_memory: u64,
    /// Bytes written to disk for want of memory.
    pub(crate) spilled: u64,
}

impl QueryInfo {
    pub(super) fn new(id: String, ask: &Ask, created: i64, cancel: CancellationToken) -> Self {
        Self {
            id,
            user: ask.session.user.clone(),
            source: ask.session.source.clone(),
            sql: ask.sql.chars().take(REMEMBERED_TEXT).collect(),
            created,
            planning: AtomicI64::new(0),
            running: AtomicI64::new(0),
            ended: AtomicI64::new(0),
            rows: AtomicU64::new(0),
            state: RwLock::new(State::Queued),
            error: OnceLock::new(),
            cancelled_by: OnceLock::new(),
            cancel,
            plan: OnceLock::new(),
            memory: OnceLock::new(),
        }
    }

    pub(crate) fn state(&self) -> State {
        *self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it failed, once it has.
    pub(crate) fn error(&self) -> Option<&QueryError> {
        self.error.get()
    }

    /// Stops it for `reason`; the first reason stays.
    pub(crate) fn cancel(&self, reason: QueryError) {
        let _ = self.cancelled_by.set(reason);
        self.cancel.cancel();
    }

    /// Completes when it has been cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    pub(super) fn cancel_reason(&self) -> QueryError {
        let reason = self.cancelled_by.get().cloned();
        reason.unwrap_or_else(|| QueryError::new(ErrorCode::UserCanceled, "Query was canceled"))
    }

    pub(super) fn enter(&self, state: State, now: i64) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        match state {
            State::Planning => self.planning.store(now, Ordering::Relaxed),
            State::Running => self.running.store(now, Ordering::Relaxed),
            _ => self.ended.store(now, Ordering::Relaxed),
        }
    }

    pub(super) fn finish(&self, now: i64, error: Option<QueryError>) {
        let state = if error.is_some() {
            State::Failed
        } else {
            State::Finished
        };
        if let Some(error) = error {
            let _ = self.error.set(error);
        }
        self.enter(state, now);
    }

    /// The plan whose counters show the progress, and the pool that knows its peak.
    pub(super) fn watch(&self, plan: Arc<dyn ExecutionPlan>, memory: Arc<dyn MemoryPool>) {
        let _ = self.plan.set(plan);
        let _ = self.memory.set(memory);
    }

    pub(crate) fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        if let Some(plan) = self.plan.get() {
            add_scans(plan.as_ref(), &mut progress);
        }
        if let Some(pool) = self
            .memory
            .get()
            .and_then(|pool| PeakRecordingPool::from_pool(pool.as_ref()))
        {
            progress.peak_memory = pool.max_reserved() as u64;
        }
        progress
    }

    /// Milliseconds from its creation to `now`, or to its end.
    pub(crate) fn elapsed_millis(&self, now: i64) -> u64 {
        let end = match self.ended.load(Ordering::Relaxed) {
            0 => now,
            ended => ended,
        };
        u64::try_from((end - self.created) / 1000).unwrap_or(0)
    }
}

fn add_scans(plan: &dyn ExecutionPlan, progress: &mut Progress) {
    let metrics = plan.metrics();
    if let Some(metrics) = &metrics {
        progress.spilled += metrics.spilled_bytes().unwrap_or(0) as u64;
    }
    if plan.children().is_empty() {
        progress.splits += plan.properties().output_partitioning().partition_count() as u64;
        if let Some(metrics) = metrics {
            progress.rows += metrics.output_rows().unwrap_or(0) as u64;
            let bytes = metrics
                .sum_by_name("bytes_scanned")
                .map_or(0, |value| value.as_usize());
            progress.bytes += bytes as u64;
        }
    }
    for child in plan.children() {
        add_scans(child.as_ref(), progress);
    }
}

/// The queries of this process: those that run and the last that ended.
#[derive(Debug, Default)]
pub(crate) struct History {
    queries: Mutex<VecDeque<Arc<QueryInfo>>>,
}

impl History {
    pub(super) fn add(&self, query: Arc<QueryInfo>) {
        let mut queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        queries.push_back(query);
        if queries.len() > REMEMBERED {
            let ended = queries
                .iter()
                .position(|query| query.state() >= State::Finished);
            if let Some(index) = ended {
                queries.remove(index);
            }
        }
    }

    /// All of them, oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<QueryInfo>> {
        self.queries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<QueryInfo>> {
        let queries = self.queries.lock().unwrap_or_else(PoisonError::into_inner);
        queries.iter().find(|query| query.id == id).cloned()
    }
}
