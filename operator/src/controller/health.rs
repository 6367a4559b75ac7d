//! Whether the process is alive: its tasks are run, and every watch is opened again as often as it has to be.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Request;
use tokio::time::Instant;
use tower::{Layer, Service};

/// How long a watch may go without being opened. Each lasts five minutes at most, and the longest wait after a failure is half a minute.
const WATCH_LIMIT: Duration = Duration::from_secs(10 * 60);
/// How long the heart may be silent.
const BEAT_LIMIT: Duration = Duration::from_secs(30);
/// Between two beats.
pub(super) const BEAT_EVERY: Duration = Duration::from_secs(1);

/// What was seen last of everything that must go on.
#[derive(Clone, Debug, Default)]
pub struct Pulse {
    inner: Arc<Mutex<Beats>>,
}

#[derive(Debug, Default)]
struct Beats {
    heart: Option<Instant>,
    /// When each watch was opened last, by its path.
    watches: HashMap<String, Instant>,
}

impl Pulse {
    /// The heart beats.
    pub fn beat(&self) {
        self.with(|beats| beats.heart = Some(Instant::now()));
    }

    /// A watch is opened.
    pub fn opened(&self, path: &str) {
        self.with(|beats| beats.watches.insert(path.to_owned(), Instant::now()));
    }

    /// No watch is kept up any more: another process leads.
    pub fn forget_watches(&self) {
        self.with(|beats| beats.watches.clear());
    }

    /// What is stuck.
    ///
    /// # Errors
    /// The part and how long it has been silent.
    pub fn check(&self) -> Result<(), String> {
        self.with(|beats| {
            if let Some(silent) = beats
                .heart
                .map(|beat| beat.elapsed())
                .filter(|silent| *silent > BEAT_LIMIT)
            {
                return Err(format!("no task was run for {} s", silent.as_secs()));
            }
            let stuck = beats
                .watches
                .iter()
                .find(|(_, opened)| opened.elapsed() > WATCH_LIMIT);
            match stuck {
                Some((path, opened)) => Err(format!(
                    "the watch of {path} was opened {} s ago and never again",
                    opened.elapsed().as_secs()
                )),
                None => Ok(()),
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Beats) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<S> Layer<S> for Pulse {
    type Service = Watched<S>;

    fn layer(&self, inner: S) -> Watched<S> {
        Watched {
            inner,
            pulse: self.clone(),
        }
    }
}

/// Notes every watch that is opened.
#[derive(Clone, Debug)]
pub struct Watched<S> {
    inner: S,
    pulse: Pulse,
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for Watched<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> S::Future {
        let uri = request.uri();
        if uri
            .query()
            .unwrap_or_default()
            .split('&')
            .any(|pair| pair == "watch=true")
        {
            self.pulse.opened(uri.path());
        }
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::advance;

    use super::{BEAT_LIMIT, Pulse, WATCH_LIMIT};

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_never_opened_again_and_a_heart_that_stops_are_noticed() {
        let pulse = Pulse::default();
        assert_eq!(pulse.check(), Ok(()), "nothing has begun");
        pulse.opened("/apis/apps/v1/deployments");
        pulse.beat();
        advance(BEAT_LIMIT + Duration::from_secs(1)).await;
        assert!(pulse.check().is_err_and(|stuck| stuck.contains("no task")));
        pulse.beat();
        assert_eq!(pulse.check(), Ok(()));
        advance(WATCH_LIMIT).await;
        pulse.beat();
        assert!(
            pulse
                .check()
                .is_err_and(|stuck| stuck.contains("deployments"))
        );
        pulse.opened("/apis/apps/v1/deployments");
        assert_eq!(pulse.check(), Ok(()));
    }
}
