//! `/livez`, `/readyz` and `/metrics`, the same on every role.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

/// Says whether a process is alive, or what in it is stuck.
type Liveness = dyn Fn() -> Result<(), String> + Send + Sync;

/// The parts of a process that must be well for it to be ready, and its metrics.
#[derive(Clone, Default)]
pub struct Probes {
    parts: Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>,
    alive: Arc<OnceLock<Box<Liveness>>>,
    registry: Arc<Mutex<Registry>>,
}

impl std::fmt::Debug for Probes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Probes")
            .field("parts", &self.parts)
            .finish_non_exhaustive()
    }
}

impl Probes {
    /// The process is alive while `check` says so; it is without one as long as it answers. The first check counts.
    pub fn alive_while(&self, check: impl Fn() -> Result<(), String> + Send + Sync + 'static) {
        let _ = self.alive.set(Box::new(check));
    }

    /// Says that `part` is well.
    pub fn ready(&self, part: &'static str) {
        self.set(part, Ok(()));
    }

    /// Says why `part` is not well: the process is not ready until [`Self::ready`] is called for it.
    pub fn not_ready(&self, part: &'static str, reason: impl Into<String>) {
        self.set(part, Err(reason.into()));
    }

    /// Why the process is not ready; empty when it is.
    pub fn problems(&self) -> Vec<String> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts
            .iter()
            .filter_map(|(part, state)| {
                state
                    .as_ref()
                    .err()
                    .map(|reason| format!("{part}: {reason}"))
            })
            .collect()
    }

    /// Registers metrics, under the process's common prefix `gamepipe`.
    pub fn register(&self, register: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(registry.sub_registry_with_prefix("gamepipe"));
    }

    /// The routes.
    pub fn router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        Router::new()
            .route("/livez", get(livez))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }

    fn set(&self, part: &'static str, state: Result<(), String>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(part, state);
    }
}

async fn livez(State(probes): State<Probes>) -> Response {
    match probes.alive.get().map_or(Ok(()), |check| check()) {
        Ok(()) => "ok\n".into_response(),
        Err(stuck) => (StatusCode::SERVICE_UNAVAILABLE, stuck + "\n").into_response(),
    }
}

async fn readyz(State(probes): State<Probes>) -> Response {
    let problems = probes.problems();
    if problems.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, problems.join("\n") + "\n").into_response()
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let mut text = String::new();
    let registry = probes
        .registry
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    match prometheus_client::encoding::text::encode(&mut text, &registry) {
        Ok(()) => (
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            text,
        )
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}
