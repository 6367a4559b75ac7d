//! What a process answers while it opens what it works with: the probes say why it is not ready, and everything else is to
//! be asked again.

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;

use crate::Shutdown;
use crate::http::{HttpLimits, serve};
use crate::probes::Probes;

/// When a client may ask again, in seconds: about as often as a backend is tried.
const RETRY_AFTER_SECONDS: &str = "1";

/// Serves `listener` until `work` is done: probes, and 503 with `Retry-After` for everything else. The listener can be used
/// further: no connection is refused in between.
///
/// # Errors
/// When the listener can't be used.
pub async fn while_starting<T>(
    listener: TcpListener,
    probes: &Probes,
    limits: HttpLimits,
    work: impl Future<Output = T>,
) -> std::io::Result<(TcpListener, T)> {
    let kept = listener.into_std()?;
    let used = TcpListener::from_std(kept.try_clone()?)?;
    let router = probes.router().fallback(not_yet).with_state(probes.clone());
    let stop = Shutdown::new();
    let serving = serve(used, router, limits, stop.clone());
    let working = async {
        let done = work.await;
        stop.cancel();
        done
    };
    let (served, done) = tokio::join!(serving, working);
    served?;
    Ok((TcpListener::from_std(kept)?, done))
}

async fn not_yet(State(probes): State<Probes>) -> Response {
    let detail = probes.problems().join("; ");
    let body = serde_json::json!({
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": "unavailable",
        "detail": if detail.is_empty() { "starting".to_owned() } else { format!("starting: {detail}") },
    });
    let headers = [
        (header::CONTENT_TYPE, "application/problem+json"),
        (header::RETRY_AFTER, RETRY_AFTER_SECONDS),
    ];
    (StatusCode::SERVICE_UNAVAILABLE, headers, body.to_string()).into_response()
}
