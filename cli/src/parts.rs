//! The parts of a process: started together, watched together, drained in the order in which data flows.

use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use gamepipe_service::Shutdown;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// How long a drain may take in all: what a supervisor that sends SIGTERM grants at least. Settings may allow more.
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
pub(crate) struct Parts {
    parts: Vec<Part>,
    drain: Duration,
}

impl Parts {
    /// Parts in the order in which they are to be drained.
    pub(crate) fn new(parts: Vec<Part>) -> Self {
        Self {
            parts,
            drain: DRAIN,
        }
    }

    /// The same, where a drain may take this long if that is more.
    pub(crate) fn draining_for(mut self, drain: Duration) -> Self {
        self.drain = self.drain.max(drain);
        self
    }

    /// Waits until a part ends that should not: gives its name and why.
    pub(crate) async fn failed(&mut self) -> anyhow::Error {
        std::future::poll_fn(|context| {
            for part in &mut self.parts {
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
        let deadline = Instant::now() + self.drain;
        if let Some(last) = self.parts.last() {
            last.stop.cancel();
        }
        let mut failure = None;
        for part in &mut self.parts {
            part.stop.cancel();
            let Some(task) = part.task.take() else {
                continue;
            };
            let ended = match tokio::time::timeout_at(deadline, task).await {
                Ok(Ok(ended)) => ended,
                Ok(Err(error)) => Err(error.into()),
                Err(_) => Err(anyhow::anyhow!(
                    "it did not end within {} s; the next start goes on from there",
                    self.drain.as_secs()
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

#[cfg(test)]
mod tests {
    use super::{DRAIN, Duration, Part, Parts};

    /// A part that takes as long to stop.
    fn slow(time: Duration) -> Part {
        Part::start("slow part", move |stop| async move {
            stop.cancelled().await;
            tokio::time::sleep(time).await;
            Ok(())
        })
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_takes_as_long_as_it_may() {
        let time = DRAIN * 2;
        let cut = Parts::new(vec![slow(time)]).drain().await;
        assert!(cut.is_err_and(|error| format!("{error:#}").contains("within 10 s")));
        let longer = Parts::new(vec![slow(time)]).draining_for(time * 2);
        assert!(longer.drain().await.is_ok());
        let shorter = Parts::new(vec![slow(DRAIN / 2)]).draining_for(DRAIN / 4);
        assert!(shorter.drain().await.is_ok());
    }
}
