//! Serves a router over HTTP/1.1: limits against slow and oversized clients, and a drain that finishes what is in flight.
//!
//! hyper is driven directly, one task a connection and none a request.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use crate::Shutdown;

/// How long to wait after a failed accept: such failures (no file descriptors left) pass when connections end.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);

/// What a server allows its clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpLimits {
    /// Connections open at once; more wait in the system's queue.
    pub max_connections: usize,
    /// How long a head may take to arrive, and how long a connection may idle between two requests.
    pub head_timeout: Duration,
    /// The largest head in bytes: request line and headers. A larger one gets 431.
    pub max_head_bytes: usize,
    /// How long a drain waits for requests in flight before it cuts them off.
    pub drain: Duration,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request in flight was answered.
    Whole,
    /// The time ran out with this many connections at work.
    CutOff(usize),
}

/// Serves `router` until `shutdown`, then drains: accepts nothing new, closes idle connections, and waits up to
/// `limits.drain` for the requests in flight. The error is that of a listener that can't be used.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: HttpLimits,
    shutdown: Shutdown,
) -> io::Result<Drained> {
    listener.local_addr()?;
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let cut_off = Shutdown::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let (stream, place) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        // A reply is one small write: waiting for more to send with it would only add latency.
        let _ = stream.set_nodelay(true);
        let connection = protocol(limits).serve_connection(
            TokioIo::new(stream),
            TowerToHyperService::new(router.clone()),
        );
        let connection = graceful.watch(connection);
        let cut_off = cut_off.clone();
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                ended = connection => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                },
                () = cut_off.cancelled() => {}
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown())
        .await
        .is_ok()
    {
        return Ok(Drained::Whole);
    }
    cut_off.cancel();
    Ok(Drained::CutOff(
        limits
            .max_connections
            .saturating_sub(places.available_permits()),
    ))
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

fn protocol(limits: HttpLimits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.max_head_bytes);
    builder
}
