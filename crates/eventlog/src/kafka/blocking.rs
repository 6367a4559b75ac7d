//! Calls of the library that block, run where they hold nothing up.

use std::time::Duration;

use crate::log::LogError;

/// Runs what blocks on a thread for it. The library's waits end by the wall clock: where that was set back they are given up
/// after `limit`, and the thread ends whenever it ends.
pub(super) async fn blocking<T: Send + 'static>(
    limit: Duration,
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let stopped =
        |error| LogError::Unavailable(format!("a request to Kafka did not finish: {error}"));
    match tokio::time::timeout(limit, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.map_err(stopped)?,
        Err(_) => Err(LogError::Unavailable(format!(
            "a request to Kafka did not finish within {} s: was this machine's clock set back?",
            limit.as_secs()
        ))),
    }
}
