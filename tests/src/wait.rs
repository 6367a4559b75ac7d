//! Waiting for a condition with a deadline, instead of sleeping and hoping.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How long anything may take that is expected to happen: generous, since tests with servers of their own share two cores.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How often a condition is looked at.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `condition` until it answers with a value; an error that names `what` when the deadline passes.
pub fn wait_for<T>(
    what: &str,
    patience: Duration,
    mut condition: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    let mut last_error;
    loop {
        match condition() {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => last_error = None,
            Err(error) => last_error = Some(error),
        }
        if Instant::now() >= deadline {
            bail!("waited {patience:?} for {what} in vain; last error: {last_error:?}");
        }
        std::thread::sleep(PAUSE);
    }
}
