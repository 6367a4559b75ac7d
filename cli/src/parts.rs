//! The parts of a process: started together, watched together, drained in the order in which data flows.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use gamepipe_service::Shutdown;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a drain may take in all: what a supervisor that sends SIGTERM grants at least.
const DRAIN: Duration = Duration::from_secs(10);

/// A part that runs until it is told to stop.
#[derive(Debug)]
pub(crate) struct Part {
    name: &'static str,
    stop: Shutdown,
    /// None once it has ended.
    task: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Part {
    /// Starts `work` with the word to stop that it has to heed.
    pub(crate) fn start<F>(name: &'static str, work: impl FnOnce(Shutdown) -> F) -> Self
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let stop = Shutdown::new();
        let task = tokio::spawn(work(stop.clone()));
        Self {
            name,
            stop,
            task: Some(task),
        }
    }
}

/// All parts of a process, in the order of a drain; the last one is what nothing waits for.
#[derive(Debug)]
pub(crate) struct Parts(Vec<Part>);

impl Parts {
    /// Parts in the order in which they are to be drained.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self(parts)
    }

    /// Waits until a part ends that should not: gives its name and why.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        std::future::poll_fn(|context| {
            for part in &mut self.0 {
                let Some(task) = part.task.as_mut() else {
                    continue;
                };
                if let Poll::Ready(ended) = Pin::new(task).poll(context) {
                    part.task = None;
                    let error = match ended {
                        Ok(Ok(())) => anyhow::anyhow!("it ended without a reason"),
                        Ok(Err(error)) => error,
                        Err(error) => error.into(),
                    };
                    return Poll::Ready(error.context(format!("the {} has failed", part.name)));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Drains: each part finishes what is in flight before the one after it is told to stop; the last one finishes
    /// meanwhile. What does not end in time is cut off; the next start goes on from there.
    pub(crate) async fn drain(mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + DRAIN;
        if let Some(last) = self.0.last() {
            last.stop.cancel();
        }
        let mut failure = None;
        for part in &mut self.0 {
            part.stop.cancel();
            let Some(task) = part.task.take() else {
                continue;
            };
            let ended = match tokio::time::timeout_at(deadline, task).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(anyhow::anyhow!(
                    "it did not end within {} s; the next start goes on from there",
                    DRAIN.as_secs()
                )),
            };
            if let Err(error) = ended {
                failure.get_or_insert(error.context(format!("the {} did not drain", part.name)));
            }
        }
        failure.map_or(Ok(()), Err)
    }
}

/// Takes an address. `what` listens there, as `flag` says.
pub(crate) async fn bind(address: &str, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "{what} can't listen on {address}: another program does; stop it, or choose another port, such as {flag} 127.0.0.1:0 for any free one"
        ),
        _ => anyhow::anyhow!("{what} can't listen on {address}: {error}; choose another address with {flag} HOST:PORT"),
    })
}
