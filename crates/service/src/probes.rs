//! `/livez`, `/readyz` and `/metrics`, the same on every role.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;

/// The parts of a process that must be well for it to be ready, and its metrics.
#[derive(Debug, Clone, Default)]
pub struct Probes {
    parts: Arc<Mutex<BTreeMap<&'static str, Result<(), String>>>>,
    registry: Arc<Mutex<Registry>>,
}

impl Probes {
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
            .route("/livez", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .with_state(self.clone())
    }

    fn set(&self, part: &'static str, state: Result<(), String>) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.insert(part, state);
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
